/** Opens captures, collects and analyses them: what every command that answers from captures begins with. */

import { basename, dirname, resolve } from "node:path";
import { type AnchoredUpdate, analyzeUpdate } from "../../analyze/update/analyze.js";
import { shiftMap } from "../../base/clock-map.js";
import { err, ok, type Result } from "../../base/result.js";
import type { Boot } from "../../base/time.js";
import { type Capture, readCapture } from "../../collect/capture/capture.js";
import { openCaptureFiles } from "../../collect/capture/capture-files.js";
import {
  type CollectedCapture,
  collectCapture,
  type PlacedFilter,
  placedEventFeed,
  type TraceMap,
} from "../../collect/collect.js";
import type { CaptureError } from "../../collect/files/capture-error.js";
import type { CaptureFiles } from "../../collect/files/files.js";
import { captureLimits } from "../../collect/files/reader-limits.js";
import { CaptureReadError } from "../../collect/files/whole-file.js";
import type { LiveUpdate } from "../../model/live-update.js";
import { capturesIn } from "../files/capture-paths.js";
import type { Context } from "../frame/command.js";
import type { CaptureOptions } from "./capture-options.js";

/** An opened and analysed capture; only valid inside the call that is given it. */
export interface LoadedCapture {
  readonly path: string;
  readonly capture: Capture;
  readonly files: CaptureFiles;
  readonly collected: CollectedCapture;
  readonly update: AnchoredUpdate;
}

function sentence(path: string, { code, message, advice }: CaptureError): string {
  const where = message.startsWith(path) ? "" : `${path}: `;
  return `${where}${message} [${code}]\n  ${advice}`;
}

/**
 * Opens one capture, hands it to `use`, and closes it whatever happens. The error is a sentence. `below`: as of
 * `openCaptureFiles`.
 */
export async function withCapture<T>(
  path: string,
  reading: CaptureOptions,
  use: (loaded: LoadedCapture) => T | Promise<T>,
  note: (what: string) => void = () => {},
  below: string | null = null,
): Promise<Result<T, string>> {
  note("opening");
  const members = capturesIn(path);
  if (members.length > 0) {
    return err(
      `${path}: a folder of ${members.length} capture${members.length === 1 ? "" : "s"}, and one was expected\n  Give one of them, like ${members[0]}.`,
    );
  }
  const files = await openCaptureFiles(path, captureLimits(reading.limits), reading.limits, below);
  if (!files.ok) return err(sentence(path, files.error));
  try {
    const capture = readCapture(files.value);
    if (!capture.ok) return err(sentence(path, capture.error));
    const collected = collectCapture(capture.value, files.value, (_done, _total, what) => note(what));
    const update = analyzeUpdate(collected.collected, reading);
    return ok(await use({ path, capture: capture.value, files: files.value, collected, update }));
  } catch (error) {
    if (error instanceof CaptureReadError) return err(`${path}: ${error.message}. [unreadable]\n  Check the disk.`);
    throw error;
  } finally {
    files.value.close();
  }
}

/** The events of these boots once more, on the axis of the analysed update: zero is where its zero is. */
export function eventFeedOf(
  { capture, files, collected, update }: LoadedCapture,
  boots: readonly Boot[] = ["old", "new"],
  filter: PlacedFilter | null = null,
): ReturnType<typeof placedEventFeed> {
  const shifted = (boot: Boot): TraceMap | null => {
    const map = boots.includes(boot) ? collected.maps[boot] : null;
    return map === null ? null : (shiftMap(map as never, update.zeroNs[boot]) as TraceMap);
  };
  return placedEventFeed(capture, files, { old: shifted("old"), new: shifted("new") }, filter);
}

/** What `analyzeCaptures` found: the updates in the order given, and a sentence for each unusable capture. */
export interface AnalyzedCaptures<T = LiveUpdate> {
  readonly updates: readonly T[];
  /** Where each update was read from. */
  readonly paths: readonly string[];
  readonly failures: readonly string[];
}

/** All that is drawn of an update, without what it was made from. */
export const drawn = (update: AnchoredUpdate): LiveUpdate => ({ ...update });

/** Analyses captures in order and keeps what `pick` takes of each; an unusable one does not stop the rest. */
export async function analyzeCaptures<T>(
  context: Context,
  paths: readonly string[],
  reading: CaptureOptions,
  pick: (update: AnchoredUpdate) => T,
): Promise<AnalyzedCaptures<T>> {
  const updates: T[] = [];
  const read: string[] = [];
  const failures: string[] = [];
  const progress = context.progress("Analysing", paths.length);
  for (const [i, path] of paths.entries()) {
    const loaded = await withCapture(
      path,
      reading,
      ({ update }) => pick(update),
      (what) => progress.update(i, `${path}: ${what}`),
    );
    if (loaded.ok) {
      updates.push(loaded.value);
      read.push(path);
    } else failures.push(loaded.error);
  }
  progress.end();
  return { updates, paths: read, failures };
}

/**
 * Names for a list: the captures' own; if two have the same, the folder they lie in is put before. Cohorts number
 * their captures alike.
 */
export function listNames(updates: readonly LiveUpdate[], paths: readonly string[]): readonly string[] {
  const names = updates.map(({ document }) => document.capture.name);
  if (new Set(names).size === names.length) return names;
  return names.map((name, i) => `${basename(dirname(resolve(paths[i] ?? "")))}/${name}`);
}
