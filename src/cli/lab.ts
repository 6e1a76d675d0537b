import { existsSync } from "node:fs";
import { join } from "node:path";
import { formatDuration } from "../base/format.js";
import { FAULTS, type LabResult, openLab, runLiveUpdate } from "../lab/live-update.js";
import { usableAccelerator } from "../lab/machine.js";
import { LEVELS } from "../recorder/recorder.js";
import { type Context, defineCommand, exit, misused, unusable } from "./command.js";
import { makeFolder } from "./make-folder.js";
import { choice, flag, integer, one, required, text, withDefault } from "./options.js";

const FAILED = 1;

const ended = (result: LabResult): boolean =>
  result.stopped === null &&
  result.failures.length === 0 &&
  result.leftNothing !== false &&
  (result.pages?.bad ?? 0) === 0;

function resultLine(path: string, result: LabResult, { colour }: Context): string {
  const { pages, observedNs, leftNothing, failures, stopped } = result;
  const parts = [
    observedNs === null ? "blackout not observed" : `blackout ${formatDuration(Number(observedNs))} (observer's)`,
    pages === null ? "no page came back" : `${pages.checked} pages verified, ${pages.bad} bad`,
    ...(leftNothing === false ? ["the recorder left something in tracefs"] : []),
    ...(stopped === null ? [] : [stopped === "hung" ? "it hung, and was stopped" : "stopped at the limit"]),
    ...failures,
  ];
  return `${ended(result) ? path : colour.bad(path)}  ${parts.join(", ")}\n`;
}

/** Minutes and seconds, for an estimate. */
function timeLeft(elapsedMs: number, done: number, total: number): string {
  if (done === 0) return "";
  const seconds = Math.round(((elapsedMs / done) * (total - done)) / 1000);
  return `about ${seconds < 60 ? `${seconds} s` : `${Math.ceil(seconds / 60)} min`} left`;
}

export const lab = defineCommand({
  name: "lab",
  group: "Recording",
  summary: "Make real live updates in QEMU, with a workload, an observer and faults",
  usage: "run --kernel BZIMAGE [-o DIR] [options]",
  description:
    "Starts a kernel in QEMU, arms the recorder in it, preserves memory in LUO sessions, kexecs into the next kernel, restores and verifies every page, collects and disarms. A clock outside the guest sees the pause and the resume, and each update becomes a capture in a folder of its own. Updates that are there already are not made again, so that a lab which was interrupted goes on.\nNeeds qemu-system-x86_64, a static busybox and a C compiler with a static libc. Under emulation, times are an emulated machine's: real in their structure, not in their size.\n--fault makes an update go wrong: refused (nothing is loaded, so the old kernel goes on), panic, hang (never reaches user space), kho-off and cpus (one CPU, so that the ring is rejected), each in the next kernel.",
  options: {
    kernel: required(text("BZIMAGE", "The kernel that is started; it needs LUO, KHO and tracing")),
    next: text("BZIMAGE", "The kernel that is updated to; else the same"),
    out: withDefault(text("DIR", "Where the captures go, as 001, 002, …", "o"), "lab"),
    sessions: withDefault(integer("N", { min: 1, max: 1024 }, "LUO sessions"), 2),
    files: withDefault(integer("N", { min: 1, max: 1024 }, "Memory files in each session"), 2),
    mib: withDefault(integer("N", { min: 1, max: 65536 }, "MiB of each file"), 4),
    nic: withDefault(integer("N", { min: 0, max: 24 }, "Network devices"), 1),
    level: withDefault(choice("LEVEL", LEVELS, "How much is recorded"), "events"),
    repeat: withDefault(integer("N", { min: 1, max: 10000 }, "How many updates, one after the other"), 1),
    fault: withDefault(choice("FAULT", FAULTS, "What goes wrong"), "none"),
    cpus: withDefault(integer("N", { min: 1, max: 64 }, "CPUs of the machine"), 2),
    memory: withDefault(integer("MIB", { min: 512, max: 1048576 }, "Memory of the machine"), 1024),
    accel: withDefault(choice("HOW", ["auto", "kvm", "tcg"], "KVM, emulation, or what works"), "auto"),
    limit: withDefault(integer("SECONDS", { min: 10, max: 86400 }, "After this an update is stopped"), 300),
    busybox: withDefault(text("FILE", "A static busybox for the guest"), "/bin/busybox"),
    json: flag("One JSON document a line and update"),
  },
  positionals: { verb: one("run") },
  examples: [
    { command: "blackout lab run --kernel bzImage --level probes --repeat 30 -o base", what: "A cohort of thirty" },
    { command: "blackout lab run --kernel bzImage --fault panic", what: "An update that fails" },
  ],
  exitCodes: [{ code: FAILED, meaning: "an update was not made as asked: bad pages, a time-out, something left" }],
  run: async (context, { options, positionals }) => {
    if (positionals.verb !== "run") return misused(context, `The lab can be 'run', not '${positionals.verb}'.`);
    const opened = openLab({
      ...options,
      next: options.next ?? options.kernel,
      nics: options.nic,
      memoryMib: options.memory,
      accelerator: options.accel === "auto" ? await usableAccelerator(options.kernel) : options.accel,
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
      let code: number = exit.answered;
      let made = 0;
      const startedMs = Date.now();
      for (let i = 0; i < options.repeat; i++) {
        const name = String(i + 1).padStart(3, "0");
        const to = join(options.out, name);
        if (existsSync(to)) continue;
        const left = options.repeat - i;
        progress.update(i, `${to} ${timeLeft(Date.now() - startedMs, made, made + left)}`);
        const result = await runLiveUpdate(opened.value, name, to, interrupted.signal);
        if (interrupted.signal.aborted) return unusable(context, "Interrupted; what was made is kept.");
        if (!result.ok) return unusable(context, result.error);
        made += 1;
        if (!ended(result.value) && !(options.fault === "hang" && result.value.stopped === "hung")) code = FAILED;
        const { observedNs, observedWithinNs, ...rest } = result.value;
        const number = (ns: bigint | null): number | null => (ns === null ? null : Number(ns));
        const observed = { observedNs: number(observedNs), observedWithinNs: number(observedWithinNs) };
        const document = { capture: to, ...rest, ...observed };
        context.stdout.write(options.json ? `${JSON.stringify(document)}\n` : resultLine(to, result.value, context));
      }
      return code;
    } finally {
      progress.end();
      process.removeListener("SIGINT", interrupt);
      process.removeListener("SIGTERM", interrupt);
      opened.value.close();
    }
  },
});
