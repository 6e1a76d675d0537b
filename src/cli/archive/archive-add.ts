/** `blackout archive add`: analyses what is not analysed yet, and adds it some thousands at a time. */

import type { Detail } from "../../archive/format.js";
import { checkPartitionKey, openArchive } from "../../archive/store/archive.js";
import { publishLive } from "../../archive/upkeep/live.js";
import type { UpdateSample } from "../../model/update-sample.js";
import { type Context, exit, misused, unusable } from "../frame/command.js";
import type { CaptureOptions } from "../input/capture-options.js";
import { streamCohort } from "../workers/cohort-load.js";

export interface AddRequest {
  readonly detail: Detail;
  readonly keepCaptures: boolean;
  readonly partitionBy: readonly string[] | null;
  readonly reading: CaptureOptions;
  readonly json: boolean;
}

/** Rows that are held and committed together; 20,000 updates without causes have this many. */
const BATCH_ROWS = 400_000;
/** Rows of an update beside its causes. */
const ROWS_OF_UPDATE = 16;
/** Who adds captures sees the first of them after this many, not after all. */
const BATCH_CAPTURES = 50;

export async function addToArchive(
  context: Context,
  path: string,
  what: readonly string[],
  request: AddRequest,
): Promise<number> {
  const { detail, keepCaptures, partitionBy, reading } = request;
  const problem = partitionBy?.map(checkPartitionKey).find((each) => each !== null);
  if (problem !== undefined && problem !== null) return misused(context, `--partition-by: ${problem}`);
  const archive = await openArchive(path, partitionBy === null ? {} : { partitionBy });
  if (partitionBy !== null && archive.manifest.partitionBy.join() !== partitionBy.join()) {
    return misused(context, `--partition-by: ${path} is divided by ${archive.manifest.partitionBy.join(",")} for good`);
  }
  let added = 0;
  let already = 0;
  let failed = 0;
  let samples: UpdateSample[] = [];
  let captures = new Map<UpdateSample, string>();
  let rows = 0;
  const flush = async (): Promise<void> => {
    if (samples.length === 0) return;
    const result = await archive.add(samples, { detail, captures });
    added += result.added.length;
    already += result.already.length;
    failed += result.refused.length;
    for (const { source, reason } of result.refused) unusable(context, `${source}: ${reason}`);
    if (request.json) for (const id of result.added) context.stdout.write(`${JSON.stringify({ added: id })}\n`);
    samples = [];
    captures = new Map();
    rows = 0;
  };
  try {
    for (const argument of what) {
      for await (const item of streamCohort(context, argument, reading)) {
        if (item.kind !== "update") {
          failed += 1;
          unusable(context, item.reason);
          continue;
        }
        samples.push(item.update);
        if (keepCaptures && item.capture !== null) captures.set(item.update, item.capture);
        rows += ROWS_OF_UPDATE + (detail === "causes" ? (item.update.causes?.length ?? 0) : 0);
        if (item.capture !== null) rows += BATCH_ROWS / BATCH_CAPTURES;
        if (rows >= BATCH_ROWS) await flush();
      }
    }
    await flush();
    if (added > 0) await publishLive(await archive.engine(), archive.root, await archive.snapshot());
  } finally {
    archive.close();
  }
  if (!request.json) {
    const known = already === 0 ? "" : `, ${already} ${already === 1 ? "was" : "were"} there already`;
    context.stdout.write(`${path}: ${added} ${added === 1 ? "update" : "updates"} added${known}\n`);
  }
  return failed > 0 ? exit.unusableInput : exit.success;
}
