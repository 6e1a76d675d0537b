import { expandCaptures } from "../files/capture-paths.js";
import { defineCommand, exit, unusable } from "../frame/command.js";
import { flag, oneOrMore } from "../frame/options.js";
import { captureOptions, captureOptionsOf } from "../input/capture-options.js";
import { analyzeCaptures } from "../input/load.js";
import { liveUpdateText } from "./analyze-text.js";

export const analyze = defineCommand({
  usage: null,
  description:
    "Reads a capture (a folder, .tar, .tar.gz or .tar.zst), puts both kernels' events on one time axis, and finds the phases of the live update, each with the event it was read from.\nTimes are relative to the blackout's begin. What the capture does not show is said to be not seen, with the earliest and latest it can have been.",
  options: {
    json: flag("One JSON document per capture, one per line (docs/live-update.schema.json)"),
    ...captureOptions,
  },
  positionals: { capture: oneOrMore("Captures: folders or archives, or a folder of these") },
  examples: [
    { command: "blackout analyze traces/plain.tar.gz", what: "The phases of one live update" },
    { command: "blackout analyze --json traces/cohorts/base/*", what: "Ten updates, one JSON document a line" },
    {
      command: "blackout analyze --pause-mark 'vmm: paused' --resume-mark 'vmm: running' capture/",
      what: "Marks as your VMM spells them",
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
