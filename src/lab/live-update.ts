/** One real live update in QEMU: from two kernel images to a capture, whatever becomes of the update. */
import { spawnSync } from "node:child_process";
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { err, ok, type Result } from "../base/result.js";
import { stampImage } from "../recorder/image/image-stamp.js";
import { readKernelImage } from "../recorder/image/kernel-image.js";
import { runRecorder } from "../recorder/recorder.js";
import { type LabGuest, makeGuest } from "./guest/guest.js";
import { failFirstCall, type Injection } from "./machine/debugger.js";
import type { LabFault, LabOptions } from "./machine/lab-options.js";
import { runMachine } from "./machine/machine.js";
import type { Observation } from "./machine/observer.js";
import { makeTruthPlugin, readTruth, TRUTH_WORDS, type TruthPlugin } from "./truth/truth.js";

export interface LabResult {
  /** Pages that were restored, and those with wrong content; null if none was restored. */
  readonly pages: { readonly checked: number; readonly bad: number } | null;
  /** Results of Linux's own tests in the new kernel; null if none ended. */
  readonly selftests: readonly { readonly name: string; readonly passed: boolean }[] | null;
  readonly observedNs: bigint | null;
  /** ± of the observer's blackout. */
  readonly observedWithinNs: bigint | null;
  /** Whether tracefs, after `disarm`, was as before `arm`; null if the guest did not get that far. */
  readonly leftNothing: boolean | null;
  /** Recorder verbs that failed in the guest. */
  readonly failures: readonly string[];
  /** How often the guest was started: more than once if it ended before it armed the recorder. */
  readonly attempts: number;
  /** Whether the guest was stopped: after the limit, or because its new kernel hung as intended. */
  readonly stopped: "timed-out" | "hung" | null;
}

/** The parts that all updates of one lab share, made once; `close` removes them. */
export interface Lab {
  readonly options: LabOptions;
  readonly folder: string;
  readonly guest: LabGuest;
  readonly commandLine: string;
  /** Counts the stages of the seam; null if not requested. */
  readonly truth: TruthPlugin | null;
  close(): void;
}

/** Compiles the workload and packs both boots' initramfs. The error is a sentence for the user. */
export function openLab(asked: LabOptions): Result<Lab, string> {
  const options = asked.truth ? { ...asked, cmdline: `${TRUTH_WORDS} ${asked.cmdline}`.trim() } : asked;
  for (const kernel of new Set([options.kernel, options.next])) {
    if (!existsSync(kernel)) return err(`There is no kernel at ${kernel}.`);
  }
  if (!existsSync(options.busybox)) {
    return err(`There is no busybox at ${options.busybox}: on Debian, apt-get install busybox-static.`);
  }
  const folder = mkdtempSync(join(tmpdir(), "blackout-lab-"));
  const close = (): void => rmSync(folder, { recursive: true, force: true });
  const workload = join(folder, "workload");
  const sources = ["workload.c", "guest.c", "vm.c"].map((file) => join(import.meta.dirname, "guest", file));
  const compiled = spawnSync(process.env.CC ?? "gcc", ["-O2", "-static", "-o", workload, ...sources], {
    encoding: "utf8",
  });
  if (compiled.status !== 0) {
    close();
    const why = compiled.error?.message ?? compiled.stderr.trim();
    return err(`The workload cannot be compiled (a C compiler with a static libc is needed): ${why}`);
  }
  const recording = options.level === "none" ? [] : ["--level", options.level];
  // The rings are sized by the machine's CPUs.
  const cpus = join(folder, "sys/devices/system/cpu");
  mkdirSync(cpus, { recursive: true });
  writeFileSync(join(cpus, "possible"), `0-${options.cpus - 1}\n`);
  const words = runRecorder(["kernel-cmdline", "--for", "old", ...recording, "--root", folder]);
  if (!words.ok || words.value.code !== 0) {
    close();
    return err(
      words.ok ? `The recorder cannot print the kernel's command line: ${words.value.stderr.trim()}` : words.error,
    );
  }
  const next = options.stamp ? stampedCopy(options.next, folder) : ok(options.next);
  if (!next.ok) {
    close();
    return next;
  }
  const guest = makeGuest({ ...options, next: next.value }, folder, workload);
  if (!guest.ok) {
    close();
    return guest;
  }
  const truth = options.truth ? makeTruthPlugin(folder, options) : ok(null);
  if (!truth.ok) {
    close();
    return truth;
  }
  const { sessions, files, mib, level, fault, armBy, carrier, probes, backup, hashSessions, cmdline } = options;
  const same = options.kernel === options.next ? " lab.same=--same-build" : "";
  const ways = `lab.by=${armBy} lab.carrier=${carrier} lab.probes=${probes ?? ""} lab.backup=${backup ? "yes" : "no"} lab.hash=${hashSessions ? "yes" : "no"}${same}`;
  // KHO's scratch areas are for what the next kernel allocates before it has read what is preserved.
  const recorded = level === "none" ? "kho=on liveupdate=on" : words.value.stdout.trim();
  const commandLine = `console=ttyS0 panic=-1 kho_scratch=64M,128M,64M ${recorded} ${guest.value.words} lab.sessions=${sessions} lab.files=${files} lab.mib=${mib} lab.level=${level} lab.fault=${fault}${fault === "abi" ? " nokaslr" : ""} ${ways}${cmdline === "" ? "" : ` ${cmdline}`}`;
  return ok({ options, folder, guest: guest.value, commandLine, truth: truth.value, close });
}

/** The path of a stamped copy of the image in `folder`. The error is a sentence for the user. */
function stampedCopy(path: string, folder: string): Result<string, string> {
  const image = readKernelImage(readFileSync(path));
  const stamped = image.ok ? stampImage(image.value) : image;
  if (!stamped.ok) return err(`${path} cannot be stamped. ${stamped.error}`);
  const copy = join(folder, "stamped");
  writeFileSync(copy, stamped.value.bytes);
  return ok(copy);
}

/** On a machine with a load of 25, an emulated kernel crashed at 0.06 s, in common_startup_64. */
const ATTEMPTS = 3;

/**
 * Runs one update and writes its capture to `to`, which must not exist. A guest that ended before it armed the recorder
 * did not make an update: it is started again, up to three times in total.
 */
export async function runLiveUpdate(
  lab: Lab,
  name: string,
  to: string,
  signal: AbortSignal,
): Promise<Result<LabResult, string>> {
  for (let attempts = 1; ; attempts++) {
    const made = await attemptUpdate(lab, name, to, signal);
    if (made.ok) return ok({ ...made.value, attempts });
    if (!made.error.neverArmed || attempts === ATTEMPTS || signal.aborted) return err(made.error.message);
  }
}

interface Failure {
  readonly message: string;
  /** The guest ended, by itself, before it armed the recorder. */
  readonly neverArmed: boolean;
}

async function attemptUpdate(
  lab: Lab,
  name: string,
  to: string,
  signal: AbortSignal,
): Promise<Result<Omit<LabResult, "attempts">, Failure>> {
  const { options, guest } = lab;
  const share = mkdtempSync(join(lab.folder, "share-"));
  const consoleLog = `${share}.console`;
  const counted = `${share}.counted`;
  const injected = INJECTED.get(options.fault);
  const gdb = injected === undefined ? null : `${share}.gdb`;
  const ended = new AbortController();
  try {
    const laid = guest.layOut(share);
    if (!laid.ok) return err({ message: laid.error, neverArmed: false });
    const out = join(share, guest.out);
    const refusal =
      gdb === null || injected === undefined ? null : inject(injected, out, gdb, options.limitMs, ended.signal);
    const end = await runMachine({
      ...options,
      gdb,
      initrd: guest.initrd,
      commandLine: lab.commandLine,
      share,
      console: consoleLog,
      observer: `${share}.observer`,
      plugin: lab.truth?.argument(counted) ?? null,
      lastWords: options.fault === "hang" ? "root-awaited" : null,
      signal,
    });
    ended.abort();
    const refused = await refusal;
    if (end.kind === "failed") {
      return err({ message: `${end.message}.${lastWords(consoleLog)}`, neverArmed: false });
    }
    const capture = join(out, "capture");
    if (!existsSync(join(capture, "capture.json"))) {
      const salvaged = salvage(join(share, guest.state), out, capture);
      if (!salvaged.ok) {
        const neverArmed = end.kind === "powered-off";
        const why = neverArmed
          ? salvaged.error
          : "The guest was stopped before it had collected: allow more time (--limit).";
        return err({ message: `${why}${lastWords(consoleLog)}`, neverArmed });
      }
    }
    const manifest = JSON.parse(readFileSync(join(capture, "capture.json"), "utf8"));
    Object.assign(manifest, { name, labels: { ...manifest.labels, ...labelsOf(lab) } });
    writeFileSync(join(capture, "capture.json"), `${JSON.stringify(manifest, null, 1)}\n`);
    copyFileSync(consoleLog, join(capture, "console.log"));
    const observedNs = writeObserved(capture, end.observed);
    const truth = readTruth(counted);
    if (truth !== null) writeFileSync(join(capture, "truth.json"), `${JSON.stringify(truth)}\n`);
    move(capture, to);
    const stopped = end.kind === "powered-off" ? null : end.kind;
    const { failures, ...result } = readResult(out);
    return ok({
      ...result,
      failures: refused === null ? failures : [...failures, refused],
      observedNs,
      observedWithinNs: end.observed.uncertaintyNs,
      stopped,
    });
  } finally {
    ended.abort();
    rmSync(share, { recursive: true, force: true });
    rmSync(consoleLog, { force: true });
    rmSync(counted, { force: true });
  }
}

/** What is done at the function whose address the guest gives. */
type Injected = Pick<Injection, "result" | "thirdArgument">;

/**
 * Faults that QEMU's debugger makes. `refused`: the errno of VFIO's freeze (`Freeze failed! Interrupts are still
 * enabled.`). `abi`: the next kernel's fdt_node_check_compatible() answers that KHO's tree is not compatible.
 * `retrieve`: what a memfd's retrieve gives without memory.
 */
const INJECTED: ReadonlyMap<LabFault, Injected> = new Map<LabFault, Injected>([
  ["refused", { result: -16 }],
  ["abi", { result: 1, thirdArgument: "kho" }],
  ["retrieve", { result: -12 }],
]);
const LOOK_MS = 100;

/**
 * Waits until the guest reports the address of a function, sets a breakpoint there, and lets the guest continue. Null,
 * or why the fault was not made.
 */
async function inject(
  injected: Injected,
  out: string,
  gdb: string,
  limitMs: number,
  ended: AbortSignal,
): Promise<string | null> {
  const asked = join(out, "inject");
  while (!existsSync(asked)) {
    if (ended.aborted) return "the guest never requested its fault";
    await sleep(LOOK_MS);
  }
  const address = readFileSync(asked, "utf8").trim();
  if (!/^[0-9a-f]{16}$/.test(address))
    return "the guest's kernel does not show the address of the function that is to fail";
  const trap = await failFirstCall(gdb, { address: BigInt(`0x${address}`), ...injected }, limitMs);
  if (!trap.ok) return trap.error;
  writeFileSync(join(out, "inject.set"), "");
  const done = await trap.value.done;
  return done.ok ? null : done.error;
}

function lastWords(consoleLog: string): string {
  const text = existsSync(consoleLog) ? readFileSync(consoleLog, "latin1") : "";
  const lines = text.split(/\r?\n/).filter((line) => line.trim() !== "");
  return lines.length === 0 ? " Its console is empty." : ` Its console ends:\n${lines.slice(-12).join("\n")}`;
}

/** Labels only of updates that are not recorded in the usual way; older captures have no such label. */
export const UNUSUAL_LABELS = ["arm_by", "carrier", "probes", "backup", "stamp"] as const;

/** The labels of a capture of this lab, whichever kernel wrote it. */
export function labelsOf({ options, guest }: Pick<Lab, "options" | "guest">): Readonly<Record<string, string>> {
  const { level, mib, fault, nics, cpus, armBy, carrier, probes, backup, stamp } = options;
  const sizes = { mib: String(mib), nics: String(nics), cpus: String(cpus) };
  return {
    ...{ probe_level: level, workload: guest.label, ...sizes, fault },
    ...(armBy === "cmdline" ? {} : { arm_by: armBy }),
    ...(carrier === "folder" ? {} : { carrier }),
    ...(probes === null ? {} : { probes }),
    ...(backup ? { backup: "yes" } : {}),
    ...(stamp ? { stamp: "yes" } : {}),
  };
}

/** If the new kernel never collected, only the old kernel's files and the console exist. */
function salvage(state: string, out: string, capture: string): Result<void, string> {
  const saved = join(state, "old");
  if (!existsSync(saved)) {
    if (!existsSync(join(out, "unrecorded"))) return err("The guest did not get as far as arming the recorder.");
    mkdirSync(capture);
    writeFileSync(join(capture, "capture.json"), JSON.stringify({ format: "blackout-capture", version: 1, name: "" }));
    return ok(undefined);
  }
  mkdirSync(capture);
  cpSync(saved, join(capture, "old"), { recursive: true });
  const manifest = { format: "blackout-capture", version: 1, name: "", boots: { old: { files: "old" } } };
  writeFileSync(join(capture, "capture.json"), JSON.stringify(manifest));
  return ok(undefined);
}

function writeObserved(capture: string, { pausedNs, resumedNs, uncertaintyNs }: Observation): bigint | null {
  if (pausedNs === null || resumedNs === null) return null;
  const blackoutNs = resumedNs - pausedNs;
  const observed = {
    vm_paused_ns: Number(pausedNs),
    vm_resumed_ns: Number(resumedNs),
    blackout_ns: Number(blackoutNs),
    ...(uncertaintyNs === null ? {} : { uncertainty_ns: Number(uncertaintyNs) }),
  };
  writeFileSync(join(capture, "observed.json"), `${JSON.stringify(observed)}\n`);
  return blackoutNs;
}

function readResult(out: string): Pick<LabResult, "pages" | "selftests" | "leftNothing" | "failures"> {
  const read = (file: string): string | null => {
    const path = join(out, file);
    return existsSync(path) ? readFileSync(path, "utf8") : null;
  };
  const verified = /^pages=(\d+) bad=(\d+)$/m.exec(read("verified") ?? "");
  const tested = read("tested")?.matchAll(/^(\d+) (\S+)$/gm) ?? null;
  const [before, left] = [read("before"), read("left")];
  return {
    pages: verified === null ? null : { checked: Number(verified[1]), bad: Number(verified[2]) },
    selftests:
      tested === null ? null : [...tested].map(([, code, name]) => ({ name: name ?? "", passed: code === "0" })),
    leftNothing: before === null || left === null ? null : before === left,
    failures: (read("failed") ?? "").split("\n").filter((line) => line !== ""),
  };
}

/** Renames, or copies if the temporary folder is on another file system. */
function move(from: string, to: string): void {
  try {
    renameSync(from, to);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EXDEV") throw error;
    cpSync(from, to, { recursive: true });
  }
}
