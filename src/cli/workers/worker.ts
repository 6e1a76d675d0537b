/**
 * A worker: a process that analyses one capture after the other. Only the worker bears what a capture costs: its parent
 * may kill it at any time.
 */
import { sampleOfUpdate } from "../../analyze/cohort/sample-of-update.js";
import { nodeNameOf } from "../../collect/capture/capture.js";
import { packUpdate } from "../../export/report.js";
import { redactUpdate } from "../../report/redact.js";
import { reportEntry } from "../../report/report-index.js";
import { type LoadedCapture, withCapture } from "../input/load.js";
import type { WorkerAnswer, WorkerRequest } from "./worker-messages.js";

async function answer({ what, path, reading, below }: WorkerRequest): Promise<WorkerAnswer> {
  const use = ({ update, capture }: LoadedCapture): WorkerAnswer => {
    if (what === "sample") return { kind: "sample", sample: sampleOfUpdate(update, path, nodeNameOf(capture)) };
    const shown = redactUpdate(update);
    return { kind: "page", entry: reportEntry(shown), packed: packUpdate(shown) };
  };
  const loaded = await withCapture(path, reading, use, () => {}, below ?? null);
  return loaded.ok ? loaded.value : { kind: "refused", reason: loaded.error };
}

process.on("message", (request: WorkerRequest) => {
  // What it throws is a bug: it ends the process, and its last words are reported.
  void answer(request).then((found) => process.send?.(found));
});
// Without its parent there is nobody to work for.
process.on("disconnect", () => process.exit(0));
