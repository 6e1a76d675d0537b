/** `blackout archive list` and `show`: what an archive holds. */

import { sqlText } from "../../archive/engine.js";
import { conditionOf } from "../../archive/query/condition.js";
import { type Archive, openArchive } from "../../archive/store/archive.js";
import type { ArchivedUpdate } from "../../archive/store/read.js";
import { formatDuration } from "../../base/text/format.js";
import { documentOfSample } from "../../model/update-sample.js";
import { type Context, unusable } from "../frame/command.js";
import { type Cell, leftColumn, renderTable, rightColumn } from "../terminal/terminal-table.js";
import { reportDamage } from "./damage.js";

export interface ListRequest {
  readonly where: string | null;
  readonly limit: number | null;
  readonly json: boolean;
}

async function opened(path: string, use: (archive: Archive) => Promise<number>): Promise<number> {
  const archive = await openArchive(path);
  try {
    return await use(archive);
  } finally {
    archive.close();
  }
}

export async function listArchive(context: Context, path: string, request: ListRequest): Promise<number> {
  return await opened(path, async (archive) => {
    const all = await archive.list(request.where === null ? null : await conditionOf(archive, request.where));
    const updates = request.limit === null ? all : all.slice(-request.limit);
    if (request.json) for (const update of updates) context.stdout.write(`${JSON.stringify(line(update))}\n`);
    else context.stdout.write(listText(context, updates));
    return reportDamage(context, archive);
  });
}

/** An update's document with what the archive knows beside it. */
function line({ id, detail, capture, sample }: ArchivedUpdate): object {
  return { id, detail, capture, ...documentOfSample(sample) };
}

function listText(context: Context, updates: readonly ArchivedUpdate[]): string {
  const columns = [
    leftColumn("id"),
    leftColumn("taken (UTC)"),
    leftColumn("host", "middle"),
    leftColumn("name", "middle"),
    leftColumn("kernel", "middle"),
    leftColumn("level"),
    leftColumn("outcome"),
    rightColumn("blackout"),
  ];
  const rows = updates.map(({ id, sample }): readonly Cell[] => [
    { text: id.slice(0, 12), style: "quiet" },
    timeText(sample.takenAtMs),
    sample.host ?? "-",
    sample.name,
    `${sample.kernel.old ?? "?"} → ${sample.kernel.new ?? "?"}`,
    sample.probeLevel ?? "-",
    sample.outcome === "completed" ? sample.outcome : { text: sample.outcome, style: "warning" },
    sample.blackout.durationNs === null ? "-" : formatDuration(sample.blackout.durationNs),
  ]);
  const head = renderTable(columns, rows, { palette: context.colour, width: context.width, indent: 0 });
  return `${head}${updates.length} ${updates.length === 1 ? "update" : "updates"}\n`;
}

/** `2026-11-24 10:09:19` */
function timeText(ms: number | null): string {
  if (ms === null) return "-";
  const time = new Date(ms);
  return Number.isNaN(time.getTime()) ? String(ms) : time.toISOString().slice(0, 19).replace("T", " ");
}

export async function showInArchive(
  context: Context,
  path: string,
  ids: readonly string[],
  json: boolean,
): Promise<number> {
  return await opened(path, async (archive) => {
    for (const id of ids) {
      if (!/^[0-9a-f]{4,32}$/.test(id)) {
        return unusable(context, `${id}: expected an update's id, or at least its first 4 hexadecimal digits`);
      }
      const found = await archive.list(`starts_with(update_id, ${sqlText(id)})`);
      const [update] = found;
      if (update === undefined) return unusable(context, `${id}: no update of this id is in ${path}`);
      if (found.length > 1) return unusable(context, `${id}: stands for ${found.length} updates: give more digits`);
      context.stdout.write(json ? `${JSON.stringify(line(update))}\n` : `${JSON.stringify(line(update), null, 2)}\n`);
    }
    return reportDamage(context, archive);
  });
}
