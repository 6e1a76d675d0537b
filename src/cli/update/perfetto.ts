import { attributionOf, type PerfettoCounts, writePerfetto } from "../../export/perfetto/perfetto.js";
import { packLiveUpdate } from "../../export/report.js";
import { outputProblem } from "../files/output-file.js";
import { writingAtomically } from "../files/write-atomically.js";
import { defineCommand, exit, misused, unusable } from "../frame/command.js";
import { one, required, textOption } from "../frame/options.js";
import { captureOptions, captureOptionsOf } from "../input/capture-options.js";
import { eventFeedOf, type LoadedCapture, withCapture } from "../input/load.js";

/** Writes a loaded capture as a Perfetto trace to `path`. */
function writePerfettoFile(loaded: LoadedCapture, path: string): PerfettoCounts {
  const feed = eventFeedOf(loaded);
  return writingAtomically(path, (put) =>
    writePerfetto(loaded.update, feed, put, attributionOf(loaded.update), packLiveUpdate(loaded.update)),
  );
}

export const perfettoCommand = defineCommand({
  usage: null,
  description:
    "Writes phases, blackout, seam, the span tree, the critical chain, devices and files over the kexec, sessions, the kernel log, initcalls, functions and defects as tracks; scheduling, interrupts and hotplug as CPU tracks. docs/perfetto-export.md describes each track.\nOpen the file in the Perfetto UI with Ctrl+O, or drop it there.",
  options: {
    output: required(textOption("FILE", "Write the trace to this file", "o")),
    ...captureOptions,
  },
  positionals: { capture: one("Capture: a folder or an archive") },
  examples: [
    {
      command: "blackout perfetto traces/plain.tar.gz -o out/trace.pftrace",
      what: "Write the trace of one live update",
    },
  ],
  exitCodes: [],
  run: async (context, { options, positionals }) => {
    const problem = outputProblem(options.output, [positionals.capture]);
    if (problem !== null) return misused(context, problem);
    const progress = context.progress("Writing");
    const written = await withCapture(
      positionals.capture,
      captureOptionsOf(options),
      (loaded) => writeOrSay(loaded, options.output),
      (what) => progress.update(0, what),
    );
    progress.end();
    if (!written.ok) return unusable(context, written.error);
    if (typeof written.value === "string") return unusable(context, written.value);
    const { bytes, tracks, slices, ftraceEvents } = written.value;
    const number = (value: number): string => value.toLocaleString("en");
    context.stderr.write(
      `${options.output}: ${number(bytes)} bytes, ${number(tracks)} tracks, ${number(slices)} slices, ${number(ftraceEvents)} scheduler and interrupt events\n`,
    );
    return exit.success;
  },
});

function writeOrSay(loaded: LoadedCapture, path: string): PerfettoCounts | string {
  try {
    return writePerfettoFile(loaded, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).syscall === undefined) throw error;
    return `${path} cannot be written: ${(error as Error).message}`;
  }
}
