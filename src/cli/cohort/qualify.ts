import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { unlikeSentence } from "../../analyze/cohort/cohort.js";
import type { Budget } from "../../analyze/compare/budget.js";
import { qualify as judge, UNKNOWN_KERNEL } from "../../analyze/qualify/qualify.js";
import { escapeControls } from "../../base/text/controls.js";
import { formatDuration } from "../../base/text/format.js";
import { qualifyHtml } from "../../export/ci/qualify-html.js";
import { qualifyMarkdown } from "../../export/ci/qualify-markdown.js";
import { type CellStatus, type QualifyDocument, REFERENCES } from "../../model/documents/qualify.js";
import { naturalOrder } from "../files/glob.js";
import { outputProblem } from "../files/output-file.js";
import { statsOf } from "../files/path-stats.js";
import { writeAtomically } from "../files/write-atomically.js";
import { defineCommand, exit, misused, unusable } from "../frame/command.js";
import { choiceOption, flagOption, oneOrMore, repeated, textOption, withDefault } from "../frame/options.js";
import { readBudget } from "../input/budget-file.js";
import { captureOptions, captureOptionsOf } from "../input/capture-options.js";
import type { Style } from "../terminal/terminal-style.js";
import { type Cell, leftColumn, renderTable } from "../terminal/terminal-table.js";
import { wrap } from "../terminal/terminal-text.js";
import type { TextLayout } from "../update/analyze-text.js";
import { COHORT_FORMS } from "../workers/cohort-load.js";
import { loadCohorts, refuseUnlike } from "../workers/cohorts.js";
import { floorOptions, seedOption } from "./compare.js";

const FAILED = 1;
const INCOMPLETE = 4;

export const qualifyCommand = defineCommand({
  usage: null,
  description: `Sorts updates by old and new kernel into a matrix. A pair of kernels failed if an update did not complete. It regressed if a limit of --budget is exceeded or the blackout is shown to be longer than the reference's. Otherwise it passed. The false alarms of the whole matrix are limited to those of one comparison.\nAn argument is a cohort (${COHORT_FORMS}), or a folder of folders of captures.`,
  options: {
    from: repeated(textOption("KERNEL", "Include this old kernel in the matrix (default: all)")),
    to: repeated(textOption("KERNEL", "Include this new kernel in the matrix (default: all)")),
    reference: withDefault(
      choiceOption(
        "WHICH",
        REFERENCES,
        "Compare with updates of the old kernel to itself, of the new kernel to itself, or with nothing",
      ),
      "old",
    ),
    budget: textOption("FILE", "Check each pair of kernels against the limits of this budget", "b"),
    json: flagOption("Print one JSON document (docs/qualify.schema.json)"),
    html: textOption("FILE", "Also write one HTML file"),
    markdown: textOption("FILE", "Also write Markdown"),
    "require-all": flagOption("Exit with 4 if a pair of kernels is not tested"),
    ...floorOptions,
    seed: seedOption,
    force: flagOption("Judge updates although they differ, and mark every output"),
    ...captureOptions,
  },
  positionals: { cohort: oneOrMore("Cohorts, or folders of cohorts") },
  examples: [
    { command: "blackout qualify lab/matrix --html qualify.html", what: "Report all pairs that the lab has tested" },
    {
      command: "blackout qualify --from 7.2 --to 7.3 --require-all runs.jsonl",
      what: "Find out whether hosts on 7.2 can update to 7.3",
    },
  ],
  exitCodes: [
    { code: exit.success, meaning: "no tested pair of kernels failed or regressed" },
    { code: FAILED, meaning: "a pair of kernels failed or regressed" },
    { code: exit.usage, meaning: "wrong usage, or an invalid budget file" },
    { code: exit.unusableInput, meaning: "unusable input, or updates that must not be compared" },
    { code: INCOMPLETE, meaning: "a pair of kernels is not tested (with --require-all)" },
  ],
  run: async (context, { options, positionals }) => {
    const inputs = [...positionals.cohort, ...(options.budget === null ? [] : [options.budget])];
    for (const output of [options.html, options.markdown]) {
      const problem = output === null ? null : outputProblem(output, inputs);
      if (problem !== null) return misused(context, problem);
    }
    let budget: Budget | null = null;
    if (options.budget !== null) {
      const parsed = readBudget(options.budget);
      if (!parsed.ok) return misused(context, parsed.error);
      budget = parsed.value;
    }
    const loaded = await loadCohorts(context, positionals.cohort.flatMap(cohortsIn), captureOptionsOf(options));
    if (!loaded.ok) return loaded.error;
    const updates = loaded.value.cohorts.flatMap((cohort) => cohort.updates);
    const refused = refuseUnlike(context, [{ name: "the matrix", updates }], options.force);
    if (refused !== null) return refused;
    const matrix = judge(updates, {
      from: options.from,
      to: options.to,
      reference: options.reference,
      budget,
      floors: { relative: options["floor-percent"] / 100, absoluteNs: options.floor },
      seed: options.seed,
    });
    if (options.json) context.stdout.write(`${JSON.stringify(matrix)}\n`);
    else context.stdout.write(qualifyText(matrix, { palette: context.colour, width: context.width }));
    for (const [path, render] of [
      [options.html, qualifyHtml],
      [options.markdown, qualifyMarkdown],
    ] as const) {
      if (path === null) continue;
      try {
        writeAtomically(path, render(matrix));
      } catch (error) {
        return unusable(context, `${path} cannot be written: ${(error as Error).message}`);
      }
    }
    if (matrix.verdict === "failed") return FAILED;
    if (loaded.value.code !== exit.success) return loaded.value.code;
    return matrix.verdict === "incomplete" && options["require-all"] ? INCOMPLETE : exit.success;
  },
});

/** The folders in a folder that holds no capture of its own; else the argument itself. */
function cohortsIn(argument: string): readonly string[] {
  if (statsOf(argument)?.isDirectory() !== true) return [argument];
  const names = readdirSync(argument, { withFileTypes: true });
  const isCapture = existsSync(join(argument, "capture.json"));
  if (isCapture || names.some((entry) => entry.isFile() && /\.(?:tar|tgz|tar\.gz|tar\.zst)$/.test(entry.name)))
    return [argument];
  const folders = names.filter(
    (entry) => entry.isDirectory() && !existsSync(join(argument, entry.name, "capture.json")),
  );
  if (folders.length === 0) return [argument];
  return folders
    .map(({ name }) => name)
    .sort(naturalOrder)
    .map((name) => join(argument, name));
}

const STYLE: Readonly<Record<CellStatus, Style>> = {
  passed: "good",
  regressed: "warning",
  failed: "bad",
  "not-tested": "quiet",
};

function qualifyText(matrix: QualifyDocument, layout: TextLayout): string {
  const { palette, width } = layout;
  const rows = matrix.old.flatMap((old): readonly (readonly Cell[])[] => {
    const cells = matrix.new.map((fresh) => matrix.cells.find((cell) => cell.old === old && cell.new === fresh));
    return [
      [
        { text: old, style: "strong" },
        ...cells.map(
          (cell): Cell =>
            cell === undefined ? "" : { text: cell.status.replace("-", " "), style: STYLE[cell.status] },
        ),
      ],
      [
        "",
        ...cells.map(
          (cell): Cell =>
            cell === undefined || cell.blackout === null
              ? ""
              : { text: `${formatDuration(cell.blackout.medianNs)} n=${cell.updates}`, style: "quiet" },
        ),
      ],
    ];
  });
  const table = renderTable(
    [leftColumn("from \\ to"), ...matrix.new.map((fresh) => leftColumn(fresh, "middle"))],
    rows,
    { ...layout, indent: 2 },
  );
  const prose = (what: string, indent: string): string =>
    wrap(escapeControls(what), (width ?? 100) - indent.length)
      .map((line) => `${indent}${line}\n`)
      .join("");
  const style = matrix.verdict === "passed" ? "good" : matrix.verdict === "failed" ? "bad" : "warning";
  const forced = matrix.forced
    ? `${palette.bad("FORCED")}: ${prose(`unlike updates are judged together. ${matrix.unlike.map(unlikeSentence).join("; ")}.`, "")}`
    : "";
  const details = matrix.cells
    .filter(({ updates }) => updates > 0)
    .map(
      (cell) =>
        `\n  ${palette[STYLE[cell.status]](cell.status.replace("-", " "))} ${escapeControls(`${cell.old} → ${cell.new}`)}\n${cell.evidence.map((each) => prose(each, "    ")).join("")}`,
    );
  const unnamed =
    matrix.unnamed.length === 0
      ? ""
      : `\n  ${matrix.unnamed.length} updates do not name both kernels: they stand under ${UNKNOWN_KERNEL}.\n`;
  return [
    `${palette.heading("Qualification")}  ${palette[style](matrix.verdict)}\n`,
    forced,
    "\n",
    table,
    ...details,
    unnamed,
  ].join("");
}
