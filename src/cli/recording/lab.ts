import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { formatDuration } from "../../base/text/format.js";
import { type Lab, type LabResult, labelsOf, openLab, runLiveUpdate, UNUSUAL_LABELS } from "../../lab/live-update.js";
import { buildKernel } from "../../lab/machine/kernel.js";
import {
  ARM_BY,
  CARRIERS,
  FAULTS,
  LAB_LEVELS,
  type LabFault,
  type LabLevel,
  PROBE_KINDS,
  WORKLOADS,
  type Workload,
} from "../../lab/machine/lab-options.js";
import { usableAccelerator } from "../../lab/machine/machine.js";
import { makeFolder } from "../files/make-folder.js";
import { type Context, defineCommand, exit, misused, unusable } from "../frame/command.js";
import { choiceOption, flagOption, integerOption, one, textOption, withDefault } from "../frame/options.js";

const FAILED = 1;

/** Whether the update ended as its fault has it: well, refused, or so that the guest hangs. */
const asAsked = (result: LabResult, fault: LabFault): boolean =>
  (result.stopped === null || (fault === "hang" && result.stopped === "hung")) &&
  (fault !== "none" || result.pages !== null || result.selftests !== null) &&
  result.failures.length === 0 &&
  result.leftNothing !== false &&
  (result.pages?.bad ?? 0) === 0 &&
  (result.selftests ?? []).every(({ passed }) => passed);

function verified(pages: LabResult["pages"], selftests: LabResult["selftests"]): string {
  if (pages !== null) return `${pages.checked} pages verified, ${pages.bad} bad`;
  if (selftests === null) return "no page came back";
  const failed = selftests.filter(({ passed }) => !passed).map(({ name }) => name);
  const passed = `${selftests.length - failed.length} of ${selftests.length} self-tests passed`;
  return failed.length === 0 ? passed : `${passed}, not ${failed.join(", ")}`;
}

function resultLine(path: string, result: LabResult, fault: LabFault, { colour }: Context): string {
  const { pages, selftests, observedNs, leftNothing, failures, stopped, attempts } = result;
  const parts = [
    observedNs === null ? "blackout not observed" : `blackout ${formatDuration(Number(observedNs))} (observer's)`,
    verified(pages, selftests),
    ...(leftNothing === false ? ["the recorder left something in tracefs"] : []),
    ...(stopped === null ? [] : [stopped === "hung" ? "it hung, and was stopped" : "stopped at the limit"]),
    ...(attempts === 1 ? [] : [`at attempt ${attempts}`]),
    ...failures,
  ];
  return `${asAsked(result, fault) ? path : colour.bad(path)}  ${parts.join(", ")}\n`;
}

function jsonLine(path: string, { observedNs, observedWithinNs, ...rest }: LabResult): string {
  const number = (ns: bigint | null): number | null => (ns === null ? null : Number(ns));
  const observed = { observedNs: number(observedNs), observedWithinNs: number(observedWithinNs) };
  return `${JSON.stringify({ capture: path, ...rest, ...observed })}\n`;
}

interface Ways {
  readonly workload: Workload;
  readonly level: LabLevel;
  readonly fault: LabFault;
  readonly "arm-by": string;
  readonly carrier: string;
  readonly backup: boolean;
  readonly "hash-sessions": boolean;
}

/** Which option the workload cannot be combined with; null if all fit. */
function unfitFor({ workload, ...ways }: Ways): string | null {
  switch (workload) {
    case "memfd":
      return null;
    case "selftests":
      return ways.carrier === "memfd" ? "--workload selftests holds the sessions itself: no --carrier memfd." : null;
    case "systemd": {
      const usual = ways["arm-by"] === "cmdline" && ways.carrier === "folder" && !ways.backup && !ways["hash-sessions"];
      if (usual && ways.fault === "none" && ways.level !== "none") return null;
      return "--workload systemd is recorded by the recorder's units: it takes no --level none, --fault, --arm-by, --carrier, --backup or --hash-sessions.";
    }
    default:
      return workload satisfies never;
  }
}

async function makeKernel(context: Context, source: string | null, folder: string, jobs: number): Promise<number> {
  const built = await buildKernel({ source, folder, jobs }, (step) => void context.stderr.write(`${step}\n`));
  if (!built.ok) return unusable(context, built.error);
  context.stdout.write(`${built.value}\n`);
  return exit.success;
}

/** Why an existing capture does not fit this lab's cohort, which is of one kind. Null if it fits or does not exist. */
function madeOtherwise(path: string, lab: Lab): string | null {
  if (!existsSync(path)) return null;
  let found: Readonly<Record<string, unknown>> = {};
  try {
    found = JSON.parse(readFileSync(join(path, "capture.json"), "utf8")).labels ?? {};
  } catch {
    return `${path} is there, and is not a capture: give another folder with --out.`;
  }
  const wanted = labelsOf(lab);
  const other = [...Object.keys(wanted), ...UNUSUAL_LABELS].find((key) => found[key] !== wanted[key]);
  if (other === undefined) return null;
  return `${path} was made with ${other} ${found[other] ?? "unknown"}, not ${wanted[other] ?? "the usual"}: give another folder with --out.`;
}

/** Minutes and seconds, for an estimate. */
function timeLeft(elapsedMs: number, done: number, total: number): string {
  if (done === 0) return "";
  const seconds = Math.round(((elapsedMs / done) * (total - done)) / 1000);
  return `about ${seconds < 60 ? `${seconds} s` : `${Math.ceil(seconds / 60)} min`} left`;
}

export const labCommand = defineCommand({
  usage: "run --kernel BZIMAGE [options] | kernel [options]",
  description:
    "Starts a kernel in QEMU, arms the recorder, preserves memory in LUO sessions, kexecs into the next kernel, restores and verifies every page, collects and disarms. An observer outside the guest measures pause and resume. Each update becomes a capture in its own folder. Existing updates are kept, so an interrupted run can be continued.\nNeeds qemu-system-x86_64, a static busybox and a C compiler with a static libc. Emulated times have a real structure, but not a real size.\n--fault makes an update fail. In the old kernel: refused (a file's freeze fails), not-loaded (there is no next kernel) and agent-killed (an agent dies with its session). In the next kernel: abi (it finds what was handed over incompatible), retrieve (a file's retrieve fails), panic, hang (never reaches user space), kho-off, and cpus (one CPU, so that the ring is rejected).\n--workload selftests runs the kernel's LUO selftests across a kexec. --workload systemd boots a root file system of your own with the recorder's units: a service puts sessions and memory into systemd's file descriptor store, `kexec -s` loads the next kernel, and `systemctl kexec` performs the update.\n`lab kernel` builds a kernel from Debian's source (linux-source-7.3) as DIR/bzImage, and the selftests in DIR/selftests.",
  options: {
    kernel: textOption("BZIMAGE", "Start this kernel; it needs LUO, KHO and tracing"),
    next: textOption("BZIMAGE", "Update to this kernel (default: the same)"),
    out: withDefault(textOption("DIR", "Write captures to this folder, as 001, 002, …", "o"), "lab"),
    workload: withDefault(choiceOption("WHO", WORKLOADS, "Preserve memory with this workload (see above)"), "memfd"),
    selftests: textOption("DIR", "With --workload selftests: the built LUO selftests; `lab kernel` builds them"),
    rootfs: textOption("DIR", "With --workload systemd: a root file system with systemd 261 or later"),
    sessions: withDefault(integerOption("N", { min: 1, max: 1024 }, "Number of LUO sessions"), 2),
    files: withDefault(integerOption("N", { min: 1, max: 1024 }, "Number of memory files in each session"), 2),
    mib: withDefault(integerOption("N", { min: 1, max: 65536 }, "Size of each file in MiB"), 4),
    nic: withDefault(integerOption("N", { min: 0, max: 24 }, "Number of network devices"), 1),
    level: withDefault(choiceOption("LEVEL", LAB_LEVELS, "Record at this level"), "events"),
    repeat: withDefault(integerOption("N", { min: 1, max: 10000 }, "Number of updates"), 1),
    jobs: withDefault(
      integerOption("N", { min: 1, max: 64 }, "Number of updates at a time; they slow each other down"),
      1,
    ),
    fault: withDefault(choiceOption("FAULT", FAULTS, "Make the update fail in this way (see above)"), "none"),
    cmdline: withDefault(textOption("WORDS", "Add these words to both kernels' command lines"), ""),
    "arm-by": withDefault(
      choiceOption("HOW", ARM_BY, "Pass the recorder's settings to the next kernel in this way"),
      "cmdline",
    ),
    carrier: withDefault(
      choiceOption("WHAT", CARRIERS, "Carry the old kernel's files into the new one in this way"),
      "folder",
    ),
    probes: choiceOption("KIND", PROBE_KINDS, "Make probes of this kind (default: the recorder's choice)"),
    backup: flagOption("Have the next kernel copy the rings at boot and record into the first one again"),
    truth: flagOption(
      "With --accel icount: count the instructions of the seam's stages, into truth.json of each capture",
    ),
    stamp: flagOption("Stamp the kernel that is updated to, so that the seam is opened exactly"),
    "hash-sessions": flagOption("Hash the sessions' names in the captures"),
    cpus: withDefault(integerOption("N", { min: 1, max: 64 }, "Number of CPUs"), 2),
    memory: withDefault(integerOption("MIB", { min: 512, max: 1048576 }, "Memory of the machine in MiB"), 1024),
    accel: withDefault(
      choiceOption(
        "HOW",
        ["auto", "kvm", "tcg", "icount"],
        "Use KVM, emulation, or whichever works; icount: one ns per instruction",
      ),
      "auto",
    ),
    limit: withDefault(integerOption("SECONDS", { min: 10, max: 86400 }, "Stop an update after this time"), 300),
    busybox: withDefault(textOption("FILE", "Use this static busybox in the guest"), "/bin/busybox"),
    source: textOption("TAR", "With `lab kernel`: the kernel's source (default: Debian's newest under /usr/src)"),
    json: flagOption("Print one JSON document per line and update"),
  },
  positionals: { verb: one("run|kernel", ["run", "kernel"]) },
  examples: [
    {
      command: "blackout lab run --kernel bzImage --level probes --repeat 30 -o base",
      what: "Record a cohort of thirty updates",
    },
    { command: "blackout lab run --kernel bzImage --fault panic", what: "Record an update that fails" },
    {
      command: "blackout lab run --kernel bzImage --workload systemd --rootfs sid -o systemd",
      what: "Record an update performed by systemd",
    },
  ],
  exitCodes: [
    { code: FAILED, meaning: "an update did not go as requested: bad pages, a time-out, or something left behind" },
  ],
  run: async (context, { options, positionals }) => {
    if (positionals.verb === "kernel") return makeKernel(context, options.source, options.out, options.jobs);
    if (positionals.verb !== "run") {
      return misused(context, `The lab can 'run', and build a 'kernel', not '${positionals.verb}'.`);
    }
    const { kernel } = options;
    if (options.level === "none" && (options["arm-by"] !== "cmdline" || options.carrier !== "folder" || options.backup))
      return misused(context, "--level none records nothing: it takes no --arm-by, --carrier or --backup.");
    if (options.carrier === "memfd" && options.fault !== "none")
      return misused(context, "--carrier memfd: what a failed update leaves is only in a folder; it takes no --fault.");
    if (options.truth && options.accel !== "icount")
      return misused(context, "--truth counts instructions, which are time only with --accel icount.");
    const unfit = unfitFor(options);
    if (unfit !== null) return misused(context, unfit);
    if (kernel === null) return misused(context, "Give the kernel that is started: --kernel BZIMAGE.");
    const opened = openLab({
      ...options,
      kernel,
      next: options.next ?? kernel,
      nics: options.nic,
      armBy: options["arm-by"],
      hashSessions: options["hash-sessions"],
      memoryMib: options.memory,
      accelerator: options.accel === "auto" ? await usableAccelerator(kernel) : options.accel,
      limitMs: options.limit * 1000,
    });
    if (!opened.ok) return unusable(context, opened.error);
    const interrupted = new AbortController();
    const interrupt = (): void => interrupted.abort();
    process.once("SIGINT", interrupt);
    process.once("SIGTERM", interrupt);
    const progress = context.progress("Live updates", options.repeat);
    try {
      try {
        makeFolder(options.out);
      } catch (error) {
        return unusable(context, `The captures' folder cannot be made: ${(error as Error).message}.`);
      }
      const wanted = Array.from({ length: options.repeat }, (_, i) => String(i + 1).padStart(3, "0"));
      const other = wanted
        .map((name) => madeOtherwise(join(options.out, name), opened.value))
        .find((why) => why !== null);
      if (other !== undefined) return unusable(context, other);
      const queue = wanted.filter((name) => !existsSync(join(options.out, name)));
      let code: number = exit.success;
      let failure: string | null = null;
      let made = 0;
      const total = queue.length;
      const startedMs = Date.now();
      const tell = (): void => {
        const left = timeLeft(Date.now() - startedMs, made, total);
        progress.update(options.repeat - total + made, left);
      };
      const work = async (): Promise<void> => {
        for (let name = queue.shift(); name !== undefined && failure === null; name = queue.shift()) {
          tell();
          const to = join(options.out, name);
          const result = await runLiveUpdate(opened.value, name, to, interrupted.signal);
          if (interrupted.signal.aborted) return;
          if (!result.ok) {
            failure = result.error;
            return;
          }
          made += 1;
          if (!asAsked(result.value, options.fault)) code = FAILED;
          context.stdout.write(
            options.json ? jsonLine(to, result.value) : resultLine(to, result.value, options.fault, context),
          );
          tell();
        }
      };
      // Each second, so that the estimate does not stand still while an update takes its minute.
      const clock = setInterval(tell, 1_000);
      try {
        await Promise.all(Array.from({ length: options.jobs }, work));
      } finally {
        clearInterval(clock);
      }
      if (interrupted.signal.aborted) return unusable(context, "Interrupted; what was made is kept.");
      if (failure !== null) return unusable(context, failure);
      return code;
    } finally {
      progress.end();
      process.removeListener("SIGINT", interrupt);
      process.removeListener("SIGTERM", interrupt);
      opened.value.close();
    }
  },
});
