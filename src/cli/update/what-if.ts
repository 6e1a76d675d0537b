import type { TreeNode } from "../../analyze/attribution/tree.js";
import { whatIfDocument } from "../../analyze/attribution/views/documents.js";
import { nearestSelector, parseSelector, type Selector } from "../../analyze/attribution/views/selector.js";
import { type AssumedCost, whatIf as whatIfOf } from "../../analyze/attribution/views/what-if.js";
import { err, ok, type Result } from "../../base/result.js";
import { formatDuration } from "../../base/text/format.js";
import type { WhatIf } from "../../model/documents/attribution.js";
import { type Context, defineCommand, exit, misused, unusable } from "../frame/command.js";
import { flagOption, one, repeated, textOption } from "../frame/options.js";
import { parseDuration } from "../frame/options-duration.js";
import { answerFrom, headLines, noBlackout, shareText } from "../input/attributed.js";
import { captureOptions, captureOptionsOf } from "../input/capture-options.js";
import { type Cell, leftColumn, renderTable, rightColumn } from "../terminal/terminal-table.js";

/** `SELECTOR=VALUE`: 0, a share (`50%`), or a duration (`10ms`) for each span. */
export function parseChange(given: string): Result<AssumedCost, string> {
  const equals = given.lastIndexOf("=");
  if (equals <= 0) return err(`--set ${given}: SELECTOR=VALUE was expected, like device:e1000=0`);
  const selector = parseSelector(given.slice(0, equals));
  if (!selector.ok) return err(`--set ${given}: ${selector.error}`);
  const value = given.slice(equals + 1);
  const share = /^(\d{1,5}(?:\.\d{1,6})?)%$/.exec(value);
  if (share !== null) return ok({ selector: selector.value, cost: { what: "share", share: Number(share[1]) / 100 } });
  if (value === "0") return ok({ selector: selector.value, cost: { what: "share", share: 0 } });
  const ns = parseDuration(value);
  if (ns === null || ns < 0)
    return err(`--set ${given}: '${value}' is neither 0, nor a share like 50%, nor a duration like 10ms`);
  return ok({ selector: selector.value, cost: { what: "duration", ns } });
}

function answerText(answer: WhatIf, context: Context): string {
  const rows = answer.changes.map((change): readonly Cell[] => [
    change.assumption,
    change.spans === 0
      ? { text: "selects nothing", style: "warning" }
      : `${change.spans} span${change.spans === 1 ? "" : "s"}`,
    formatDuration(change.beforeNs),
    "→",
    formatDuration(change.afterNs),
  ]);
  const columns = [
    leftColumn("if", "middle"),
    leftColumn(""),
    rightColumn("took"),
    leftColumn(""),
    rightColumn("would take"),
  ];
  const table = renderTable(columns, rows, { width: context.width, palette: context.colour, indent: 2 });
  const gain = answer.beforeNs - answer.durationNs;
  const between = `between ${formatDuration(answer.lowerNs)} and ${formatDuration(answer.upperNs)}`;
  const saves =
    gain >= 0
      ? `saves ${formatDuration(gain)}, ${shareText(gain, answer.beforeNs)}`
      : `costs ${formatDuration(-gain)} more`;
  const why = answer.bounds.map(({ what, ns, side }) => `    ${side} bound: ${what}, ${formatDuration(ns)}\n`).join("");
  return `${table}\n  The blackout would be ${context.colour.strong(formatDuration(answer.durationNs))}, ${between}: ${saves}.\n${context.colour.quiet(why)}`;
}

/** A line for each selector that matches nothing: it may be a typing error, which "0 saved" would hide. */
function nothingSelected(root: TreeNode, selectors: readonly Selector[], answer: WhatIf): string {
  return selectors
    .filter((_, i) => answer.changes[i]?.spans === 0)
    .map((selector) => `'${selector.text}' selects nothing in this blackout${didYouMeanNode(root, selector)}\n`)
    .join("");
}

function didYouMeanNode(root: TreeNode, selector: Selector): string {
  const near = nearestSelector(root, selector);
  return near === null ? "; blackout blame lists what there is" : `: did you mean ${near}?`;
}

export const whatIfCommand = defineCommand({
  usage: "[--set SELECTOR=VALUE]... [--parallel SELECTOR] CAPTURE",
  description:
    "Replays the update's chain with changed costs and prints an estimate between two bounds. A selector is KIND:NAME, in which * matches any characters: device:e1000 (driver or address), initcall:pci_*, session:*, stage:'user space'. For device, file and session, /ACTION selects one part (device:e1000/shutdown). device-shutdown and device-probe select all of them.\nVALUE is 0, a share of the recorded time (50%), or a duration for each span (10ms). --parallel runs the selected spans of each stage at the same time: the longest remains.",
  options: {
    set: repeated(textOption("SELECTOR=VALUE", "Change the time that these causes take")),
    parallel: repeated(textOption("SELECTOR", "Run these causes at the same time")),
    json: flagOption("Print one JSON document (docs/what-if.schema.json)"),
    ...captureOptions,
  },
  positionals: { capture: one("Capture: a folder or an archive") },
  examples: [
    {
      command: "blackout what-if --set device:e1000=0 traces/plain.tar.gz",
      what: "Estimate the blackout if that network card were preserved",
    },
    {
      command: "blackout what-if --set 'initcall:acpi_*=50%' --parallel device-probe traces/plain.tar.gz",
      what: "Estimate two changes together",
    },
  ],
  exitCodes: [],
  run: async (context, { options, positionals }) => {
    const set: AssumedCost[] = [];
    const parallel: Selector[] = [];
    for (const given of options.set) {
      const change = parseChange(given);
      if (!change.ok) return misused(context, change.error);
      set.push(change.value);
    }
    for (const given of options.parallel) {
      const selector = parseSelector(given);
      if (!selector.ok) return misused(context, `--parallel ${given}: ${selector.error}`);
      parallel.push(selector.value);
    }
    if (set.length + parallel.length === 0)
      return misused(context, "what-if needs an assumption: --set SELECTOR=VALUE or --parallel SELECTOR");
    return answerFrom(context, positionals.capture, captureOptionsOf(options), ({ update, trees }) => {
      const { document } = update;
      if (trees.blackout === null) return unusable(context, noBlackout(positionals.capture, document));
      const answer = whatIfOf(update, trees.blackout, { set, parallel });
      const selectors = [...set.map(({ selector }) => selector), ...parallel];
      context.stderr.write(nothingSelected(trees.blackout, selectors, answer));
      if (options.json) context.stdout.write(`${JSON.stringify(whatIfDocument(document, answer))}\n`);
      else context.stdout.write(`${headLines(document, context)}\n${answerText(answer, context)}`);
      return exit.success;
    });
  },
});
