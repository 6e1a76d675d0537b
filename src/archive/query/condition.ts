/** A condition that a user wrote (`--where`): it can do no more than `blackout query`. */
import type { Archive } from "../store/archive.js";
import { openForQueries, runQuery } from "./query.js";

/** Holds the ids that the condition selects, in the archive's own engine. */
const CHOSEN = "chosen_by_condition";

/**
 * A condition on `update_id` that selects what `condition`, on the table `updates`, selects now. The user's SQL runs in
 * an engine of its own, which reads the archive's files and nothing else; the archive's engine gets ids alone. Throws
 * `ArchiveError` in DuckDB's words if it is not the condition of one SELECT.
 */
export async function conditionOf(archive: Archive, condition: string): Promise<string> {
  // The line break ends a comment, which could otherwise take the parenthesis along.
  const sql = `SELECT update_id FROM updates WHERE (${condition}\n)`;
  const closed = await openForQueries(archive, sql, null);
  const ids: string[] = [];
  try {
    const { rows } = await runQuery(closed, sql);
    for await (const [id] of rows) ids.push(String(id));
  } finally {
    closed.close();
  }
  const engine = await archive.engine();
  await engine.createTable(CHOSEN, [{ name: "update_id", kind: "text", values: ids }]);
  return `update_id IN (SELECT update_id FROM ${CHOSEN})`;
}
