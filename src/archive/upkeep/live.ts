/** The list of live segments that other engines read: one Parquet file, replaced in one step. */
import { rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { type Engine, sqlText } from "../engine.js";
import { LIVE_SEGMENTS } from "../query/sql.js";
import { readSnapshot, type Snapshot } from "../store/commit-log.js";
import { makeDurableFolder, syncFile, syncFolder, temporaryName } from "../store/durable.js";

/**
 * Writes the list again, until it is that of the newest commit: of two writers that publish at the same time, the one
 * whose file is last sees the other's commit. If a writer is killed before, the list is of an older commit, but
 * complete and consistent.
 */
export async function publishLive(engine: Engine, root: string, snapshot: Snapshot): Promise<Snapshot> {
  const path = join(root, LIVE_SEGMENTS);
  await makeDurableFolder(root, dirname(path));
  for (let at = snapshot; ; ) {
    await engine.createTable("live", [
      { name: "segment", kind: "text", values: [...at.segments.keys()].sort() },
      { name: "commit_number", kind: "int", values: [...at.segments.keys()].map(() => at.number) },
    ]);
    const temporary = temporaryName(path);
    try {
      await engine.run(`COPY (SELECT * FROM live ORDER BY segment) TO ${sqlText(temporary)} (FORMAT parquet)`);
      await syncFile(temporary);
      await rename(temporary, path);
      await syncFolder(dirname(path));
    } finally {
      await rm(temporary, { force: true });
    }
    const newest = await readSnapshot(root, at);
    if (newest.number === at.number) return newest;
    at = newest;
  }
}
