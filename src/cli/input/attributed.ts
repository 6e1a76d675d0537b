/** What the commands on one update's span tree have in common. */

import { buildTrees, type UpdateTrees } from "../../analyze/attribution/build.js";
import type { AnchoredUpdate } from "../../analyze/update/analyze.js";
import { escapeControls } from "../../base/text/controls.js";
import { formatDuration, formatUncertainty } from "../../base/text/format.js";
import type { LiveUpdateDocument } from "../../model/live-update.js";
import { type Context, unusable } from "../frame/command.js";
import type { CaptureOptions } from "./capture-options.js";
import { withCapture } from "./load.js";

export interface Attributed {
  readonly update: AnchoredUpdate;
  readonly trees: UpdateTrees;
}

/** Analyses and attributes one capture and answers from it; an unusable one is reported, and sets the exit code. */
export async function answerFrom(
  context: Context,
  path: string,
  reading: CaptureOptions,
  answer: (attributed: Attributed) => number,
): Promise<number> {
  const progress = context.progress("Attributing");
  const loaded = await withCapture(
    path,
    reading,
    ({ update }): Attributed => ({ update, trees: buildTrees(update) }),
    (what) => progress.update(0, what),
  );
  progress.end();
  return loaded.ok ? answer(loaded.value) : unusable(context, loaded.error);
}

/** `plain  7.3.4-luo → 7.3.4-luo  blackout 5.216 s ± 390 us`, and a line that warns if the answer rests on holes. */
export function headLines({ capture, blackout, outcome, defects }: LiveUpdateDocument, context: Context): string {
  const { old, new: fresh } = capture.kernel;
  const length =
    blackout.durationNs === null
      ? context.colour.warning("blackout not known")
      : `blackout ${context.colour.strong(formatDuration(blackout.durationNs))}${blackout.uncertaintyNs === null ? "" : ` ${formatUncertainty(blackout.uncertaintyNs)}`}`;
  const name = context.colour.heading(escapeControls(capture.name));
  const kernels = context.colour.quiet(escapeControls(`${old ?? "?"} → ${fresh ?? "?"}`));
  const failed = outcome === "completed" ? "" : `  ${context.colour.warning(outcome)}`;
  const bad = defects.filter(({ severity }) => severity !== "note").length;
  const holes =
    bad === 0
      ? ""
      : `${context.colour.warning(`${bad} defect${bad === 1 ? "" : "s"} in the capture: part of this may be missing (blackout analyze lists them).`)}\n`;
  return `${name}  ${kernels}  ${length}${failed}\n${holes}`;
}

/** Why there is no tree to answer from: a sentence for stderr. */
export function noBlackout(path: string, { clock, blackout, outcome, outcomeReason }: LiveUpdateDocument): string {
  const why =
    outcome === "failed" || outcome === "aborted"
      ? `the update ${outcome} (${outcomeReason.replace(/\.$/, "")})`
      : clock.method === "none"
        ? "no clock link joins its two kernels"
        : blackout.beginNs === null && blackout.endNs === null
          ? "neither end of its blackout was recorded"
          : blackout.beginNs === null
            ? "its blackout's begin was not recorded"
            : "its blackout's end was not recorded";
  return `${path}: ${why}, so that there is no blackout to attribute\n  blackout analyze says what is missing; blackout tree shows the phases that are known.`;
}

export const shareText = (ns: number, total: number): string =>
  total <= 0 ? "" : `${((ns / total) * 100).toFixed(1)} %`;
