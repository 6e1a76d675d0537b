import { expandCaptures } from "../files/capture-paths.js";
import { defineCommand, exit, unusable } from "../frame/command.js";
import { flagOption, oneOrMore } from "../frame/options.js";
import { captureOptions, captureOptionsOf } from "../input/capture-options.js";
import { analyzeCaptures } from "../input/load.js";
import { liveUpdateText } from "./analyze-text.js";

export const analyzeCommand = defineCommand({
  usage: null,
  description:
    'Reads a capture (a folder, .tar, .tar.gz or .tar.zst), puts the events of both kernels on one time axis, and finds the phases of the live update. Each phase names the events it was read from.\nTimes are relative to the begin of the blackout. A boundary that the capture does not show is reported as "not seen", with the earliest and the latest time it can have been.',
  options: {
    json: flagOption("Print one JSON document per line and capture (docs/live-update.schema.json)"),
    ...captureOptions,
  },
  positionals: { capture: oneOrMore("Captures: folders or archives, or a folder of these") },
  examples: [
    { command: "blackout analyze traces/plain.tar.gz", what: "Print the phases of one live update" },
    { command: "blackout analyze --json traces/cohorts/base/*", what: "Print ten updates, one JSON document per line" },
    {
      command: "blackout analyze --pause-mark 'vmm: paused' --resume-mark 'vmm: running' capture/",
      what: "Use the marks of another VMM",
    },
  ],
  exitCodes: [],
  run: async (context, { options, positionals }) => {
    const { updates, failures } = await analyzeCaptures(
      context,
      expandCaptures(positionals.capture),
      captureOptionsOf(options),
      ({ document }) => document,
    );
    updates.forEach((document, i) => {
      if (options.json) context.stdout.write(`${JSON.stringify(document)}\n`);
      else {
        const text = liveUpdateText(document, { palette: context.colour, width: context.width });
        context.stdout.write(`${i === 0 ? "" : "\n"}${text}`);
      }
    });
    for (const failure of failures) unusable(context, failure);
    return failures.length > 0 ? exit.unusableInput : exit.success;
  },
});
