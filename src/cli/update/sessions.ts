import { escapeControls } from "../../base/text/controls.js";
import { formatDuration, formatSize } from "../../base/text/format.js";
import type { LuoFacts, SessionState, SessionsDocument } from "../../model/documents/sessions.js";
import type { LiveUpdateDocument } from "../../model/live-update.js";
import { type Context, defineCommand, exit } from "../frame/command.js";
import { flagOption, one } from "../frame/options.js";
import { answerFrom, headLines } from "../input/attributed.js";
import { captureOptions, captureOptionsOf } from "../input/capture-options.js";
import { type Cell, leftColumn, renderTable, rightColumn } from "../terminal/terminal-table.js";

const MIB = 1_048_576;

const cost = (ns: number | null): string => (ns === null ? "" : formatDuration(ns));
const perMib = (ns: number | null, bytes: number | null): string =>
  ns === null || bytes === null || bytes < MIB ? "" : formatDuration(Math.round((ns * MIB) / bytes));

function sessionText(session: SessionState, context: Context): string {
  const stored = session.unit === null ? [] : [`${session.unit} ${session.fdName ?? ""} (systemd)`];
  const clients = session.clients.map(({ boot, fd }) => `luod client${fd === null ? "" : ` fd ${fd}`} (${boot})`);
  const tasks = session.owners.map(({ boot, task, pid }) => `${task}-${pid} (${boot})`);
  const owners = [...stored, ...tasks, ...clients].join(", ");
  const phases = session.phases
    .map(({ name, durationNs }) => `${name} ${durationNs === null ? "not seen whole" : formatDuration(durationNs)}`)
    .join(", ");
  const rows = session.files.map((file): readonly Cell[] => [
    file.token,
    file.handler ?? "",
    file.unit === null ? "" : `${file.unit} ${file.fdName ?? ""}`,
    file.bytes === null ? "" : formatSize(file.bytes),
    cost(file.preserveNs),
    cost(file.freezeNs),
    cost(file.retrieveNs),
    perMib(file.preserveNs, file.bytes),
    perMib(file.retrieveNs, file.bytes),
    { text: file.serializedData ?? "", style: "quiet" },
  ]);
  const columns = [
    leftColumn("token"),
    leftColumn("handler"),
    leftColumn("unit, fd", "middle"),
    rightColumn("size"),
    rightColumn("preserve"),
    rightColumn("freeze"),
    rightColumn("retrieve"),
    rightColumn("preserve/MiB"),
    rightColumn("retrieve/MiB"),
    leftColumn("serialized data"),
  ];
  const table = renderTable(columns, rows, { width: context.width, palette: context.colour, indent: 4 });
  const about = [`owners: ${owners || "not seen"}`, ...(phases === "" ? [] : [phases])].join("; ");
  return `  ${context.colour.strong(escapeControls(session.name))}\n    ${context.colour.quiet(escapeControls(about))}\n${table}`;
}

/** `+1.404 ms`: on the update's axis, zero at the blackout's begin. */
const instantText = (ns: number | null): string =>
  ns === null ? "time not known" : `${ns < 0 ? "" : "+"}${formatDuration(ns)}`;

/** What was given up, who held the device, and the states of a kernel that had them; empty if there is nothing. */
function factsText({ abandoned, device, states }: LuoFacts): string {
  const lines = [
    ...abandoned.map(({ session, task, pid, files, durationNs, workNs, evidence }) => {
      const length = durationNs === null ? "" : `, over ${formatDuration(durationNs)}`;
      const cost = `${formatDuration(workNs)} of LUO's work${length}, not part of prepare`;
      const what = `${files} file${files === 1 ? "" : "s"} unpreserved`;
      return `abandoned: ${session} by ${task}-${pid} (old): ${what}; ${cost} (${evidence})`;
    }),
    ...device.map(({ boot, task, pid, result, ret, atNs }) => {
      const why = result === "refused" ? "refused with EBUSY" : result === "failed" ? `failed with ${ret}` : result;
      return `/dev/liveupdate: ${why}${result === "held" ? " by" : ","} ${task}-${pid} (${boot}) at ${instantText(atNs)}`;
    }),
    ...states.map(({ boot, from, to, atNs }) => `state: ${from} to ${to} (${boot}) at ${instantText(atNs)}`),
  ];
  return lines.length === 0 ? "" : `\n${lines.map((line) => `  ${escapeControls(line)}\n`).join("")}`;
}

/** The document of --json; schema in docs/sessions.schema.json. */
export function sessionsDocument(
  { capture, outcome }: LiveUpdateDocument,
  sessions: readonly SessionState[],
  luo: LuoFacts,
): SessionsDocument {
  return { format: "blackout-sessions", version: 1, capture, outcome, sessions, ...luo };
}

export const sessionsCommand = defineCommand({
  usage: null,
  description:
    "Lists each session with its owners and files. Owners are the tasks that created and retrieved it, and systemd's unit and luod's clients if the capture has the agents' logs. Each file has its token, handler, size, and the cost of preserving, freezing and retrieving it, also per MiB. The two kernels are matched by session name, token and the handler's serialized data.",
  options: { json: flagOption("Print one JSON document (docs/sessions.schema.json)"), ...captureOptions },
  positionals: { capture: one("Capture: a folder or an archive") },
  examples: [{ command: "blackout sessions traces/plain.tar.gz", what: "List what was preserved, and at what cost" }],
  exitCodes: [],
  run: (context, { options, positionals }) =>
    answerFrom(context, positionals.capture, captureOptionsOf(options), ({ update }) => {
      if (options.json) {
        context.stdout.write(`${JSON.stringify(sessionsDocument(update.document, update.sessions, update.luo))}\n`);
        return exit.success;
      }
      const text = update.sessions.map((session) => sessionText(session, context)).join("\n");
      context.stdout.write(
        `${headLines(update.document, context)}\n${text === "" ? "  No session was seen.\n" : text}${factsText(update.luo)}`,
      );
      return exit.success;
    }),
});
