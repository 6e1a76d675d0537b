/**
 * What a drive has done so far, as a file beside its captures, written before each step that cannot be repeated: a
 * driver that was killed anywhere goes on from it.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { err, ok, type Result } from "../../base/result.js";
import { writeAtomically } from "../files/write-atomically.js";
import { type KernelSide, SIDES } from "./steps.js";

const STATES = ["arming", "rebooting", "collecting", "done", "failed"] as const;

/**
 * One update. `arming`: nothing is lost if it begins again. `rebooting`: the kexec may have happened. `collecting`: the
 * new kernel is up. `done` and `failed` are final.
 */
export interface DrivenUpdate {
  readonly number: number;
  readonly side: KernelSide;
  readonly state: (typeof STATES)[number];
  /** Of the kernel that was armed. */
  readonly bootId: string;
  /** Beside the journal; null until it is fetched, whole. */
  readonly capture: string | null;
  /** Why it failed; null otherwise. */
  readonly why: string | null;
}

export interface DriveJournal {
  readonly id: string;
  /** What the updates are of: a drive goes on only with the same. */
  readonly plan: Readonly<Record<string, string>>;
  readonly updates: readonly DrivenUpdate[];
}

const FORMAT = "blackout-drive";
/** No capture's name, so that commands which take the folder as a cohort ignore it. */
export const JOURNAL_NAME = "drive.json";

export function writeJournal(folder: string, journal: DriveJournal): void {
  writeAtomically(
    join(folder, JOURNAL_NAME),
    `${JSON.stringify({ format: FORMAT, version: 1, ...journal }, null, 1)}\n`,
  );
}

/** Null if the folder has no journal; the error is a sentence. */
export function readJournal(folder: string): Result<DriveJournal | null, string> {
  const path = join(folder, JOURNAL_NAME);
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "ENOENT" ? ok(null) : err(`${path}: ${(error as Error).message}`);
  }
  let json: unknown = null;
  try {
    json = JSON.parse(text);
  } catch {
    // Reported below, as any other content.
  }
  const journal = journalOf(json);
  return journal === null
    ? err(`${path}: not a journal of blackout drive; give another folder with --out, or remove it.`)
    : ok(journal);
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

function journalOf(json: unknown): DriveJournal | null {
  if (!isRecord(json) || json.format !== FORMAT || json.version !== 1) return null;
  const { id, plan, updates } = json;
  if (typeof id !== "string" || !/^[0-9a-f]{32}$/.test(id) || !isRecord(plan) || !Array.isArray(updates)) return null;
  if (!Object.values(plan).every((value) => typeof value === "string")) return null;
  const driven = updates.map(updateOf);
  if (driven.some((update, i) => update?.number !== i + 1)) return null;
  return { id, plan: plan as DriveJournal["plan"], updates: driven as readonly DrivenUpdate[] };
}

function updateOf(json: unknown): DrivenUpdate | null {
  if (!isRecord(json)) return null;
  const { number, side, state, bootId, capture, why } = json;
  const text = (value: unknown): value is string | null => value === null || typeof value === "string";
  if (!Number.isInteger(number) || !SIDES.includes(side as KernelSide) || typeof bootId !== "string") return null;
  if (!STATES.includes(state as DrivenUpdate["state"]) || !text(capture) || !text(why)) return null;
  return {
    number: number as number,
    side: side as KernelSide,
    state: state as DrivenUpdate["state"],
    bootId,
    capture,
    why,
  };
}
