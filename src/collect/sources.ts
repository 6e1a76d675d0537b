/** Which files a boot's events are read from, and why not from others. */
import type { DefectInput } from "../base/defect.js";
import type { Boot } from "../base/time.js";
import { type Capture, sameBuild } from "./capture.js";
import { ftraceTextSource } from "./ftrace-text.js";
import type { CaptureFiles, EventSource } from "./types.js";

interface Sink {
  defect(input: DefectInput): void;
}

/**
 * The source of a boot's events. Pages beat text: they hold nanoseconds and the boot's own event ids. The old boot's
 * text was printed by the new kernel with its own ids and symbols, so that it counts only where both boots ran the same
 * build; otherwise no phase may rest on it, and it is a defect.
 */
export function eventSourceOf(boot: Boot, capture: Capture, files: CaptureFiles, sink: Sink): EventSource | null {
  const own = capture.boots[boot];
  const buffer = own?.buffer ?? null;
  if (own === null || buffer === null) return null;
  if (buffer.text === null) {
    sink.defect({
      code: "events-unreadable",
      severity: "error",
      file: buffer.folder,
      boot,
      message: "It holds neither text nor pages that can be decoded: this boot's events are missing.",
      advice: "Let the recorder save per_cpu/*/trace_pipe_raw, and the events' format files before the kexec.",
    });
    return null;
  }
  if (boot === "old" && !sameBuild(capture)) {
    const { old, new: fresh } = capture.boots;
    const builds = `${old?.release ?? "?"} ${old?.build ?? ""} and ${fresh?.release ?? "?"} ${fresh?.build ?? ""}`;
    sink.defect({
      code: "ring-text-foreign",
      severity: "error",
      file: buffer.text,
      boot,
      message: `The boots ran different builds (${builds}): the new kernel printed the old ring with its own event ids and symbols, so its names cannot be trusted, and no phase rests on them.`,
      advice: "Save per_cpu/*/trace_pipe_raw of the ring, and the old kernel's event formats before the kexec.",
    });
    return null;
  }
  const source = files.open(buffer.text);
  if (source === null) return null;
  return ftraceTextSource({
    boot,
    source,
    clock: buffer.clock,
    eventNames: null,
  });
}
