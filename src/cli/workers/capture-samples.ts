/** What statistics need of many captures, analysed by as many processes as the machine has cores for this one. */
import { availableParallelism } from "node:os";

import { sampleOfUpdate } from "../../analyze/cohort/sample-of-update.js";
import { err, ok, type Result } from "../../base/result.js";
import { nodeNameOf } from "../../collect/capture/capture.js";
import type { UpdateSample } from "../../model/update-sample.js";
import type { CaptureOptions } from "../input/capture-options.js";
import { withCapture } from "../input/load.js";
import { type WorkerOutcome, WorkerPool } from "./worker-pool.js";

/** A worker takes 0.2 s to start and to compile, which two or three captures take too: fewer are analysed here. */
const PARALLEL_FROM = 12;
/** Captures that are analysed, or wait as samples, ahead of the next one to be returned, for each worker. */
const AHEAD = 4;

/** The samples in the order of the captures; of one that cannot be used, a sentence. `jobs`: processes at once. */
export async function* captureSamples(
  paths: readonly string[],
  reading: CaptureOptions,
  jobs: number = availableParallelism(),
): AsyncGenerator<Result<UpdateSample, string>, void, undefined> {
  if (jobs < 2 || paths.length < PARALLEL_FROM) {
    for (const path of paths) {
      yield await withCapture(path, reading, ({ update, capture }) =>
        sampleOfUpdate(update, path, nodeNameOf(capture)),
      );
    }
    return;
  }
  const pool = new WorkerPool({ jobs: Math.min(jobs, paths.length), timeoutMs: null, memoryBytes: null });
  const ahead: Promise<WorkerOutcome>[] = [];
  let begun = 0;
  try {
    for (const path of paths) {
      while (begun < paths.length && ahead.length < AHEAD * jobs) {
        ahead.push(pool.run({ what: "sample", path: paths[begun] as string, reading }));
        begun += 1;
      }
      yield sampleOf(path, (await ahead.shift()) as WorkerOutcome);
    }
  } finally {
    pool.close();
  }
}

function sampleOf(path: string, outcome: WorkerOutcome): Result<UpdateSample, string> {
  switch (outcome.kind) {
    case "sample":
      return ok(outcome.sample);
    case "refused":
      return err(outcome.reason);
    case "killed":
      return err(`${path}: ${outcome.detail} [crash]\n  blackout analyze of this one capture says more.`);
    case "page":
      throw new Error("a worker returned a page instead of a sample");
  }
}
