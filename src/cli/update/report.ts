import { readFileSync } from "node:fs";
import { renderReportOf } from "../../export/report.js";
import { redactUpdate } from "../../report/redact.js";
import { reportIndex } from "../../report/report-index.js";
import { expandCaptures } from "../files/capture-paths.js";
import { outputProblem } from "../files/output-file.js";
import { writeAtomically } from "../files/write-atomically.js";
import { defineCommand, exit, misused, unusable } from "../frame/command.js";
import { flagOption, oneOrMore, required, textOption } from "../frame/options.js";
import { captureOptions, captureOptionsOf } from "../input/capture-options.js";
import { analyzeCaptures, drawn, listNames } from "../input/load.js";

const TEMPLATE = new URL("../../viewer/report-template.html", import.meta.url);

export const reportCommand = defineCommand({
  usage: null,
  description:
    "Writes one HTML file with the viewer and the data. It opens from disk in any current browser, makes no network requests, and can be mailed. For several captures it also shows percentiles and the series of updates.",
  options: {
    output: required(textOption("FILE", "Write the report to this file", "o")),
    unredacted: flagOption("Keep kernel addresses, command lines and the KASLR offset, which are removed by default"),
    title: textOption("TEXT", "Title of the report (default: the names of the captures)"),
    ...captureOptions,
  },
  positionals: { capture: oneOrMore("Captures: folders or archives, or a folder of these") },
  examples: [
    { command: "blackout report traces/plain.tar.gz -o out/report.html", what: "Report one live update" },
    {
      command: "blackout report traces/cohorts/base/* -o out/base.html",
      what: "Report ten updates, with their percentiles",
    },
  ],
  exitCodes: [],
  run: async (context, { options, positionals }) => {
    const captures = expandCaptures(positionals.capture);
    const problem = outputProblem(options.output, captures);
    if (problem !== null) return misused(context, problem);
    const { updates, paths, failures } = await analyzeCaptures(context, captures, captureOptionsOf(options), drawn);
    for (const failure of failures) unusable(context, failure);
    if (updates.length === 0) return exit.unusableInput;
    const names = listNames(updates, paths);
    const title = options.title ?? (names.length > 3 ? `${names[0]} and ${names.length - 1} more` : names.join(", "));
    const shown = options.unredacted ? updates : updates.map(redactUpdate);
    const html = renderReportOf(reportIndex(shown, title, names), shown, readFileSync(TEMPLATE, "utf8"));
    try {
      writeAtomically(options.output, html);
    } catch (error) {
      return unusable(context, `${options.output} cannot be written: ${(error as Error).message}`);
    }
    context.stderr.write(`${options.output}: ${html.length.toLocaleString("en")} bytes\n`);
    return failures.length > 0 ? exit.unusableInput : exit.success;
  },
});
