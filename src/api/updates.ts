/** Answers about one live update. */
import { buildTrees } from "../analyze/attribution/build.js";
import { findingsDocument } from "../analyze/attribution/views/documents.js";
import { findings } from "../analyze/findings/findings.js";
import { noBlackout } from "../cli/input/attributed.js";
import { withCapture } from "../cli/input/load.js";
import type { FindingsDocument } from "../model/documents/attribution.js";
import type { LiveUpdateDocument } from "../model/live-update.js";
import { BlackoutProblem, captureOptionsFrom, type ReadOptions } from "./problem.js";

/**
 * Analyses a capture: a folder or an archive. Resolves to what `blackout analyze --json` prints
 * (docs/live-update.schema.json); durations are in nanoseconds, null if not known.
 */
export async function analyzeCapture(path: string, options: ReadOptions = {}): Promise<LiveUpdateDocument> {
  const loaded = await withCapture(path, captureOptionsFrom(options), ({ update }) => update.document);
  if (!loaded.ok) throw new BlackoutProblem("unusable-input", loaded.error);
  return loaded.value;
}

/** What is worth fixing: what `blackout findings --json` prints (docs/findings.schema.json). */
export async function findingsOfCapture(path: string, options: ReadOptions = {}): Promise<FindingsDocument> {
  const loaded = await withCapture(path, captureOptionsFrom(options), ({ update }) => {
    const trees = buildTrees(update);
    if (trees.blackout === null) throw new BlackoutProblem("unusable-input", noBlackout(path, update.document));
    return findingsDocument(update.document, findings({ update, root: trees.blackout }));
  });
  if (!loaded.ok) throw new BlackoutProblem("unusable-input", loaded.error);
  return loaded.value;
}
