/** `blackout archive export`: updates as JSON lines or as another archive, anonymised or not; or its views' SQL. */

import { randomBytes } from "node:crypto";
import { resolve } from "node:path";
import { anonymiser } from "../../archive/anonymise.js";
import { ArchiveError } from "../../archive/format.js";
import { conditionOf } from "../../archive/query/condition.js";
import { percentilesSql, type SqlEngine, viewsSql } from "../../archive/query/sql.js";
import { openArchive } from "../../archive/store/archive.js";
import { READ_BACK, streamUpdates } from "../../archive/store/read.js";
import { publishLive } from "../../archive/upkeep/live.js";
import { documentOfSample, type UpdateSample } from "../../model/update-sample.js";
import { readBoundedBytes } from "../files/bounded-text.js";
import { type Context, exit } from "../frame/command.js";
import { reportDamage } from "./damage.js";

export interface SqlExport {
  readonly engine: SqlEngine;
  readonly location: string | null;
  readonly schema: string;
}

export async function exportSql(context: Context, path: string, request: SqlExport): Promise<number> {
  const archive = await openArchive(path);
  try {
    // The views see what the list of live segments names: as of now.
    await publishLive(await archive.engine(), archive.root, await archive.snapshot());
    const location = (request.location ?? resolve(path)).replace(/\/+$/, "");
    const views = viewsSql(request.engine, {
      location,
      partitionBy: archive.manifest.partitionBy,
      schema: request.schema,
    });
    const percentiles = percentilesSql({ by: ["kernel_new"], where: "outcome = 'completed'" });
    context.stdout.write(
      `-- Views of a blackout archive for ${request.engine}; docs/archive-format.md says what they hold.\n` +
        `${views.map((statement) => `${statement};\n`).join("")}\n` +
        `-- Percentiles by kernel, as the views' buckets have them; divide by and select what you like.\n${percentiles};\n`,
    );
    return exit.success;
  } finally {
    archive.close();
  }
}

export interface DocumentsExport {
  readonly where: string | null;
  readonly anonymise: boolean;
  /** A file that holds the key; null: a key that nobody keeps. */
  readonly keyFile: string | null;
  /** Another archive; null: lines of JSON to stdout. */
  readonly output: string | null;
}

export async function exportDocuments(context: Context, path: string, request: DocumentsExport): Promise<number> {
  const change = request.anonymise ? anonymiser(keyOf(request.keyFile)) : (sample: UpdateSample) => sample;
  const archive = await openArchive(path);
  const target =
    request.output === null ? null : await openArchive(request.output, { partitionBy: archive.manifest.partitionBy });
  let exported = 0;
  try {
    const segments = await archive.sound((await archive.snapshot()).segments.values(), READ_BACK);
    const where = request.where === null ? null : await conditionOf(archive, request.where);
    for await (const updates of streamUpdates(await archive.engine(), archive.root, segments, where)) {
      exported += updates.length;
      const samples = updates.map(({ sample }) => change(sample));
      if (target === null) {
        for (const sample of samples) context.stdout.write(`${JSON.stringify(documentOfSample(sample))}\n`);
        if (context.stdout.closed) break;
      } else await target.add(samples);
    }
    if (target !== null) {
      await publishLive(await target.engine(), target.root, await target.snapshot());
      context.stdout.write(`${request.output}: ${exported} updates exported\n`);
    }
    return reportDamage(context, archive);
  } finally {
    archive.close();
    target?.close();
  }
}

/** A short key could be tried out, and with it the names. */
const SHORTEST_KEY = 16;
const KEY_BYTES = 1 << 20;

function keyOf(file: string | null): Uint8Array {
  if (file === null) return randomBytes(32);
  const read = readBoundedBytes(file, KEY_BYTES);
  if (!read.ok) throw new ArchiveError(`${file}: ${read.error}`);
  const key = read.value;
  if (key.length < SHORTEST_KEY) {
    throw new ArchiveError(
      `${file}: has ${key.length} bytes; a key needs ${SHORTEST_KEY} or more (openssl rand 32 > ${file})`,
    );
  }
  return key;
}
