/**
 * The vocabulary of the Live Update Orchestrator: kernel functions, ioctls and marks, one row each. Whatever reads,
 * records or draws one of them names its row here; a new kernel's function is one more row. The recorder's tables
 * (src/recorder/recorder.sh) are checked against these rows by a test.
 */
import type { Boot } from "../base/time.js";
import type { PhaseName } from "./live-update.js";

/** Kernels that have a row. `states`: the series of 2025 that kept one state for the whole host. */
export type Kernels = "6.19 and later" | "states" | "all";

/** What a call does, and to what; the verb is the action that spans and reports print. */
export interface Deed {
  readonly of: "session" | "file";
  readonly action: string;
}

/**
 * What a traced function is to an update. `reboot`: the path to the kexec; `open`: the device is opened; `session`,
 * `file`: LUO's own work on one of them; `handler`: a file handler's callback; `host`: work for all sessions at once;
 * `state`: a step of the state machine; `device`: a device is stopped or probed; `boot`: the new kernel's own work;
 * `wait`: its caller waits for what others do; `load`: the next kernel is loaded.
 */
export type FunctionRole =
  | "reboot"
  | "open"
  | "session"
  | "file"
  | "handler"
  | "host"
  | "state"
  | "device"
  | "boot"
  | "wait"
  | "load";

export interface KernelFunction {
  readonly name: string;
  /** File in the kernel's tree. */
  readonly source: string;
  readonly kernels: Kernels;
  /** The half of an update in which its calls are of interest. */
  readonly boot: Boot;
  readonly role: FunctionRole;
  /** `never`: it has no return that a trace can show; `status`: 0 or a negative errno. */
  readonly returns: "status" | "nothing" | "never";
  /** Names of the arguments that the recorder's probe fetches. */
  readonly args: readonly string[];
  /** Which tables of the recorder arm it. */
  readonly recorded: readonly ("probe" | "graph")[];
  /** Boundaries, sessions or outcomes may rest on its calls; calls of other functions are spans only. */
  readonly key: boolean;
  /** Null: what it works on is not in its arguments, or its caller's row has it. */
  readonly deed: Deed | null;
  /** The phase of its session that its calls make up; null if an inner or outer row of the same phase counts. */
  readonly phase: PhaseName | null;
}

type Part = Partial<Omit<KernelFunction, "name" | "source">> & Pick<KernelFunction, "boot" | "role">;

const row = (name: string, source: string, part: Part): KernelFunction => ({
  name,
  source,
  kernels: "6.19 and later",
  returns: "status",
  args: [],
  recorded: [],
  key: true,
  deed: null,
  phase: null,
  ...part,
});

const SESSION = "kernel/liveupdate/luo_session.c";
const FILE = "kernel/liveupdate/luo_file.c";
const CORE = "kernel/liveupdate/luo_core.c";
const KEXEC = "kernel/kexec_core.c";
const REBOOT = "kernel/reboot.c";
const MEMFD = "mm/memfd_luo.c";
const BOTH = ["probe", "graph"] as const;
const PROBE = ["probe"] as const;
const GRAPH = ["graph"] as const;

const session = (action: string): Deed => ({ of: "session", action });
const file = (action: string): Deed => ({ of: "file", action });
/** A step of the state machine of the 2025 series. */
const state = (name: string, boot: Boot, phase: PhaseName | null = null): KernelFunction =>
  row(name, CORE, { boot, role: "state", kernels: "states", phase });
const subsystems = (name: string, boot: Boot): KernelFunction =>
  row(name, "kernel/liveupdate/luo_subsystems.c", { boot, role: "state", kernels: "states" });
/** Not of LUO, but on the way that an update takes through both kernels. */
const path = (
  name: string,
  source: string,
  part: Part & { readonly key?: boolean; readonly returns?: KernelFunction["returns"] },
): KernelFunction => row(name, source, { kernels: "all", returns: "nothing", ...part });

/** Waits for work of other tasks, which is the cause of what the wait takes. */
const wait = (name: string, source: string, recorded: KernelFunction["recorded"] = []): KernelFunction =>
  path(name, source, { boot: "new", role: "wait", recorded, key: false });

/** Every function that the tool names. */
export const FUNCTIONS = {
  sessionCreate: row("luo_session_create", SESSION, {
    boot: "old",
    role: "session",
    args: ["session"],
    recorded: PROBE,
    deed: session("create"),
    phase: "prepare",
  }),
  preserveFile: row("luo_preserve_file", FILE, {
    boot: "old",
    role: "file",
    args: ["session", "token", "fd"],
    recorded: BOTH,
    deed: file("preserve"),
    phase: "prepare",
  }),
  // The recorder arms handlers of all names by one template, HANDLER_CALLBACKS.
  memfdPreserve: row("memfd_luo_preserve", MEMFD, { boot: "old", role: "handler", args: ["compat"] }),
  /** Undoes what a session preserved, when its fd is closed before the kexec: its agent gave up or died. */
  fileUnpreserve: row("luo_file_unpreserve_files", FILE, {
    boot: "old",
    role: "session",
    returns: "nothing",
    args: ["session"],
    recorded: PROBE,
    deed: session("unpreserve"),
  }),
  /** Release of a session's fd; in the new kernel it finishes what was not finished. */
  sessionRelease: row("luo_session_release", SESSION, { boot: "old", role: "session", deed: session("release") }),
  /** One segment of the next kernel: the image, the initramfs, what KHO hands over; placed when it returns. */
  kexecAddBuffer: path("kexec_add_buffer", "kernel/kexec_file.c", {
    boot: "old",
    role: "load",
    returns: "status",
    args: ["bufsz", "mem", "memsz"],
    recorded: PROBE,
  }),
  kernelKexec: path("kernel_kexec", KEXEC, { boot: "old", role: "reboot", returns: "never", recorded: BOTH }),
  liveupdateReboot: row("liveupdate_reboot", CORE, { boot: "old", role: "reboot", recorded: BOTH }),
  sessionSerialize: row("luo_session_serialize", SESSION, { boot: "old", role: "host", recorded: BOTH }),
  fileFreeze: row("luo_file_freeze", FILE, {
    boot: "old",
    role: "session",
    args: ["session"],
    recorded: BOTH,
    deed: session("freeze"),
    phase: "freeze",
  }),
  memfdFreeze: row("memfd_luo_freeze", MEMFD, { boot: "old", role: "handler", args: ["compat", "data"] }),
  flbSerialize: row("luo_flb_serialize", "kernel/liveupdate/luo_flb.c", {
    boot: "old",
    role: "host",
    recorded: BOTH,
  }),
  restartPrepare: path("kernel_restart_prepare", REBOOT, {
    boot: "old",
    role: "reboot",
    args: ["cmd"],
    recorded: BOTH,
  }),
  deviceShutdown: path("device_shutdown", "drivers/base/core.c", { boot: "old", role: "reboot", recorded: BOTH }),
  pciShutdown: path("pci_device_shutdown", "drivers/pci/pci-driver.c", {
    boot: "old",
    role: "device",
    args: ["dev"],
    recorded: BOTH,
    key: false,
  }),
  platformShutdown: path("platform_shutdown", "drivers/base/platform.c", { boot: "old", role: "device", key: false }),
  migrateCpu: path("migrate_to_reboot_cpu", REBOOT, { boot: "old", role: "reboot", recorded: BOTH }),
  syscoreShutdown: path("syscore_shutdown", "drivers/base/syscore.c", {
    boot: "old",
    role: "reboot",
    recorded: BOTH,
  }),
  machineShutdown: path("machine_shutdown", "arch/*/kernel/reboot.c", { boot: "old", role: "reboot" }),
  nativeMachineShutdown: path("native_machine_shutdown", "arch/x86/kernel/reboot.c", {
    boot: "old",
    role: "reboot",
    recorded: BOTH,
  }),
  stopOtherCpus: path("native_stop_other_cpus", "arch/x86/kernel/smp.c", {
    boot: "old",
    role: "reboot",
    recorded: BOTH,
    key: false,
  }),
  machineKexec: path("machine_kexec", "arch/*/kernel/machine_kexec*.c", {
    boot: "old",
    role: "reboot",
    returns: "never",
    recorded: BOTH,
  }),
  /** A trace event (notifier:notifier_run), which marks a callback's begin and nothing else. */
  notifierRun: path("notifier_run", "kernel/notifier.c", { boot: "old", role: "reboot", key: false }),
  populateRootfs: path("populate_rootfs", "init/initramfs.c", {
    boot: "new",
    role: "boot",
    recorded: GRAPH,
    key: false,
  }),
  unpackInitramfs: path("do_populate_rootfs", "init/initramfs.c", {
    boot: "new",
    role: "boot",
    recorded: GRAPH,
    key: false,
  }),
  pciProbe: path("pci_device_probe", "drivers/pci/pci-driver.c", {
    boot: "new",
    role: "device",
    recorded: GRAPH,
    key: false,
  }),
  asyncWait: wait("async_synchronize_full", "kernel/async.c", GRAPH),
  asyncDomainWait: wait("async_synchronize_full_domain", "kernel/async.c"),
  asyncCookieWait: wait("async_synchronize_cookie_domain", "kernel/async.c"),
  probeWait: wait("wait_for_device_probe", "drivers/base/dd.c", GRAPH),
  initramfsWait: wait("wait_for_initramfs", "init/initramfs.c", GRAPH),
  completionWait: wait("wait_for_completion", "kernel/sched/completion.c"),
  workWait: wait("flush_work", "kernel/workqueue.c"),
  virtioProbe: path("virtio_dev_probe", "drivers/virtio/virtio.c", {
    boot: "new",
    role: "device",
    recorded: GRAPH,
    key: false,
  }),
  open: row("luo_open", CORE, { boot: "new", role: "open", recorded: BOTH }),
  sessionDeserialize: row("luo_session_deserialize", SESSION, { boot: "new", role: "host", recorded: BOTH }),
  sessionRetrieve: row("luo_session_retrieve", SESSION, {
    boot: "new",
    role: "session",
    args: ["session"],
    recorded: BOTH,
    deed: session("retrieve"),
    phase: "restore",
  }),
  retrieveFile: row("luo_retrieve_file", FILE, {
    boot: "new",
    role: "file",
    args: ["session", "token"],
    recorded: BOTH,
    deed: file("retrieve"),
    phase: "restore",
  }),
  memfdRetrieve: row("memfd_luo_retrieve", MEMFD, { boot: "new", role: "handler", args: ["compat", "data"] }),
  /** The ioctl's; it encloses `luo_file_finish`, whose calls also come from closing a session's fd. */
  sessionFinish: row("luo_session_finish", SESSION, {
    boot: "new",
    role: "session",
    args: ["session"],
    recorded: PROBE,
    deed: session("finish"),
  }),
  fileFinish: row("luo_file_finish", FILE, {
    boot: "new",
    role: "session",
    returns: "nothing",
    args: ["session"],
    recorded: BOTH,
    deed: session("finish"),
    phase: "finish",
  }),
  statePrepare: state("luo_prepare", "old", "prepare"),
  stateFreeze: state("luo_freeze", "old", "freeze"),
  stateFinish: state("luo_finish", "new", "finish"),
  stateCancel: state("luo_cancel", "old"),
  subsystemsPrepare: subsystems("luo_do_subsystems_prepare_calls", "old"),
  subsystemsFreeze: subsystems("luo_do_subsystems_freeze_calls", "old"),
  subsystemsFinish: subsystems("luo_do_subsystems_finish_calls", "new"),
  subsystemsCancel: subsystems("luo_do_subsystems_cancel_calls", "old"),
  onePrepare: row("luo_files_prepare_one", "kernel/liveupdate/luo_files.c", {
    boot: "old",
    role: "state",
    kernels: "states",
    deed: file("prepare"),
    phase: "prepare",
  }),
  oneFreeze: row("luo_files_freeze_one", "kernel/liveupdate/luo_files.c", {
    boot: "old",
    role: "state",
    kernels: "states",
    deed: file("freeze"),
    phase: "freeze",
  }),
  oneFinish: row("luo_files_finish_one", "kernel/liveupdate/luo_files.c", {
    boot: "new",
    role: "state",
    kernels: "states",
    deed: file("finish"),
    phase: "finish",
  }),
  oneCancel: row("luo_files_cancel_one", "kernel/liveupdate/luo_files.c", {
    boot: "old",
    role: "state",
    kernels: "states",
    key: false,
    deed: file("cancel"),
  }),
} as const satisfies Readonly<Record<string, KernelFunction>>;

/** A callback of file handlers, behind the handler's own prefix: `memfd_luo` has `memfd_luo_preserve`. */
export interface HandlerCallback extends Pick<KernelFunction, "boot" | "returns" | "args"> {
  readonly suffix: string;
}

/**
 * The callbacks that the recorder arms of each file handler that the kernel has, whatever its name: struct
 * liveupdate_file_ops, include/linux/liveupdate.h. All take a struct liveupdate_file_op_args; `freeze` is optional.
 */
export const HANDLER_CALLBACKS: readonly HandlerCallback[] = [
  { suffix: "preserve", boot: "old", returns: "status", args: ["compat"] },
  { suffix: "freeze", boot: "old", returns: "status", args: ["compat", "data"] },
  { suffix: "retrieve", boot: "new", returns: "status", args: ["compat", "data"] },
  { suffix: "finish", boot: "new", returns: "nothing", args: ["compat"] },
];

export const ALL_FUNCTIONS: readonly KernelFunction[] = Object.values(FUNCTIONS);

const BY_NAME: ReadonlyMap<string, KernelFunction> = new Map(ALL_FUNCTIONS.map((each) => [each.name, each]));

/** The row of a function; null for one that the tool does not name. */
export function functionRow(name: string): KernelFunction | null {
  return BY_NAME.get(name) ?? null;
}

/** Names of the functions whose calls and returns a boundary, a session or an outcome may rest on. */
export const KEY_FUNCTIONS: ReadonlySet<string> = new Set(
  ALL_FUNCTIONS.filter(({ key }) => key).map(({ name }) => name),
);

/** Tokens are 64-bit numbers; probes and marks spell them alike once in lower-case hexadecimal. */
export function tokenText(value: unknown): string | null {
  if (typeof value === "number" && Number.isSafeInteger(value) && value >= 0) return `0x${value.toString(16)}`;
  if (typeof value === "bigint") return `0x${value.toString(16)}`;
  if (typeof value !== "string") return null;
  if (/^0x[0-9a-f]+$/i.test(value))
    return `0x${value
      .slice(2)
      .toLowerCase()
      .replace(/^0+(?=.)/, "")}`;
  return /^\d+$/.test(value) ? `0x${BigInt(value).toString(16)}` : null;
}

/** LINUX_REBOOT_CMD_KEXEC, include/uapi/linux/reboot.h. */
export const REBOOT_CMD_KEXEC = 0x45584543;
/** The device that agents open, exclusively (kernel/liveupdate/luo_core.c). */
export const LIVEUPDATE_DEVICE = "/dev/liveupdate";

/**
 * `sessions`: merged, Linux 6.19 and later. `states`: the 2025 series up to v3, one state for the whole host and no
 * sessions. `states-and-sessions`: its v4, which had both. One ioctl number means different things in each.
 */
export type LuoDialect = "sessions" | "states" | "states-and-sessions";

export interface LuoIoctl {
  readonly name: string;
  readonly kind: "session" | "file" | null;
  readonly action: string;
}

const ioctl = (name: string, kind: LuoIoctl["kind"] = null, action = ""): LuoIoctl => ({ name, kind, action });

/** Names that more than one place asks for; a dialect that lacks one has no number for it. */
export const IOCTL = {
  createSession: "LIVEUPDATE_IOCTL_CREATE_SESSION",
  retrieveSession: "LIVEUPDATE_IOCTL_RETRIEVE_SESSION",
  setEvent: "LIVEUPDATE_IOCTL_SET_EVENT",
  preserveFd: ["LIVEUPDATE_SESSION_PRESERVE_FD", "LIVEUPDATE_IOCTL_FD_PRESERVE"],
  retrieveFd: ["LIVEUPDATE_SESSION_RETRIEVE_FD", "LIVEUPDATE_SESSION_RESTORE_FD", "LIVEUPDATE_IOCTL_FD_RESTORE"],
  finish: "LIVEUPDATE_SESSION_FINISH",
} as const;

/** The commands of each dialect by number, _IO(0xBA, nr): include/uapi/linux/liveupdate.h of the three. */
export const LUO_IOCTLS: Readonly<Record<LuoDialect, ReadonlyMap<number, LuoIoctl>>> = {
  sessions: new Map([
    [0xba00, ioctl(IOCTL.createSession, "session", "create")],
    [0xba01, ioctl(IOCTL.retrieveSession, "session", "retrieve")],
    [0xba40, ioctl(IOCTL.preserveFd[0], "file", "preserve")],
    [0xba41, ioctl(IOCTL.retrieveFd[0], "file", "retrieve")],
    [0xba42, ioctl(IOCTL.finish, "session", "finish")],
    // 7.x; absent in 6.19. The series of 2025 had another command of this number.
    [0xba43, ioctl("LIVEUPDATE_SESSION_GET_NAME")],
  ]),
  states: new Map([
    [0xba00, ioctl(IOCTL.preserveFd[1], "file", "preserve")],
    [0xba01, ioctl("LIVEUPDATE_IOCTL_FD_UNPRESERVE", "file", "unpreserve")],
    [0xba02, ioctl(IOCTL.retrieveFd[2], "file", "retrieve")],
    [0xba03, ioctl("LIVEUPDATE_IOCTL_GET_STATE")],
    [0xba04, ioctl(IOCTL.setEvent)],
    [0xba05, ioctl("LIVEUPDATE_IOCTL_GET_FD_STATE")],
    [0xba06, ioctl("LIVEUPDATE_IOCTL_SET_FD_EVENT")],
  ]),
  "states-and-sessions": new Map([
    [0xba00, ioctl("LIVEUPDATE_IOCTL_GET_STATE")],
    [0xba01, ioctl(IOCTL.setEvent)],
    [0xba02, ioctl(IOCTL.createSession, "session", "create")],
    [0xba03, ioctl(IOCTL.retrieveSession, "session", "retrieve")],
    [0xba40, ioctl(IOCTL.preserveFd[0], "file", "preserve")],
    [0xba41, ioctl("LIVEUPDATE_SESSION_UNPRESERVE_FD", "file", "unpreserve")],
    [0xba42, ioctl(IOCTL.retrieveFd[1], "file", "retrieve")],
    [0xba43, ioctl("LIVEUPDATE_SESSION_GET_STATE")],
    [0xba44, ioctl("LIVEUPDATE_SESSION_SET_EVENT")],
  ]),
};

const IOCTL_NUMBERS = Object.values(LUO_IOCTLS).flatMap((dialect) => [...dialect.keys()]);
/** The lowest and the highest number of any dialect: the recorder records all between, and so does the collector. */
export const LUO_IOCTL_RANGE = { first: Math.min(...IOCTL_NUMBERS), last: Math.max(...IOCTL_NUMBERS) } as const;
/** What only the dialects with a state machine use: the merged kernels have two commands on the device. */
export const STATE_IOCTL_RANGE = { first: 0xba02, last: 0xba06 } as const;
/** From here on, commands of a session's fd. */
export const FIRST_SESSION_IOCTL = 0xba40;

/** The number of a command in a dialect; null if it has none. */
export function ioctlNumber(dialect: LuoDialect, name: string): number | null {
  for (const [number, each] of LUO_IOCTLS[dialect]) if (each.name === name) return number;
  return null;
}
