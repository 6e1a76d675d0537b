/** The recorder is one POSIX sh file: where it is, how to run it, and how to read its doctor's output. */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { err, ok, type Result } from "../base/result.js";

export const recorderPath: string = join(import.meta.dirname, "recorder.sh");

/** The values of a capture's label `probe_level`, from the least to the most. */
export const PROBE_LEVELS = ["markers", "events", "probes", "graph"] as const;
export type ProbeLevel = (typeof PROBE_LEVELS)[number];

export interface RecorderRun {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a verb of the recorder on this host, and waits. The error is a sentence for the user. */
export function runRecorder(args: readonly string[]): Result<RecorderRun, string> {
  const run = spawnSync("sh", [recorderPath, ...args], { encoding: "utf8", maxBuffer: 16 << 20 });
  if (run.error !== undefined) return err(`The recorder cannot be run: ${run.error.message}`);
  return ok({ code: run.status ?? 3, stdout: run.stdout, stderr: run.stderr });
}

/** One thing that recording needs. `level` is the lowest that needs it; `advice` may be empty. */
export interface DoctorCheck {
  readonly status: "ok" | "note" | "fail";
  readonly code: string;
  readonly level: ProbeLevel;
  readonly found: string;
  readonly advice: string;
}

/** What `recorder.sh doctor --json` prints. `ready` is the highest level that can be recorded. */
export interface DoctorReport {
  readonly kernel: string;
  readonly level: ProbeLevel;
  readonly ready: ProbeLevel | null;
  readonly checks: readonly DoctorCheck[];
}

const isLevel = (value: unknown): value is ProbeLevel => PROBE_LEVELS.includes(value as ProbeLevel);

function isCheck(value: unknown): value is DoctorCheck {
  if (typeof value !== "object" || value === null) return false;
  const { status, code, level, found, advice } = value as Readonly<Record<string, unknown>>;
  const texts = [code, found, advice].every((text) => typeof text === "string");
  return texts && isLevel(level) && (status === "ok" || status === "note" || status === "fail");
}

/** Null if the text is not the doctor's. */
export function parseDoctorReport(text: string): DoctorReport | null {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return null;
  }
  if (typeof json !== "object" || json === null) return null;
  const { format, kernel, level, ready, checks } = json as Readonly<Record<string, unknown>>;
  if (format !== "blackout-doctor" || typeof kernel !== "string" || !isLevel(level)) return null;
  if ((ready !== null && !isLevel(ready)) || !Array.isArray(checks) || !checks.every(isCheck)) return null;
  return { kernel, level, ready, checks };
}
