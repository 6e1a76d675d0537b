/** `blackout archive push`: what an archive holds, as tables of a ClickHouse server. */

import { ClickhouseServer, clickhouseAddress } from "../../archive/clickhouse/clickhouse-server.js";
import { clickhouseTables } from "../../archive/clickhouse/clickhouse-tables.js";
import { pushArchive } from "../../archive/clickhouse/push.js";
import { openArchive } from "../../archive/store/archive.js";
import { type Context, exit, misused } from "../frame/command.js";

export interface PushRequest {
  readonly url: string;
  readonly cluster: string | null;
  readonly printDdl: boolean;
  readonly json: boolean;
}

/** A query that began before the views changed has ended by then, or has its parts open. */
const SETTLE_MS = 2_000;

export async function pushToClickhouse(context: Context, path: string, request: PushRequest): Promise<number> {
  const address = clickhouseAddress(request.url, context.env);
  if (!address.ok) return misused(context, address.error);
  const place = { database: address.value.database, cluster: request.cluster };
  if (request.printDdl) {
    context.stdout.write(
      clickhouseTables(place)
        .map((statement) => `${statement};\n`)
        .join("\n"),
    );
    return exit.success;
  }
  const archive = await openArchive(path);
  try {
    const server = await ClickhouseServer.open(address.value);
    const progress = context.progress(`Sending ${path}`);
    try {
      const pushed = await pushArchive(archive, server, {
        place,
        settleMs: SETTLE_MS,
        onProgress: (done, total) =>
          progress.update(total === 0 ? 0 : done, `of ${total.toLocaleString("en")} updates`),
      });
      progress.end();
      if (request.json) context.stdout.write(`${JSON.stringify(pushed)}\n`);
      else {
        const { loaded, retired, updates, commit } = pushed;
        const sent =
          loaded.segments === 0
            ? "nothing was new"
            : `${loaded.updates.toLocaleString("en")} ${loaded.updates === 1 ? "update" : "updates"} sent`;
        const gone = retired === 0 ? "" : `, ${retired} replaced ${retired === 1 ? "segment" : "segments"} deleted`;
        context.stdout.write(
          `${server.name}: ${updates.toLocaleString("en")} ${updates === 1 ? "update" : "updates"}, as of commit ${commit} of ${path} (${sent}${gone})\n`,
        );
      }
      return exit.success;
    } finally {
      progress.end();
      await server.close();
    }
  } finally {
    archive.close();
  }
}
