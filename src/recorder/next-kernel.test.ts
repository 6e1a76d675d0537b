/** How the next kernel's recording is configured, and how it gets what the old kernel saved. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { after } from "node:test";
import fc from "fast-check";
import { HOSTS, type HostKind, type MadeUpHost, madeUpHost } from "../testing/fakes/tracefs-tree.js";
import { runRecord, shell, shells } from "../testing/recorder-runs.js";
import { parseDoctorReport } from "./recorder.js";

const scratch = mkdtempSync(join(tmpdir(), "blackout-next-"));
after(() => rmSync(scratch, { recursive: true, force: true }));
let hosts = 0;
const linux619 = HOSTS["6.19"] as HostKind;
const newHost = (kind: HostKind = linux619): MadeUpHost => madeUpHost(mkdtempSync(join(scratch, `${hosts++}-`)), kind);

test("probes are kprobes or fprobes, as requested or as the kernel supports; the plan shows why", () => {
  const plan = (kind: HostKind, ...args: string[]): string =>
    runRecord(newHost(kind), ["plan", "--level", "probes", ...args]).stdout;
  const fprobes = plan(linux619, "--probes", "fprobe");
  assert.match(fprobes, /^# probes: fprobes: asked for/m);
  assert.match(fprobes, /f:blackout\/liveupdate_reboot liveupdate_reboot$/m);
  assert.match(fprobes, /f:blackout\/liveupdate_reboot_ret liveupdate_reboot%return ret=\$retval:s32$/m);
  assert.doesNotMatch(fprobes, / [pr]:blackout/);
  const kprobes = plan(linux619, "--probes", "kprobe");
  assert.match(kprobes, /^# probes: kprobes: asked for/m);
  assert.match(kprobes, /r:blackout\/liveupdate_reboot_ret liveupdate_reboot ret=\$retval:s32$/m);
  assert.match(plan(linux619), /^# probes: kprobes: arm takes fprobes instead if it measures that they cost less/m);
  const older = { ...linux619, fprobes: false };
  assert.match(plan(older), /^# probes: kprobes: this kernel has no fprobe events/m);
  assert.doesNotMatch(plan(older), / f:blackout/);
  assert.match(plan(older, "--probes", "fprobe"), /left out: .*kprobes are used/);
  const alone = plan({ ...linux619, kprobes: false });
  assert.match(alone, /^# probes: fprobes: this kernel has no kprobe events/m);
  assert.match(alone, /append dynamic_events {2}f:blackout/);
});

test("if dd prints no time, as busybox's does not, the kernel's clock is used", () => {
  const on = newHost({ ...linux619, functions: [...linux619.functions, "ksys_read"] });
  mkdirSync(join(on.tracing, "instances/blackout_cost/events/syscalls/sys_exit_read"), { recursive: true });
  mkdirSync(join(on.tracing, "events/syscalls/sys_exit_read"), { recursive: true });
  const clock = join(on.root, "proc/timer_list");
  writeFileSync(clock, "Timer List Version: v0.10\nHRTIMER_MAX_CLOCK_BASES: 8\nnow at 5000000 nsecs\n\ncpu: 0\n");
  // A read takes 300 ns, and 800 more where the event is enabled; the start of dd 1 ms.
  const body = [
    'case "$*" in *zero*) ;; *) exec /bin/dd "$@" ;; esac',
    "ns=300",
    `[ "$(cat ${on.tracing}/instances/blackout_cost/events/syscalls/sys_exit_read/enable)" != 1 ] || ns=1100`,
    `count=\${*##*count=}`,
    `now=$(sed -n 's/now at \\(.*\\) nsecs/\\1/p' ${clock})`,
    `echo "now at $((now + 1000000 + ns * count)) nsecs" > ${clock}`,
  ];
  writeFileSync(join(on.root, "dd"), `#!/bin/sh\n${body.join("\n")}\n`, { mode: 0o755 });
  const env = { ...on.env, PATH: `${on.root}:${on.env.PATH}` };
  const run = runRecord({ ...on, env }, ["arm", "--level", "events"], ["sh"]);
  assert.equal(run.code, 0, run.stderr);
  assert.equal(readFileSync(join(on.root, "var/lib/blackout/costs"), "utf8"), "event 800\n");
});

test("both kinds of probe are measured, and the cheaper is used, in the new kernel too", () => {
  for (const [kind, nanoseconds, by] of [
    ["f", 500, shell],
    ["p", 3_000, shells.at(-1) ?? shell],
  ] as const) {
    const on = newHost({ ...linux619, functions: [...linux619.functions, "ksys_read"] });
    // A `dd` whose time is the cost of what is enabled: an event 1 us, a kprobe 2 us, an fprobe as given.
    for (const path of ["syscalls/sys_exit_read", "blackout/cost_call", "blackout/cost_return"])
      for (const folder of ["events", "instances/blackout_cost/events"])
        mkdirSync(join(on.tracing, folder, path), { recursive: true });
    const dd = join(on.root, "dd");
    const body = [
      "ns=1000",
      `for file in ${on.tracing}/instances/blackout_cost/events/*/*/enable; do`,
      '  [ "$(cat "$file")" = 1 ] || continue',
      `  case $file in *sys_exit_read*) ns=$((ns + 1000)) ;; *) case $(tail -n 1 ${on.tracing}/dynamic_events) in f*) ns=$((ns + ${nanoseconds})) ;; *) ns=$((ns + 2000)) ;; esac ;; esac`,
      "done",
      'case "$*" in *zero*) awk -v ns=$ns \'BEGIN { printf "1000 bytes copied, %.9f s, 1 MB/s\\n", ns * 1000 / 1e9 }\' >&2 ;; *) exec /bin/dd "$@" ;; esac',
    ];
    writeFileSync(dd, `#!/bin/sh\n${body.join("\n")}\n`, { mode: 0o755 });
    const env = { ...on.env, PATH: `${on.root}:${on.env.PATH}` };
    // busybox runs its own dd first.
    const run = runRecord({ ...on, env }, ["arm", "--level", "probes"], by.length > 1 ? ["sh"] : by);
    assert.equal(run.code, 0, run.stderr);
    const probes = readFileSync(join(on.tracing, "dynamic_events"), "utf8");
    assert.match(probes, new RegExp(`^${kind}:blackout/kernel_kexec `, "m"));
    const costs = readFileSync(join(on.root, "var/lib/blackout/costs"), "utf8");
    assert.equal(
      costs,
      `event 1000\ncall ${kind === "f" ? nanoseconds : 2_000}\nreturn ${kind === "f" ? nanoseconds : 2_000}\n`,
    );
    on.reboot();
    writeFileSync(join(on.tracing, "instances/blackout/last_boot_info"), "ffffffff81000000\t[kernel]\n");
    assert.equal(runRecord(on, ["arm"], by).code, 0);
    assert.match(
      readFileSync(join(on.tracing, "dynamic_events"), "utf8"),
      new RegExp(`^${kind}:blackout/luo_open `, "m"),
    );
  }
});

test("fprobes are removed like kprobes", () => {
  for (const by of shells) {
    const on = newHost();
    const before = on.snapshot();
    assert.equal(runRecord(on, ["arm", "--level", "probes", "--probes", "fprobe"], by).code, 0);
    assert.match(readFileSync(join(on.tracing, "dynamic_events"), "utf8"), /^f:blackout\/kernel_kexec kernel_kexec$/m);
    assert.equal(runRecord(on, ["disarm"], by).code, 0);
    assert.equal(on.snapshot(), before);
  }
});

test("a host's own words are kept, each once, and those of the recorder are not repeated", () => {
  const own = "BOOT_IMAGE=/vmlinuz root=/dev/sda1 quiet iommu=pt";
  const on = newHost({ ...linux619, commandLine: `${own} kho=on liveupdate=on kho_scratch=64M trace_event=old:event` });
  const next = runRecord(on, ["kernel-cmdline", "--reuse-cmdline", "--level", "graph"]).stdout.trim();
  assert.ok(next.startsWith("root=/dev/sda1 quiet iommu=pt kho=on liveupdate=on "));
  assert.doesNotMatch(next, /old:event|BOOT_IMAGE/);
  assert.equal(next.match(/kho_scratch=/g)?.length, 1);
  const again = newHost({ ...linux619, commandLine: next });
  const words = (text: string): readonly string[] => text.trim().split(" ").sort();
  assert.deepEqual(
    words(runRecord(again, ["kernel-cmdline", "--reuse-cmdline", "--level", "graph"]).stdout),
    words(next),
    "a second run changes nothing",
  );
});

/** As the kernel finds it (get_boot_config_from_initrd, init/main.c): magic, sum, size, then the text. */
function bootconfigOf(initrd: Buffer): { readonly text: string; readonly before: number } {
  const magic = initrd.length - 12;
  assert.equal(initrd.toString("latin1", magic), "#BOOTCONFIG\n");
  const [size, sum] = [initrd.readUInt32LE(magic - 8), initrd.readUInt32LE(magic - 4)];
  const data = initrd.subarray(magic - 8 - size, magic - 8);
  assert.equal(
    data.reduce((all, byte) => all + byte, 0),
    sum,
  );
  assert.equal(initrd.length % 4, 0);
  return { text: data.toString("latin1").replace(/\0+$/, ""), before: magic - 8 - size };
}

test("a bootconfig is appended to an initrd of any length, as the kernel reads it", () => {
  const on = newHost();
  const from = join(on.root, "initrd");
  const to = join(on.root, "initrd.next");
  const printed = runRecord(on, ["bootconfig", "--level", "probes"]).stdout;
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 1, maxLength: 40 }), fc.constantFrom(...shells), (bytes, by) => {
      writeFileSync(from, bytes);
      rmSync(to, { force: true });
      const run = runRecord(on, ["bootconfig", "--level", "probes", "--initrd", from, "-o", to], by);
      assert.equal(run.code, 0, run.stderr);
      const initrd = readFileSync(to);
      const { text, before } = bootconfigOf(initrd);
      assert.equal(text, printed);
      assert.equal(before, bytes.length);
      assert.ok(initrd.subarray(0, before).equals(bytes));
    }),
    { numRuns: 8 },
  );
  writeFileSync(from, readFileSync(to));
  assert.match(runRecord(on, ["bootconfig", "--initrd", from, "-o", to]).stderr, /has a bootconfig already/);
});

test("a bootconfig has the command line's words, and LUO's probes without arguments that another build may keep elsewhere", () => {
  const on = newHost({ ...linux619, release: "7.3.4" });
  const text = runRecord(on, ["bootconfig", "--level", "probes"]).stdout;
  const words = runRecord(on, ["kernel-cmdline", "--level", "probes"]).stdout.trim().split(" ");
  for (const word of words.slice(2)) assert.ok(text.includes(`"${word.slice(word.indexOf("=") + 1)}"`), word);
  assert.deepEqual(words.slice(0, 2), ["kho=on", "liveupdate=on"], "the words that are read before a bootconfig");
  assert.match(
    text,
    /^ftrace\.event\.kprobes\.luo_retrieve_file \{ probes = "luo_retrieve_file token=\$arg2:x64"; enable \}$/m,
  );
  const same = runRecord(on, ["bootconfig", "--level", "probes", "--same-build"]).stdout;
  assert.match(same, /"luo_retrieve_file session=-88\(\$arg1\):string token=\$arg2:x64"/);
  assert.doesNotMatch(runRecord(on, ["bootconfig", "--level", "events"]).stdout, /ftrace\./);
});

test("probes that a bootconfig has defined are not defined again, and disarm removes them; probes of others stay", () => {
  const on = newHost();
  assert.equal(runRecord(on, ["arm", "--level", "probes"]).code, 0);
  on.reboot();
  writeFileSync(join(on.tracing, "instances/blackout/last_boot_info"), "ffffffff81000000\t[kernel]\n");
  const config = ["luo_open", "luo_open_ret", "theirs"]
    .map((name) => `ftrace.event.kprobes.${name}.probes = "x"\nftrace.event.kprobes.${name}.enable = ""\n`)
    .join("");
  writeFileSync(join(on.root, "proc/bootconfig"), config);
  for (const name of ["luo_open", "luo_open_ret", "theirs"]) {
    spawnSync("mkdir", ["-p", join(on.tracing, "events/kprobes", name)]);
    writeFileSync(join(on.tracing, "events/kprobes", name, "enable"), "1\n");
  }
  assert.equal(runRecord(on, ["arm"]).code, 0);
  assert.equal(readFileSync(join(on.tracing, "dynamic_events"), "utf8"), "p:other/theirs do_exit\n");
  assert.equal(runRecord(on, ["collect", "-o", join(on.root, "capture")]).code, 0);
  assert.equal(runRecord(on, ["disarm"]).code, 0);
  const removed = readFileSync(join(on.tracing, "dynamic_events"), "utf8").split("\n").slice(1, -1);
  assert.deepEqual(removed, ["-:kprobes/luo_open", "-:kprobes/luo_open_ret"]);
  assert.equal(readFileSync(join(on.tracing, "events/kprobes/theirs/enable"), "utf8"), "1\n");
});

test("copies of the rings are requested after the rings, once, and only from the next kernel", () => {
  const copies = (text: string): readonly string[] => text.match(/trace_instance=\S+=\S+/g) ?? [];
  const on = newHost();
  const next = runRecord(on, ["kernel-cmdline", "--backup"]).stdout;
  assert.deepEqual(copies(next), [
    "trace_instance=blackout_backup=blackout",
    "trace_instance=blackout_marks_backup=blackout_marks",
  ]);
  assert.ok(next.indexOf("blackout_marks_backup") > next.indexOf("@blackout_marks"));
  assert.deepEqual(copies(runRecord(on, ["kernel-cmdline", "--backup", "--for", "old"]).stdout), []);
  // Of a bootconfig, as older kernels print it.
  const quoted = newHost({ ...linux619, commandLine: next.trim().replace(/=(\S+)/g, '="$1"') });
  assert.equal(
    runRecord(quoted, ["bootconfig", "--backup"]).stdout,
    runRecord(newHost({ ...linux619, commandLine: next.trim() }), ["bootconfig", "--backup"]).stdout,
  );
  // A host that was started with them.
  const again = newHost({ ...linux619, commandLine: next.trim() });
  assert.deepEqual(copies(runRecord(again, ["kernel-cmdline", "--backup"]).stdout), copies(next));
});

test("the old kernel's ring is read from its copy if there is one: the ring itself records again", () => {
  const copied = newHost({
    ...linux619,
    rings: [...linux619.rings, "blackout_backup", "blackout_marks_backup"],
    backup: true,
  });
  assert.equal(runRecord(copied, ["arm"]).code, 0);
  copied.reboot();
  const instances = join(copied.tracing, "instances");
  for (const name of ["blackout_backup", "blackout_marks_backup"])
    writeFileSync(join(instances, name, "last_boot_info"), "ffffffff81000000\t[kernel]\n");
  const pages = (name: string): string => join(instances, name, "per_cpu/cpu0/trace_pipe_raw");
  writeFileSync(pages("blackout"), "this boot's");
  writeFileSync(pages("blackout_backup"), "the previous boot's");
  const to = join(copied.root, "capture");
  const run = runRecord(copied, ["collect", "-o", to]);
  assert.equal(run.code, 0, run.stderr);
  assert.equal(readFileSync(join(to, "ring/per_cpu/cpu0/trace_pipe_raw"), "utf8"), "the previous boot's");
  const checks = (on: MadeUpHost) => parseDoctorReport(runRecord(on, ["doctor", "--json"]).stdout)?.checks ?? [];
  const status = (on: MadeUpHost, code: string) => checks(on).find((check) => check.code === code)?.status;
  for (const code of ["backup", "bootconfig"]) {
    assert.equal(status(copied, code), "ok");
    assert.equal(status(newHost(), code), "note");
  }
});

test("saved files pass through a carrier if the state folder does not survive the kexec", () => {
  for (const by of shells) {
    const on = newHost();
    const carrier = join(on.root, "memfd");
    writeFileSync(join(on.root, "proc/mounts"), "tmpfs / tmpfs rw 0 0\n");
    assert.match(runRecord(on, ["doctor"], by).stdout, /fail {2}carrier/);
    assert.match(runRecord(on, ["doctor", "--carrier", carrier], by).stdout, /ok {4}carrier +what is saved goes to /);
    assert.equal(runRecord(on, ["arm", "--level", "markers", "--with", "irq"], by).code, 0);
    const saved = runRecord(on, ["save", "--carrier", carrier], by);
    assert.match(saved.stderr, /saved in \S+, and in \S+memfd \(\d+ bytes\)/);
    // The kexec empties it.
    rmSync(join(on.root, "var/lib/blackout"), { recursive: true });
    on.reboot();
    writeFileSync(join(on.tracing, "instances/blackout/last_boot_info"), "ffffffff81000000\t[kernel]\n");
    const to = join(on.root, "capture");
    const run = runRecord(on, ["collect", "-o", to, "--carrier", carrier], by);
    assert.equal(run.code, 0, run.stderr);
    assert.match(run.stderr, /what the old kernel saved comes of \S+memfd/);
    const manifest = JSON.parse(readFileSync(join(to, "capture.json"), "utf8"));
    assert.deepEqual(manifest.boots, {
      old: { files: "old", ring: "ring", marks: "marks", boot_id: "first" },
      new: { files: "new", boot_id: "second" },
    });
    assert.deepEqual(manifest.labels, { probe_level: "markers", with: "irq" });
    assert.deepEqual(manifest.not_recorded, []);
    assert.equal(runRecord(on, ["disarm"], by).code, 0);
    assert.ok(!existsSync(join(on.root, "var/lib/blackout")));
  }
});

test("an empty carrier, or one with other content, is reported, and the rest is collected", () => {
  for (const content of ["", "no archive"]) {
    const on = newHost();
    const carrier = join(on.root, "memfd");
    writeFileSync(carrier, content);
    writeFileSync(join(on.tracing, "instances/blackout/last_boot_info"), "ffffffff81000000\t[kernel]\n");
    const to = join(on.root, "capture");
    assert.equal(runRecord(on, ["collect", "-o", to, "--carrier", carrier]).code, 0);
    assert.match(readFileSync(join(to, "capture.json"), "utf8"), /carrier-empty/);
  }
});

test("the recorder's words stand before `--`: what follows it is for the first process", () => {
  for (const by of shells) {
    const on = newHost({ ...linux619, commandLine: "quiet -- single --flag kho=off" });
    const line = runRecord(on, ["kernel-cmdline", "--reuse-cmdline", "--level", "markers"], by).stdout.trim();
    assert.match(line, /^quiet kho=on liveupdate=on .*trace_event=\S* -- single --flag kho=off$/);
  }
});
