/** `blackout archive ACTION ARCHIVE …`: each action is a function here or in a file of its own. */

import { ArchiveError, DEFAULT_PARTITION, DETAILS } from "../../archive/format.js";
import { conditionOf } from "../../archive/query/condition.js";
import { SQL_ENGINES } from "../../archive/query/sql.js";
import { type Archive, openArchive } from "../../archive/store/archive.js";
import { compactArchive, removeUpdates } from "../../archive/upkeep/compact.js";
import { verifyArchive } from "../../archive/upkeep/verify.js";
import { didYouMean } from "../../base/text/suggest.js";
import { type Context, defineCommand, exit, misused, unusable } from "../frame/command.js";
import {
  anyNumber,
  choiceOption,
  durationOption,
  flagOption,
  integerOption,
  type Option,
  one,
  textOption,
  withDefault,
} from "../frame/options.js";
import { CAPTURE_OPTION_NAMES, captureOptions, captureOptionsOf } from "../input/capture-options.js";
import { COHORT_FORMS } from "../workers/cohort-load.js";
import { addToArchive } from "./archive-add.js";
import { exportDocuments, exportSql } from "./archive-export.js";
import { listArchive, showInArchive } from "./archive-list.js";
import { pushToClickhouse } from "./archive-push.js";
import { compactText, verifyText } from "./archive-text.js";
import { reportDamage } from "./damage.js";

const options = {
  detail: withDefault(
    choiceOption("LEVEL", DETAILS, "add: keep this much of an update; summary omits its causes"),
    "causes",
  ),
  "keep-captures": flagOption("add: keep the captures in the archive, beside their updates"),
  "partition-by": textOption(
    "KEYS",
    `add, to a new archive: partition its files by these keys, separated by commas (default: ${DEFAULT_PARTITION.join(",")})`,
  ),
  where: textOption(
    "CONDITION",
    "list, export, remove: only updates matching this SQL condition, like \"kernel_new = '7.3.4'\"",
  ),
  limit: integerOption("N", { min: 1, max: 1_000_000_000 }, "list: print at most N updates, the newest"),
  quick: flagOption("verify: do not read back every document"),
  grace: withDefault(
    durationOption(
      "TIME",
      "compact: delete unused files only after this time, in which other processes may still read them",
    ),
    3_600_000_000_000,
  ),
  sql: choiceOption("ENGINE", SQL_ENGINES, "export: print the views and the percentile query for this engine"),
  location: textOption("URL", "export --sql: location of the archive for the engine, like s3://bucket/fleet"),
  schema: withDefault(textOption("NAME", "export --sql: schema of Trino or data set of BigQuery"), "hive.blackout"),
  output: textOption("FOLDER", "export: write another archive instead of JSON lines", "o"),
  anonymise: flagOption(
    "export: hash the names of hosts, captures, VMs, sessions, tasks and devices, and the values of all labels",
  ),
  key: textOption(
    "FILE",
    "export --anonymise: use this key for the hash, so that exports match (default: a random key that is not kept)",
  ),
  clickhouse: textOption(
    "URL",
    "push: to this server, like https://user@host:8443/fleet (env:NAME reads it from the environment)",
  ),
  cluster: textOption("NAME", "push: replicate and shard the tables over this cluster of the server"),
  "print-ddl": flagOption("push: print the statements that create the tables, and send nothing"),
  json: flagOption("Print one JSON document per line"),
  ...captureOptions,
};

type Action = "add" | "list" | "show" | "verify" | "compact" | "export" | "push" | "remove";

/** Which options go with which action. */
const TAKES: Readonly<Record<Action, readonly (keyof typeof options)[]>> = {
  add: ["detail", "keep-captures", "partition-by", "json", ...CAPTURE_OPTION_NAMES],
  list: ["where", "limit", "json"],
  show: ["json"],
  verify: ["quick", "json"],
  compact: ["grace", "json"],
  export: ["where", "sql", "location", "schema", "output", "anonymise", "key"],
  push: ["clickhouse", "cluster", "print-ddl", "json"],
  remove: ["where", "json"],
};
const ACTIONS = Object.keys(TAKES) as readonly Action[];

export const archiveCommand = defineCommand({
  usage: "ACTION ARCHIVE [WHAT...] [OPTIONS]",
  description: `add ARCHIVE WHAT...: adds live updates; creates the archive if it does not exist. WHAT is ${COHORT_FORMS}. An update that is already there is not added twice. Any number of processes may add at the same time, and an acknowledged update is durable (fsync).\nlist ARCHIVE: prints one line per update.\nshow ARCHIVE ID...: prints updates by their ids, or the first digits of the ids.\nverify ARCHIVE: checks that every update is present, intact and unique; exits with 1 if not.\ncompact ARCHIVE: merges small files into few large ones and deletes files that are no longer used; others may go on adding.\nexport ARCHIVE: prints updates as JSON lines, which every cohort argument and add read; with --anonymise, without names; with --sql, statements that let another engine read the files.\npush ARCHIVE --clickhouse URL: copies new updates to a ClickHouse server; it can be repeated at any time. The password is read from CLICKHOUSE_PASSWORD; docs/clickhouse.md describes the tables.\nremove ARCHIVE --where CONDITION: removes updates.\ndocs/archive-format.md describes the format. blackout query reads the archive in SQL, and every cohort argument accepts an archive, like 'fleet/?kernel=7.3.4&since=7d'.`,
  options,
  positionals: {
    action: one(`Action: ${ACTIONS.join(", ")}`, ACTIONS),
    archive: one("The archive's folder"),
    what: anyNumber("Arguments of the action"),
  },
  examples: [
    { command: "blackout archive add fleet/ traces/cohorts/base", what: "Add ten updates to a new archive" },
    {
      command: "blackout archive add fleet/ today.jsonl --detail summary",
      what: "Add analysed updates without causes",
    },
    { command: "blackout archive list fleet/ --where \"host = 'h17'\"", what: "List the updates of one host" },
    { command: "blackout archive export fleet/ --sql clickhouse", what: "Print views for another engine" },
    {
      command: "blackout archive export fleet/ --anonymise --key fleet.key -o public/",
      what: "Write an archive that can be shared",
    },
    {
      command: "blackout archive push fleet/ --clickhouse https://loader@ch.example:8443/fleet",
      what: "Copy to the tables of a server",
    },
    { command: "blackout archive verify fleet/", what: "Check the archive" },
  ],
  exitCodes: [{ code: 1, meaning: "verify: the archive is damaged" }],
  run: async (context, { options: given, positionals }) => {
    const action = ACTIONS.find((known) => known === positionals.action);
    if (action === undefined) {
      return misused(
        context,
        `archive ${positionals.action}: expected ${ACTIONS.join(", ")}${didYouMean(positionals.action, ACTIONS)}`,
      );
    }
    const foreign = (Object.keys(options) as (keyof typeof options)[]).find(
      (name) => !TAKES[action].includes(name) && isGiven(given[name], options[name]),
    );
    if (foreign !== undefined) return misused(context, `--${foreign} does not go with archive ${action}`);
    return await answering(context, async () => {
      const { archive: path, what } = positionals;
      switch (action) {
        case "add": {
          if (what.length === 0) return misused(context, "archive add: name what is to be added");
          return await addToArchive(context, path, what, {
            detail: given.detail,
            keepCaptures: given["keep-captures"],
            partitionBy: given["partition-by"]?.split(",") ?? null,
            reading: captureOptionsOf(given),
            json: given.json,
          });
        }
        case "list":
          if (what.length > 0) return misused(context, "archive list: takes the archive alone");
          return await listArchive(context, path, { where: given.where, limit: given.limit, json: given.json });
        case "show":
          if (what.length === 0) return misused(context, "archive show: name updates by their ids");
          return await showInArchive(context, path, what, given.json);
        case "verify":
          if (what.length > 0) return misused(context, "archive verify: takes the archive alone");
          return await withArchive(path, async (open) => {
            const found = await verifyArchive(open, { quick: given.quick });
            if (given.json) context.stdout.write(`${JSON.stringify(found)}\n`);
            else context.stdout.write(verifyText(path, found, context.colour));
            return found.problems.length === 0 ? exit.success : 1;
          });
        case "compact":
          if (what.length > 0) return misused(context, "archive compact: takes the archive alone");
          return await withArchive(path, async (open) => {
            const found = await compactArchive(open, { graceMs: given.grace / 1e6, nowMs: Date.now() });
            if (given.json) context.stdout.write(`${JSON.stringify(found)}\n`);
            else context.stdout.write(compactText(path, found));
            return reportDamage(context, open);
          });
        case "export": {
          if (what.length > 0) return misused(context, "archive export: takes the archive alone");
          const { sql, location, schema, where, output, anonymise, key } = given;
          if (sql !== null) {
            if (where !== null || output !== null || anonymise) {
              return misused(context, "--sql: prints statements, and takes neither --where, --output nor --anonymise");
            }
            return await exportSql(context, path, { engine: sql, location, schema });
          }
          if (key !== null && !anonymise) return misused(context, "--key: is of --anonymise, which is not given");
          return await exportDocuments(context, path, { where, anonymise, keyFile: key, output });
        }
        case "push": {
          if (what.length > 0) return misused(context, "archive push: takes the archive alone");
          const { clickhouse, cluster, json } = given;
          if (clickhouse === null) return misused(context, "archive push: say where to, with --clickhouse URL");
          return await pushToClickhouse(context, path, {
            url: clickhouse,
            cluster,
            printDdl: given["print-ddl"],
            json,
          });
        }
        case "remove": {
          if (what.length > 0) return misused(context, "archive remove: takes --where, like \"name = 'plain'\"");
          const { where } = given;
          if (where === null) return misused(context, "archive remove: say which, with --where CONDITION");
          return await withArchive(path, async (open) => {
            const removed = await removeUpdates(open, await conditionOf(open, where));
            if (given.json) context.stdout.write(`${JSON.stringify({ removed })}\n`);
            else context.stdout.write(`${path}: ${removed} ${removed === 1 ? "update" : "updates"} removed\n`);
            return reportDamage(context, open);
          });
        }
      }
    });
  },
});

async function withArchive(path: string, use: (archive: Archive) => Promise<number>): Promise<number> {
  const open = await openArchive(path);
  try {
    return await use(open);
  } finally {
    open.close();
  }
}

function isGiven(value: unknown, option: Option<unknown>): boolean {
  const absent = option.read([]);
  return !absent.ok || value !== absent.value;
}

/** Answers what goes wrong with an archive as unusable input. */
export async function answering(context: Context, answer: () => Promise<number>): Promise<number> {
  try {
    return await answer();
  } catch (error) {
    if (error instanceof ArchiveError) return unusable(context, error.message);
    const { code, path } = error as NodeJS.ErrnoException;
    // A full disk, a folder that may not be written: of the world, not of the program.
    if (typeof code === "string" && /^E[A-Z]+$/.test(code)) {
      return unusable(context, `${path ?? "the archive"}: ${(error as Error).message}`);
    }
    throw error;
  }
}
