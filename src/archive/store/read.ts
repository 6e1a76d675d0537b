/** Reads updates back from the archive: the documents that were added. */

import type { UpdateSample } from "../../model/update-sample.js";
import type { Engine } from "../engine.js";
import type { Segment, TableName } from "../format.js";
import { parquetRows } from "./parquet.js";
import { type StoredRow, sampleOfRows } from "./rows.js";
import { filesOf } from "./segments.js";

export interface ArchivedUpdate {
  readonly id: string;
  /** The capture's path in the archive, if it was kept. */
  readonly capture: string | null;
  readonly detail: string;
  readonly sample: UpdateSample;
}

/** The tables that an update is read back from. */
export const READ_BACK: readonly TableName[] = ["updates", "phases", "vms", "causes", "defects"];

/** Updates whose rows are in memory at once. */
const AT_ONCE = 5_000;

/** `where`: a condition on the table `updates`. By time, then by name, then by id. */
export async function readUpdates(
  engine: Engine,
  root: string,
  segments: readonly Segment[],
  where: string | null,
): Promise<readonly ArchivedUpdate[]> {
  const updates: ArchivedUpdate[] = [];
  for await (const some of streamUpdates(engine, root, segments, where)) updates.push(...some);
  return updates.sort(
    (a, b) =>
      (a.sample.takenAtMs ?? 0) - (b.sample.takenAtMs ?? 0) ||
      (a.sample.name < b.sample.name ? -1 : a.sample.name > b.sample.name ? 1 : a.id < b.id ? -1 : 1),
  );
}

/**
 * The same in no order, some at a time, so that memory stays bounded; without their causes, most of them, if asked
 * so.
 */
export async function* streamUpdates(
  engine: Engine,
  root: string,
  segments: readonly Segment[],
  where: string | null,
  causes: "causes" | "no-causes" = "causes",
): AsyncGenerator<readonly ArchivedUpdate[]> {
  // One segment's updates are in one file of each table: no other needs to be looked at.
  for (const batch of batches(segments)) yield* readBatch(engine, root, batch, where, causes);
}

/** Small segments together, large ones alone. */
function batches(segments: readonly Segment[]): readonly (readonly Segment[])[] {
  const all: Segment[][] = [];
  let size = AT_ONCE;
  for (const segment of segments) {
    if (size + segment.updates > AT_ONCE) {
      all.push([]);
      size = 0;
    }
    all.at(-1)?.push(segment);
    size += segment.updates;
  }
  return all;
}

async function* readBatch(
  engine: Engine,
  root: string,
  segments: readonly Segment[],
  where: string | null,
  detail: "causes" | "no-causes",
): AsyncGenerator<readonly ArchivedUpdate[]> {
  const source = (table: TableName): string | null => {
    const files = filesOf(root, segments, table);
    return files.length === 0 ? null : parquetRows(files, table);
  };
  const updates = source("updates");
  if (updates === null) return;
  const condition = where === null ? "" : ` WHERE ${where}`;
  await engine.run(
    `CREATE OR REPLACE TEMP TABLE chosen AS SELECT *, row_number() OVER (ORDER BY update_id) AS place FROM ${updates} updates${condition}`,
  );
  const [counted] = await engine.rows<{ n: number }>("SELECT count(*) AS n FROM chosen");
  for (let from = 0; from < (counted?.n ?? 0); from += AT_ONCE) {
    const some = `chosen WHERE place > ${from} AND place <= ${from + AT_ONCE}`;
    const children = async (table: TableName, order: string): Promise<ReadonlyMap<string, StoredRow[]>> => {
      const place = source(table);
      if (place === null) return new Map();
      const rows = await engine.rows<StoredRow>(
        `SELECT * FROM ${place} SEMI JOIN (SELECT update_id FROM ${some}) USING (update_id) ORDER BY update_id, ${order}`,
      );
      return grouped(rows);
    };
    const heads = await engine.rows<StoredRow>(`SELECT * FROM ${some} ORDER BY place`);
    const phases = await children("phases", "phase");
    const vms = await children("vms", "vm_no");
    const causes = detail === "causes" ? await children("causes", "cause_no, part_no") : new Map<string, StoredRow[]>();
    const defects = await children("defects", "code, severity");
    yield heads.map((update): ArchivedUpdate => {
      const id = update.update_id as string;
      const rows = {
        update,
        phases: phases.get(id) ?? [],
        vms: vms.get(id) ?? [],
        causes: causes.get(id) ?? [],
        defects: defects.get(id) ?? [],
      };
      const capture = update.capture as string | null;
      const sample = sampleOfRows(rows, `${root}#${id.slice(0, 12)}`);
      return {
        id,
        capture,
        detail: update.detail as string,
        sample: detail === "causes" ? sample : { ...sample, causes: null },
      };
    });
  }
  await engine.run("DROP TABLE IF EXISTS chosen");
}

function grouped(rows: readonly StoredRow[]): ReadonlyMap<string, StoredRow[]> {
  const groups = new Map<string, StoredRow[]>();
  for (const row of rows) {
    const id = row.update_id as string;
    const group = groups.get(id);
    if (group === undefined) groups.set(id, [row]);
    else group.push(row);
  }
  return groups;
}
