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
import { gzipSync } from "node:zlib";
import { err, ok, type Result } from "../base/result.js";
import { LEVELS, recorderPath, runRecorder } from "../recorder/recorder.js";
import { failFirstCall } from "./debugger.js";
import { packInitramfs } from "./initramfs.js";
import { type Accelerator, runMachine } from "./machine.js";
import type { Observation } from "./observer.js";

/** What is made to go wrong: docs/lab.md tells how each update then ends. */
export const FAULTS = ["none", "refused", "not-loaded", "panic", "hang", "kho-off", "cpus"] as const;
export type Fault = (typeof FAULTS)[number];

/** Of a kernel without a root device (wait_for_root, init/do_mounts.c). */
const HANG_LAST_WORDS = "Waiting for root device /dev/nowhere";

/** `none`: an update that nobody records, which the others' cost is measured against. */
export const LAB_LEVELS = ["none", ...LEVELS] as const;
export type LabLevel = (typeof LAB_LEVELS)[number];

/** How the next kernel is told to record. */
export const ARM_BY = ["cmdline", "bootconfig"] as const;
/** What the recorder's probes are made of. */
export const PROBE_KINDS = ["fprobe", "kprobe"] as const;
/** What brings the old kernel's files into the new one: a folder that both mount, or a memfd in a LUO session. */
export const CARRIERS = ["folder", "memfd"] as const;

export interface LabOptions {
  readonly kernel: string;
  /** The kernel that is updated to. */
  readonly next: string;
  readonly sessions: number;
  /** Of each session. */
  readonly files: number;
  /** Of each file. */
  readonly mib: number;
  readonly nics: number;
  readonly level: LabLevel;
  readonly fault: Fault;
  /** More words of both kernels' command line; empty for none. */
  readonly cmdline: string;
  readonly armBy: (typeof ARM_BY)[number];
  readonly carrier: (typeof CARRIERS)[number];
  /** Null: what the recorder takes by itself. */
  readonly probes: (typeof PROBE_KINDS)[number] | null;
  /** The next kernel copies the rings at boot, and the first of them is recorded into again before they are collected. */
  readonly backup: boolean;
  /** The capture holds hashes instead of the sessions' names. */
  readonly hashSessions: boolean;
  readonly cpus: number;
  readonly memoryMib: number;
  readonly accelerator: Accelerator;
  readonly limitMs: number;
  /** Statically linked. */
  readonly busybox: string;
}

export interface LabResult {
  /** Pages that came back, and those that did not hold what they should; null where none was restored. */
  readonly pages: { readonly checked: number; readonly bad: number } | null;
  readonly observedNs: bigint | null;
  /** Of the observer's blackout. */
  readonly observedWithinNs: bigint | null;
  /** Whether tracefs, after `disarm`, was as before `arm`; null where the guest did not get that far. */
  readonly leftNothing: boolean | null;
  /** Recorder verbs that failed in the guest. */
  readonly failures: readonly string[];
  /** How often the guest was started: more than once where it ended before it armed the recorder. */
  readonly attempts: number;
  /** Whether the guest was stopped, after the limit, or because its new kernel hung as it was to. */
  readonly stopped: "timed-out" | "hung" | null;
}

/** The parts that all updates of one lab share, made once; `close` removes them. */
export interface Lab {
  readonly options: LabOptions;
  readonly folder: string;
  readonly firstBoot: string;
  readonly commandLine: string;
  close(): void;
}

/** Compiles the workload and packs both boots' initramfs. The error is a sentence for people. */
export function openLab(options: LabOptions): Result<Lab, string> {
  for (const kernel of new Set([options.kernel, options.next])) {
    if (!existsSync(kernel)) return err(`There is no kernel at ${kernel}.`);
  }
  if (!existsSync(options.busybox)) {
    return err(`There is no busybox at ${options.busybox}: on Debian, apt-get install busybox-static.`);
  }
  const folder = mkdtempSync(join(tmpdir(), "blackout-lab-"));
  const close = (): void => rmSync(folder, { recursive: true, force: true });
  const workload = join(folder, "workload");
  const source = join(import.meta.dirname, "workload.c");
  const compiled = spawnSync(process.env.CC ?? "gcc", ["-O2", "-static", "-o", workload, source], { encoding: "utf8" });
  if (compiled.status !== 0) {
    close();
    const why = compiled.error?.message ?? compiled.stderr.trim();
    return err(`The workload cannot be compiled (a C compiler with a static libc is needed): ${why}`);
  }
  const words = runRecorder(["kernel-cmdline", "--for", "old", "--root", folder]);
  if (!words.ok || words.value.code !== 0) {
    close();
    return err(
      words.ok ? `The recorder cannot tell the kernel's command line: ${words.value.stderr.trim()}` : words.error,
    );
  }
  const userSpace = [
    { path: "bin/busybox", content: readFileSync(options.busybox), executable: true },
    { path: "workload", content: readFileSync(workload), executable: true },
    { path: "init", content: readFileSync(join(import.meta.dirname, "guest-init.sh")), executable: true },
    { path: "recorder.sh", content: readFileSync(recorderPath), executable: true },
    { path: "cmdline", content: Buffer.from(`${options.cmdline}\n`), executable: false },
  ];
  const second = gzipSync(packInitramfs(userSpace), { level: 1 });
  const first = packInitramfs([
    ...userSpace,
    { path: "next/kernel", content: readFileSync(options.next) },
    { path: "next/initrd", content: second },
  ]);
  const firstBoot = join(folder, "first.cpio");
  writeFileSync(firstBoot, first);
  const { sessions, files, mib, level, fault, armBy, carrier, probes, backup, hashSessions, cmdline } = options;
  const same = options.kernel === options.next ? " lab.same=--same-build" : "";
  const ways = `lab.by=${armBy} lab.carrier=${carrier} lab.probes=${probes ?? ""} lab.backup=${backup ? "yes" : "no"} lab.hash=${hashSessions ? "yes" : "no"}${same}`;
  // KHO's scratch areas hold what the next kernel allocates before it knows what is preserved.
  const recorded = level === "none" ? "kho=on liveupdate=on" : words.value.stdout.trim();
  const commandLine = `console=ttyS0 panic=-1 kho_scratch=64M,128M,64M ${recorded} lab.sessions=${sessions} lab.files=${files} lab.mib=${mib} lab.level=${level} lab.fault=${fault} ${ways}${cmdline === "" ? "" : ` ${cmdline}`}`;
  return ok({ options, folder, firstBoot, commandLine, close });
}

/** An emulated kernel was seen to crash at 0.06 s, in common_startup_64, on a machine with a load of 25. */
const ATTEMPTS = 3;

/**
 * Runs one update and lays its capture out at `to`, which must not exist. A guest that ended before it armed the
 * recorder is no update at all, and is started anew, three times in all.
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
  const { options } = lab;
  const share = mkdtempSync(join(lab.folder, "share-"));
  const consoleLog = `${share}.console`;
  const gdb = options.fault === "refused" ? `${share}.gdb` : null;
  const ended = new AbortController();
  try {
    const refusal = gdb === null ? null : refuseFreeze(share, gdb, options.limitMs, ended.signal);
    const end = await runMachine({
      ...options,
      gdb,
      initrd: lab.firstBoot,
      commandLine: lab.commandLine,
      share,
      console: consoleLog,
      observer: `${share}.observer`,
      lastWords: options.fault === "hang" ? HANG_LAST_WORDS : null,
      signal,
    });
    ended.abort();
    const refused = await refusal;
    if (end.kind === "failed") {
      return err({ message: `${end.message}.${lastWords(consoleLog)}`, neverArmed: false });
    }
    const capture = join(share, "capture");
    if (!existsSync(join(capture, "capture.json"))) {
      const salvaged = salvage(share, capture);
      if (!salvaged.ok) {
        const neverArmed = end.kind === "powered-off";
        const why = neverArmed
          ? salvaged.error
          : "The guest was stopped before it had collected: give more time (--limit).";
        return err({ message: `${why}${lastWords(consoleLog)}`, neverArmed });
      }
    }
    const manifest = JSON.parse(readFileSync(join(capture, "capture.json"), "utf8"));
    Object.assign(manifest, { name, labels: { ...manifest.labels, ...labelsOf(options) } });
    writeFileSync(join(capture, "capture.json"), `${JSON.stringify(manifest, null, 1)}\n`);
    copyFileSync(consoleLog, join(capture, "console.log"));
    const observedNs = writeObserved(capture, end.observed);
    move(capture, to);
    const stopped = end.kind === "powered-off" ? null : end.kind;
    const { failures, ...result } = readResult(share);
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
  }
}

/** The errno that VFIO's freeze gives (`Freeze failed! Interrupts are still enabled.`), the first that may refuse. */
const EBUSY = -16;
const LOOK_MS = 100;

/**
 * Waits until the guest tells where the freeze of a memfd begins, which never fails by itself, sets the trap there, and
 * tells the guest to go on. Null, or why the freeze was not refused.
 */
async function refuseFreeze(share: string, gdb: string, limitMs: number, ended: AbortSignal): Promise<string | null> {
  const asked = join(share, "refuse");
  while (!existsSync(asked)) {
    if (ended.aborted) return "the guest never asked for its freeze to be refused";
    await sleep(LOOK_MS);
  }
  const told = readFileSync(asked, "utf8").trim();
  if (!/^[0-9a-f]{16}$/.test(told)) return "the guest's kernel does not tell where its freeze begins";
  const trap = await failFirstCall(gdb, { address: BigInt(`0x${told}`), result: EBUSY }, limitMs);
  if (!trap.ok) return trap.error;
  writeFileSync(join(share, "refuse.set"), "");
  const done = await trap.value.done;
  return done.ok ? null : done.error;
}

function lastWords(consoleLog: string): string {
  const text = existsSync(consoleLog) ? readFileSync(consoleLog, "latin1") : "";
  const lines = text.split(/\r?\n/).filter((line) => line.trim() !== "");
  return lines.length === 0 ? " Its console is empty." : ` Its console ends:\n${lines.slice(-12).join("\n")}`;
}

/** Labels that only updates have which are not recorded in the usual way; the others were made before there was another. */
export const UNUSUAL_LABELS = ["arm_by", "carrier", "probes", "backup"] as const;

/** What a capture of this lab is labelled with, whichever kernel wrote it. */
export function labelsOf(options: LabOptions): Readonly<Record<string, string>> {
  const { level, sessions, files, mib, fault, nics, cpus, armBy, carrier, probes, backup } = options;
  const sizes = { mib: String(mib), nics: String(nics), cpus: String(cpus) };
  return {
    ...{ probe_level: level, workload: `memfd-${sessions}x${files}`, ...sizes, fault },
    ...(armBy === "cmdline" ? {} : { arm_by: armBy }),
    ...(carrier === "folder" ? {} : { carrier }),
    ...(probes === null ? {} : { probes }),
    ...(backup ? { backup: "yes" } : {}),
  };
}

/** Of a new kernel that never collected there is what the old one saved, and the console. */
function salvage(share: string, capture: string): Result<void, string> {
  const saved = join(share, "state/old");
  if (!existsSync(saved)) {
    if (!existsSync(join(share, "unrecorded"))) return err("The guest never came so far as to arm the recorder.");
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

function readResult(share: string): Pick<LabResult, "pages" | "leftNothing" | "failures"> {
  const read = (file: string): string | null => {
    const path = join(share, file);
    return existsSync(path) ? readFileSync(path, "utf8") : null;
  };
  const verified = /^pages=(\d+) bad=(\d+)$/m.exec(read("verified") ?? "");
  const [before, left] = [read("before"), read("left")];
  return {
    pages: verified === null ? null : { checked: Number(verified[1]), bad: Number(verified[2]) },
    leftNothing: before === null || left === null ? null : before === left,
    failures: (read("failed") ?? "").split("\n").filter((line) => line !== ""),
  };
}

/** Renames, or copies where the temporary folder lies on another file system. */
function move(from: string, to: string): void {
  try {
    renameSync(from, to);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EXDEV") throw error;
    cpSync(from, to, { recursive: true });
  }
}
