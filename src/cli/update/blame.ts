import { silences } from "../../analyze/attribution/on-cpu.js";
import { type Blame, blame as blameTrees } from "../../analyze/attribution/views/blame.js";
import { deviceRows } from "../../analyze/attribution/views/device-rows.js";
import { blameDocument } from "../../analyze/attribution/views/documents.js";
import { formatDuration } from "../../base/text/format.js";
import { BLAME_KINDS, type BlamedCause, type DeviceRow, type Silence } from "../../model/documents/attribution.js";
import { PHASES } from "../../model/live-update.js";
import { type Context, defineCommand, exit, unusable } from "../frame/command.js";
import { choiceOption, flagOption, integerOption, one } from "../frame/options.js";
import { answerFrom, headLines, noBlackout, shareText } from "../input/attributed.js";
import { captureOptions, captureOptionsOf } from "../input/capture-options.js";
import { type Cell, leftColumn, renderTable, rightColumn } from "../terminal/terminal-table.js";

const SHOWN = 25;

function causeTable(found: Blame, shown: number, context: Context): string {
  const rows = found.causes
    .slice(0, shown)
    .map((cause): readonly Cell[] => [
      { text: formatDuration(cause.totalNs), style: "strong" },
      shareText(cause.totalNs, found.totalNs),
      `${cause.count}`,
      { text: cause.kind, style: "quiet" },
      cause.name,
      cause.phase ?? "",
      { text: whereOf(cause), style: "quiet" },
    ]);
  const columns = [
    rightColumn("total"),
    rightColumn("share"),
    rightColumn("spans"),
    leftColumn("kind"),
    leftColumn("cause", "middle"),
    leftColumn("phase"),
    leftColumn("where", "end"),
  ];
  return renderTable(columns, rows, { width: context.width, palette: context.colour, indent: 2 });
}

function whereOf({ spans }: BlamedCause): string {
  const stages = [
    ...new Set(spans.map(({ stage, action }) => [stage, action].filter((part) => (part ?? "") !== "").join(": "))),
  ].filter((where) => where !== "");
  const inferred = spans.some((span) => span.inferred) ? "  inferred" : "";
  return `${stages.slice(0, 3).join(", ")}${stages.length > 3 ? ", …" : ""}${inferred}`;
}

function inferredOf({ inferred, loadNs }: DeviceRow): string {
  if (!inferred) return "";
  return loadNs === null ? "probe's device inferred" : "load's end inferred";
}

function deviceTable(rows: readonly DeviceRow[], totalNs: number, shown: number, context: Context): string {
  const cost = (ns: number | null): string => (ns === null ? "-" : formatDuration(ns));
  const hasVmm = rows.some(({ saveNs, loadNs }) => saveNs !== null || loadNs !== null);
  const cells = rows
    .slice(0, shown)
    .map((row): readonly Cell[] => [
      { text: formatDuration(row.totalNs), style: "strong" },
      shareText(row.totalNs, totalNs),
      row.id,
      row.driver ?? "?",
      cost(row.shutdownNs),
      cost(row.probeNs),
      ...(hasVmm ? [cost(row.saveNs), cost(row.loadNs)] : []),
      { text: inferredOf(row), style: "quiet" },
    ]);
  const columns = [
    rightColumn("total"),
    rightColumn("share"),
    leftColumn("device", "middle"),
    leftColumn("driver"),
    rightColumn("shutdown"),
    rightColumn("probe"),
    ...(hasVmm ? [rightColumn("save"), rightColumn("load")] : []),
    leftColumn(""),
  ];
  return renderTable(columns, cells, { width: context.width, palette: context.colour, indent: 2 });
}

function silenceTable(list: readonly Silence[], shown: number, context: Context): string {
  if (list.length === 0) return "";
  const rows = list
    .slice(0, shown)
    .map((silence): readonly Cell[] => [
      { text: formatDuration(silence.silentNs), style: "strong" },
      silence.irq,
      formatDuration(silence.lastOldNs),
      formatDuration(silence.firstNewNs),
    ]);
  const columns = [
    rightColumn("silent"),
    leftColumn("interrupt", "end"),
    rightColumn("last before"),
    rightColumn("first after"),
  ];
  return `\n  Interrupt silence: what was raised in between is lost.\n\n${renderTable(columns, rows, { width: context.width, palette: context.colour, indent: 2 })}`;
}

export const blameCommand = defineCommand({
  usage: null,
  description:
    "Attributes each nanosecond of the blackout to exactly one cause. Without --by this is the innermost cause that ran; with --by it is the outermost cause of that kind, including all that ran inside it.\nA device's shutdown in the old kernel and its probe in the new one share a row. --by irq also prints how long each interrupt line was silent.",
  options: {
    by: choiceOption("KIND", BLAME_KINDS, "List only causes of this kind"),
    phase: choiceOption("PHASE", PHASES, "List only causes in this phase, also outside the blackout"),
    top: integerOption("N", { min: 1, max: 1_000_000 }, `List at most N causes (default without --json: ${SHOWN})`),
    json: flagOption("Print one JSON document (docs/blame.schema.json)"),
    ...captureOptions,
  },
  positionals: { capture: one("Capture: a folder or an archive") },
  examples: [
    {
      command: "blackout blame --by device traces/plain.tar.gz",
      what: "Print the cost of each device's shutdown and probe",
    },
    { command: "blackout blame --phase prepare traces/plain.tar.gz", what: "Print what took the prepare phase" },
  ],
  exitCodes: [],
  run: (context, { options, positionals }) =>
    answerFrom(context, positionals.capture, captureOptionsOf(options), ({ update, trees }) => {
      const { document } = update;
      const all = [
        ...(trees.blackout === null ? [] : [trees.blackout]),
        ...(options.phase === null ? [] : trees.outside),
      ];
      if (all.length === 0) return unusable(context, noBlackout(positionals.capture, document));
      const found = blameTrees(all, options.by, options.phase);
      const rows = options.by === "device" ? deviceRows(update, all) : [];
      const silent = options.by === "irq" ? silences(update) : [];
      if (options.json) {
        const question = { by: options.by, phase: options.phase, top: options.top };
        context.stdout.write(`${JSON.stringify(blameDocument(document, found, question, rows, silent))}\n`);
        return exit.success;
      }
      const shown = options.top ?? SHOWN;
      context.stdout.write(`${headLines(document, context)}\n`);
      if (options.by === "device") context.stdout.write(deviceTable(rows, found.totalNs, shown, context));
      else context.stdout.write(causeTable(found, shown, context));
      const more = found.causes.length - shown;
      if (more > 0) {
        const rest = found.causes.slice(shown).reduce((sum, { totalNs }) => sum + totalNs, 0);
        context.stdout.write(
          context.colour.quiet(
            `  … ${more} more causes, ${formatDuration(rest)}: --top ${found.causes.length} shows them\n`,
          ),
        );
      }
      const what = options.by === null ? "Unattributed" : `Not ${options.by}`;
      context.stdout.write(
        `  ${what}: ${formatDuration(found.unattributedNs)} of ${formatDuration(found.totalNs)}, ${shareText(found.unattributedNs, found.totalNs)}\n`,
      );
      context.stdout.write(silenceTable(silent, shown, context));
      return exit.success;
    }),
});
