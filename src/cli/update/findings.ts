import { findingsDocument } from "../../analyze/attribution/views/documents.js";
import type { Finding } from "../../analyze/findings/finding.js";
import { findings as findAll } from "../../analyze/findings/findings.js";
import { escapeControls } from "../../base/text/controls.js";
import { formatDuration } from "../../base/text/format.js";
import { type Context, defineCommand, exit, unusable } from "../frame/command.js";
import { flagOption, one } from "../frame/options.js";
import { answerFrom, headLines, noBlackout, shareText } from "../input/attributed.js";
import { captureOptions, captureOptionsOf } from "../input/capture-options.js";

function findingText(finding: Finding, totalNs: number, { colour }: Context): string {
  const [least, most] = finding.gainNs;
  const gain =
    least === most
      ? `gain ${formatDuration(most)}`
      : least === 0
        ? `gain at most ${formatDuration(most)} (${shareText(most, totalNs)} of the blackout)`
        : `gain ${formatDuration(least)} to ${formatDuration(most)}`;
  return [
    `  ${colour.accent(finding.rule)}  ${colour.strong(gain)}`,
    `    ${escapeControls(finding.title)}`,
    `    ${escapeControls(finding.advice)}`,
    `    ${colour.quiet(escapeControls(finding.source))}`,
    "",
  ].join("\n");
}

export const findingsCommand = defineCommand({
  usage: null,
  description:
    "Applies rules to the span tree and lists what they find, the largest possible gain first. Each finding states a number and the span that supports it.\nGains overlap if their spans do, so do not add them up: what-if estimates several changes together.",
  options: { json: flagOption("Print one JSON document (docs/findings.schema.json)"), ...captureOptions },
  positionals: { capture: one("Capture: a folder or an archive") },
  examples: [{ command: "blackout findings traces/plain.tar.gz", what: "Print what to fix first" }],
  exitCodes: [],
  run: (context, { options, positionals }) =>
    answerFrom(context, positionals.capture, captureOptionsOf(options), ({ update, trees }) => {
      const { document } = update;
      if (trees.blackout === null) return unusable(context, noBlackout(positionals.capture, document));
      const found = findAll({ update, root: trees.blackout });
      if (options.json) {
        context.stdout.write(`${JSON.stringify(findingsDocument(document, found))}\n`);
        return exit.success;
      }
      const total = trees.blackout.durationNs;
      const body =
        found.length === 0
          ? "  Nothing stands out.\n"
          : found.map((finding) => findingText(finding, total, context)).join("\n");
      context.stdout.write(`${headLines(document, context)}\n${body}`);
      return exit.success;
    }),
});
