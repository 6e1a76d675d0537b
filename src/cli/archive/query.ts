/** `blackout query`: SQL over an archive. */
import { existsSync, realpathSync, renameSync, rmSync } from "node:fs";
import { dirname, isAbsolute, relative, resolve } from "node:path";
import {
  openForQueries,
  type QueryAnswer,
  type QueryColumn,
  type QueryValue,
  queryToParquet,
  runQuery,
} from "../../archive/query/query.js";
import { openArchive } from "../../archive/store/archive.js";
import { syncFile, temporaryName } from "../../archive/store/durable.js";
import { escapeControls } from "../../base/text/controls.js";
import { formatDuration } from "../../base/text/format.js";
import { outputProblem } from "../files/output-file.js";
import { type Context, defineCommand, misused } from "../frame/command.js";
import { flagOption, one, textOption } from "../frame/options.js";
import { type Cell, leftColumn, renderTable, rightColumn } from "../terminal/terminal-table.js";
import { answering } from "./archive.js";
import { reportDamage } from "./damage.js";

/** More rows than anyone reads in a terminal, and as many as a table is laid out for at once. */
const TABLE_ROWS = 10_000;

export const queryCommand = defineCommand({
  usage: null,
  description:
    'The tables are updates, phases, vms, causes, buckets (HDR histograms as rows) and defects. docs/archive-format.md describes their columns, docs/archive-queries.md has worked questions. "DESCRIBE updates" and "SUMMARIZE updates" also work. The SQL dialect is DuckDB\'s.\nA query can only read, and only this archive: untrusted SQL cannot reach other files or the network.\nIn a table, columns that end in _ns are printed as durations; --csv, --json and --parquet have nanoseconds.',
  options: {
    csv: flagOption("Print comma-separated values with a header (RFC 4180)"),
    json: flagOption("Print one JSON object per line and row"),
    parquet: textOption("FILE", "Write a Parquet file"),
  },
  positionals: { archive: one("The archive's folder"), sql: one("One SELECT statement") },
  examples: [
    {
      command: "blackout query fleet/ 'SELECT kernel_new, median(blackout_ns) AS p50_ns FROM updates GROUP BY ALL'",
      what: "Print the median blackout by kernel",
    },
    { command: "blackout query fleet/ 'DESCRIBE causes'", what: "Print the columns of a table" },
    { command: "blackout query --csv fleet/ 'FROM updates'", what: "Print all updates for a spreadsheet" },
  ],
  exitCodes: [],
  run: async (context, { options, positionals }) => {
    const forms = [options.csv && "--csv", options.json && "--json", options.parquet !== null && "--parquet"];
    const given = forms.filter((form) => form !== false);
    if (given.length > 1) return misused(context, `${given.join(" and ")}: choose one`);
    return await answering(context, async () => {
      const archive = await openArchive(positionals.archive);
      const output = options.parquet === null ? null : resolve(options.parquet);
      const problem = output === null ? null : parquetProblem(output, archive.root);
      if (problem !== null) {
        archive.close();
        return misused(context, problem);
      }
      const temporary = output === null ? null : temporaryName(output);
      const engine = await openForQueries(archive, positionals.sql, temporary);
      try {
        if (output !== null && temporary !== null) {
          await queryToParquet(engine, positionals.sql, temporary);
          await syncFile(temporary);
          renameSync(temporary, output);
          context.stderr.write(`${options.parquet}: written\n`);
          return reportDamage(context, archive);
        }
        const answer = await runQuery(engine, positionals.sql);
        if (options.csv) await writeCsv(context, answer);
        else if (options.json) await writeJson(context, answer);
        else await writeTable(context, answer);
        return reportDamage(context, archive);
      } finally {
        if (temporary !== null && existsSync(temporary)) rmSync(temporary);
        engine.close();
        archive.close();
      }
    });
  },
});

/** Why the answer may not be put there: every file below the archive is the archive's own. */
function parquetProblem(output: string, root: string): string | null {
  const folder = dirname(output);
  if (!existsSync(folder)) return `${folder} does not exist or is not a folder: make it first`;
  const place = relative(realpathSync(root), realpathSync(folder));
  const isInside = place === "" || !(place.startsWith("..") || isAbsolute(place));
  if (isInside) return `${output} lies in the archive, whose files are its own: give a place outside it`;
  return outputProblem(output, []);
}

/**
 * A text for a spreadsheet or a terminal: controls are shown, and what a spreadsheet would take for a formula (OWASP,
 * CSV injection) begins with an apostrophe.
 */
function csvText(text: string): string {
  const shown = escapeControls(text);
  return /^[=+\-@\uff0b\uff0d\uff1d\uff20]/.test(shown) ? `'${shown}` : shown;
}

async function writeCsv(context: Context, { columns, rows }: QueryAnswer): Promise<void> {
  const field = (value: QueryValue): string => {
    const written = value === null ? "" : typeof value === "string" ? csvText(value) : String(value);
    // An empty text is quoted, so that it differs from null.
    return /[",\r\n]/.test(written) || value === "" ? `"${written.replaceAll('"', '""')}"` : written;
  };
  context.stdout.write(`${columns.map(({ name }) => field(name)).join(",")}\r\n`);
  for await (const row of rows) {
    context.stdout.write(`${row.map(field).join(",")}\r\n`);
    if (context.stdout.closed) return;
  }
}

async function writeJson(context: Context, { columns, rows }: QueryAnswer): Promise<void> {
  for await (const row of rows) {
    const fields = row.map((value, i) => [columns[i]?.name ?? "", typeof value === "bigint" ? String(value) : value]);
    context.stdout.write(`${JSON.stringify(Object.fromEntries(fields))}\n`);
    if (context.stdout.closed) return;
  }
}

async function writeTable(context: Context, { columns, rows }: QueryAnswer): Promise<void> {
  const shown: (readonly Cell[])[] = [];
  let total = 0;
  for await (const row of rows) {
    total += 1;
    if (shown.length < TABLE_ROWS) shown.push(row.map((value, i) => tableCell(value, columns[i])));
  }
  const layout = { palette: context.colour, width: context.width, indent: 0 };
  const heads = columns.map(({ name, type }) =>
    isNumber(type) ? rightColumn(headOf(name, type)) : leftColumn(name, "middle"),
  );
  context.stdout.write(renderTable(heads, shown, layout));
  const cut = total > shown.length ? `, the first ${shown.length} shown (--csv and --json have all)` : "";
  context.stdout.write(context.colour.quiet(`${total} ${total === 1 ? "row" : "rows"}${cut}\n`));
}

function isNumber(type: string): boolean {
  return /^(?:U?(?:TINY|SMALL|BIG|HUGE)?INT|INTEGER|DOUBLE|FLOAT|DECIMAL)/.test(type);
}

const isDuration = (name: string, type: string): boolean => name.endsWith("_ns") && isNumber(type);

/** With its unit beside each value, a duration needs none in its head. */
function headOf(name: string, type: string): string {
  return isDuration(name, type) ? name.slice(0, -"_ns".length) : name;
}

function tableCell(value: QueryValue, column: QueryColumn | undefined): Cell {
  if (value === null) return { text: "-", style: "quiet" };
  if (column !== undefined && isDuration(column.name, column.type)) return formatDuration(Number(value));
  if (typeof value === "number" && !Number.isInteger(value)) return String(Number(value.toPrecision(6)));
  return String(value);
}
