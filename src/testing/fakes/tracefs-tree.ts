/**
 * A made-up host for the recorder: /proc, /sys and /dev as plain files. What tracefs does by itself (an instance's
 * files come and go with its folder) is done by the tree's own `mkdir` and `rmdir`, which the recorder finds through
 * `env`.
 */
import { chmodSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

export interface HostKind {
  readonly release: string;
  readonly commandLine: string;
  /** Instances that outlive a kexec. */
  readonly rings: readonly string[];
  readonly functions: readonly string[];
  readonly tracers: string;
  readonly liveupdate: boolean;
  readonly kprobes: boolean;
  readonly fprobes: boolean;
  /** Copies of rings at boot (trace_instance=COPY=RING), and a reader of bootconfigs. */
  readonly backup: boolean;
  readonly subbufSize: boolean;
}

const LUO_FUNCTIONS = [
  "luo_session_create",
  "luo_preserve_file",
  "liveupdate_reboot",
  "luo_session_serialize",
  "luo_file_freeze",
  "luo_open",
  "luo_session_retrieve",
  "luo_retrieve_file",
  "luo_file_finish",
  "memfd_luo_preserve",
  "memfd_luo_retrieve",
];
const KEXEC_FUNCTIONS = ["kernel_kexec", "kernel_restart_prepare", "device_shutdown", "machine_kexec"];

const older = {
  commandLine: "quiet",
  rings: [],
  liveupdate: false,
  kprobes: true,
  fprobes: false,
  backup: false,
  tracers: "function_graph function nop",
};

/** Hosts of four generations: which of the features that the recorder uses each kernel has. */
export const HOSTS: Readonly<Record<string, HostKind>> = {
  "5.15": { ...older, release: "5.15.0-91-generic", functions: KEXEC_FUNCTIONS, subbufSize: false },
  "6.1": { ...older, release: "6.1.0-31-cloud-amd64", functions: KEXEC_FUNCTIONS, subbufSize: false, tracers: "nop" },
  "6.12": {
    ...older,
    release: "6.12.9",
    commandLine: "reserve_mem=8M:4096:trace trace_instance=boot_map^traceoff@trace",
    rings: ["boot_map"],
    functions: KEXEC_FUNCTIONS,
    subbufSize: true,
  },
  "6.19": {
    ...older,
    release: "6.19.2",
    commandLine: "kho=on liveupdate=on iscsi.password=hunter2 nfs=nfs://ann:hunter3@10.0.0.1/x",
    rings: ["blackout", "blackout_marks"],
    functions: [...KEXEC_FUNCTIONS, ...LUO_FUNCTIONS],
    liveupdate: true,
    fprobes: true,
    subbufSize: true,
  },
};

const EVENTS = [
  "printk/console",
  "syscalls/sys_enter_ioctl",
  "syscalls/sys_exit_ioctl",
  "syscalls/sys_enter_reboot",
  "syscalls/sys_exit_reboot",
  "syscalls/sys_enter_kexec_file_load",
  "syscalls/sys_exit_kexec_file_load",
  "syscalls/sys_enter_openat",
  "syscalls/sys_exit_openat",
  "notifier/notifier_run",
  "cpuhp/cpuhp_enter",
  "cpuhp/cpuhp_exit",
  "initcall/initcall_start",
  "initcall/initcall_finish",
];

function write(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
}

function writeBuffer(folder: string, { tracers, subbufSize }: HostKind): void {
  write(join(folder, "trace"), "# tracer: nop\n");
  write(join(folder, "trace_marker"), "");
  write(join(folder, "trace_clock"), "[local] global mono boot tai x86-tsc\n");
  write(join(folder, "tracing_on"), "1\n");
  write(join(folder, "current_tracer"), "nop\n");
  write(join(folder, "available_tracers"), `${tracers}\n`);
  write(join(folder, "set_ftrace_filter"), "#### all functions enabled ####\n");
  write(join(folder, "buffer_size_kb"), "4\n");
  if (subbufSize) write(join(folder, "buffer_subbuf_size_kb"), "4\n");
  write(join(folder, "per_cpu/cpu0/stats"), "entries: 0\nnow ts: 12345\n");
  write(join(folder, "per_cpu/cpu0/trace_pipe_raw"), "");
  for (const event of EVENTS) {
    write(join(folder, "events", event, "enable"), "0\n");
    write(join(folder, "events", event, "filter"), "none\n");
    write(join(folder, "events", event, "format"), `name: ${event.split("/")[1]}\nID: 1\n`);
  }
}

export interface MadeUpHost {
  readonly root: string;
  readonly tracing: string;
  /** For the recorder's process. */
  readonly env: NodeJS.ProcessEnv;
  /** Everything under tracefs that the recorder must restore, as text. */
  snapshot(): string;
  /** Like a reboot: another boot id, and tracefs in its initial state. */
  reboot(): void;
}

/** Makes the tree in `folder`, which is empty. */
export function madeUpHost(folder: string, kind: HostKind): MadeUpHost {
  const root = join(folder, "root");
  const tracing = join(root, "sys/kernel/tracing");
  const template = join(folder, "template");
  const build = (): void => {
    writeBuffer(tracing, kind);
    write(join(tracing, "events/header_page"), "\tfield: char data;\toffset:16;\tsize:4080;\tsigned:1;\n");
    write(join(tracing, "dynamic_events"), "p:other/theirs do_exit\n");
    const kinds = `\t Format: p[:[<group>/][<event>]] <place> [<args>]\n${kind.fprobes ? "\t           f[:[<group>/][<event>]] <func-name>[%return] [<args>]\n" : ""}`;
    write(join(tracing, "README"), kinds);
    if (kind.kprobes) write(join(tracing, "kprobe_events"), "");
    write(join(tracing, "available_filter_functions"), `${kind.functions.join("\n")}\n`);
    mkdirSync(join(tracing, "instances"), { recursive: true });
    for (const ring of kind.rings) {
      writeBuffer(join(tracing, "instances", ring), kind);
      write(join(tracing, "instances", ring, "tracing_on"), "0\n");
      write(join(tracing, "instances", ring, "last_boot_info"), "# Current\n");
    }
  };
  writeBuffer(template, kind);
  build();
  write(join(root, "proc/cmdline"), `${kind.commandLine}\n`);
  write(join(root, "proc/mounts"), "/dev/vda / ext4 rw 0 0\ntmpfs /run tmpfs rw 0 0\n");
  const symbols = ["ffffffff81000000 T _text", ...(kind.backup ? ["ffffffff81000010 t trace_array_autoremove"] : [])];
  write(join(root, "proc/kallsyms"), `${symbols.join("\n")}\n`);
  if (kind.backup) write(join(root, "proc/bootconfig"), "");
  write(join(root, "proc/sys/kernel/osrelease"), `${kind.release}\n`);
  write(join(root, "proc/sys/kernel/random/boot_id"), "first\n");
  write(join(root, "var/log/dmesg"), `[    0.000000] Kernel command line: ${kind.commandLine}\n[    1.000000] done\n`);
  write(join(root, "sys/devices/system/clocksource/clocksource0/current_clocksource"), "tsc\n");
  if (kind.liveupdate) {
    write(join(root, "dev/liveupdate"), "");
    mkdirSync(join(root, "sys/kernel/debug/kho"), { recursive: true });
  }
  const bin = join(folder, "bin");
  const command = (name: string, text: string): void => {
    write(join(bin, name), `#!/bin/sh\n${text}\n`);
    chmodSync(join(bin, name), 0o755);
  };
  command(
    "mkdir",
    `case $1 in ${tracing}/instances/*) [ -e "$1" ] && exit 1; cp -r "${template}" "$1" ;; *) exec /bin/mkdir "$@" ;; esac`,
  );
  command("rmdir", `case $1 in ${tracing}/instances/*) exec rm -rf "$1" ;; *) exec /bin/rmdir "$@" ;; esac`);
  return {
    root,
    tracing,
    env: { ...process.env, BLACKOUT_TOOLS: bin, BLACKOUT_ROOT: root },
    snapshot: () => snapshotOf(tracing),
    reboot: () => {
      write(join(root, "proc/sys/kernel/random/boot_id"), "second\n");
      build();
    },
  };
}

/** Probe definitions count by their result: `-:GROUP/` and `-:GROUP/NAME` remove earlier ones. */
function probesLeft(text: string): string {
  const left: string[] = [];
  for (const line of text.split("\n").filter((each) => each !== "")) {
    const removed = /^-:(\S+)$/.exec(line)?.[1];
    if (removed === undefined) left.push(line);
    else {
      const kept = left.filter((each) => !(each.split(" ")[0] as string).slice(2).startsWith(removed));
      left.splice(0, left.length, ...kept);
    }
  }
  return left.join("\n");
}

function snapshotOf(tracing: string): string {
  const files = readdirSync(tracing, { recursive: true, withFileTypes: true })
    .map((entry) => join(entry.parentPath, entry.name) + (entry.isDirectory() ? "/" : ""))
    .sort();
  return files
    .map((path) => {
      const name = path.slice(tracing.length + 1);
      // Marks and records are not settings; a cleared buffer differs from before, and may.
      if (path.endsWith("/") || /(?:^|\/)(?:trace|trace_marker)$/.test(name)) return name;
      const text = readFileSync(path, "utf8").trim();
      if (name === "dynamic_events") return `${name}=${probesLeft(text)}`;
      // Read as a list, written as one word; both mean that word. An empty filter matches everything.
      if (name.endsWith("trace_clock")) return `${name}=${/\[(.*)\]/.exec(text)?.[1] ?? text}`;
      if (name.endsWith("/filter")) return `${name}=${text === "none" ? "0" : text}`;
      if (name.endsWith("set_ftrace_filter")) return `${name}=${text.startsWith("#") ? "" : text}`;
      return `${name}=${text}`;
    })
    .join("\n");
}
