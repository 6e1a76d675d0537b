import type { TaskTime } from "../../analyze/attribution/on-cpu.js";
import { criticalChain as chainOf } from "../../analyze/attribution/views/chain.js";
import { chainDocument } from "../../analyze/attribution/views/documents.js";
import { formatDuration, formatSigned } from "../../base/text/format.js";
import type { ChainStep } from "../../model/documents/attribution.js";
import { type Context, defineCommand, exit, unusable } from "../frame/command.js";
import { flagOption, one } from "../frame/options.js";
import { answerFrom, headLines, noBlackout, shareText } from "../input/attributed.js";
import { captureOptions, captureOptionsOf } from "../input/capture-options.js";
import { type Cell, leftColumn, renderTable, rightColumn } from "../terminal/terminal-table.js";

/** Steps below this share of the blackout are folded. */
const MIN_SHARE = 0.005;
/** Waits below this are not worth a word beside a step. */
const MIN_WAIT_NS = 100_000;

const sumNs = (steps: readonly ChainStep[]): number => steps.reduce((sum, { durationNs }) => sum + durationNs, 0);

/** `241 short steps, 17 ms of them userspace init`. */
function foldedText(steps: readonly ChainStep[]): string {
  const byCause = new Map<string, number>();
  for (const { kind, name, durationNs } of steps) {
    byCause.set(`${kind} ${name}`, (byCause.get(`${kind} ${name}`) ?? 0) + durationNs);
  }
  const [most] = [...byCause].sort((a, b) => b[1] - a[1]);
  const words = `${steps.length} short step${steps.length === 1 ? "" : "s"}`;
  return most === undefined || steps.length === 1 ? words : `${words}, ${formatDuration(most[1])} of them ${most[0]}`;
}

function chainTable(steps: readonly ChainStep[], totalNs: number, context: Context): string {
  const rows: (readonly Cell[])[] = [];
  let folded: ChainStep[] = [];
  let stage = "";
  const flush = (): void => {
    if (folded.length > 0) {
      rows.push([
        "",
        { text: `+${formatDuration(sumNs(folded))}`, style: "quiet" },
        shareText(sumNs(folded), totalNs),
        { text: `  … ${foldedText(folded)}`, style: "quiet" },
        "",
      ]);
    }
    folded = [];
  };
  for (const step of steps) {
    if (step.durationNs < totalNs * MIN_SHARE) {
      folded.push(step);
      continue;
    }
    flush();
    const section = [step.phase, step.stage].filter((part) => part !== null && part !== step.id).join(", ");
    if (section !== stage && section !== "") rows.push(["", "", "", { text: section, style: "heading" }]);
    stage = section;
    const action = step.action === "" || step.name.endsWith(step.action) ? "" : ` ${step.action}`;
    const waited = step.waits.filter(({ totalNs: ns }) => ns >= MIN_WAIT_NS).slice(0, 2);
    const notes = [
      step.inferred ? "inferred" : "",
      ...waited.map(({ waker, totalNs: ns }) => `blocked ${formatDuration(ns)}, woken by ${waker}`),
    ];
    rows.push([
      formatSigned(step.beginNs),
      { text: `+${formatDuration(step.durationNs)}`, style: "strong" },
      shareText(step.durationNs, totalNs),
      `  ${step.kind === "seam" || step.kind === "printk" || step.kind === "unattributed" ? "" : `${step.kind} `}${step.name}${action}`,
      { text: notes.filter((note) => note !== "").join("; "), style: "quiet" },
    ]);
  }
  flush();
  const columns = [
    rightColumn("at"),
    rightColumn("took"),
    rightColumn("share"),
    leftColumn("step", "middle"),
    leftColumn("", "end"),
  ];
  return renderTable(columns, rows, { width: context.width, palette: context.colour, indent: 2 });
}

function taskTable(tasks: readonly TaskTime[], context: Context): string {
  if (tasks.length === 0) return "  Who was on the CPU is not recorded: scheduling was traced in neither kernel.\n";
  const rows = tasks.map((task): readonly Cell[] => [
    `${task.task}-${task.pid}`,
    `${task.role}, ${task.boot}`,
    formatDuration(task.endNs - task.beginNs),
    formatDuration(task.runningNs),
    formatDuration(task.interruptsNs),
    formatDuration(task.runnableNs),
    formatDuration(task.blockedNs),
    formatDuration(task.unseenNs),
  ]);
  const columns = [
    leftColumn("task on the path", "end"),
    leftColumn("part"),
    rightColumn("of"),
    rightColumn("running"),
    rightColumn("(interrupts)"),
    rightColumn("runnable"),
    rightColumn("blocked"),
    rightColumn("not seen"),
  ];
  return renderTable(columns, rows, { width: context.width, palette: context.colour, indent: 2 });
}

export const criticalChainCommand = defineCommand({
  usage: null,
  description:
    "Prints the path that carries the update from the pause of the VMs to their resume, one cause after the other. If the path's task was blocked, the task that woke it is named (this needs sched_waking in the trace). A table below prints how long each task on the path was running, runnable, blocked, and in interrupts.",
  options: { json: flagOption("Print one JSON document (docs/critical-chain.schema.json)"), ...captureOptions },
  positionals: { capture: one("Capture: a folder or an archive") },
  examples: [{ command: "blackout critical-chain traces/plain.tar.gz", what: "Print the chain step by step" }],
  exitCodes: [],
  run: (context, { options, positionals }) =>
    answerFrom(context, positionals.capture, captureOptionsOf(options), ({ update, trees }) => {
      const { document } = update;
      if (trees.blackout === null) return unusable(context, noBlackout(positionals.capture, document));
      const chain = chainOf(update, trees.blackout);
      if (options.json) {
        context.stdout.write(`${JSON.stringify(chainDocument(document, trees.blackout, chain))}\n`);
        return exit.success;
      }
      context.stdout.write(
        `${headLines(document, context)}\n${chainTable(chain.steps, trees.blackout.durationNs, context)}\n${taskTable(chain.tasks, context)}`,
      );
      return exit.success;
    }),
});
