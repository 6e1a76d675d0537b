/** A live update as text for a person: how long, how sure, where it went. Pure. */

import { escapeControls } from "../../base/text/controls.js";
import { formatDuration, formatSigned, formatUncertainty } from "../../base/text/format.js";
import type { DefectDocument, Evidence, LiveUpdateDocument, PhaseDocument } from "../../model/live-update.js";
import type { TerminalPalette } from "../terminal/terminal-style.js";
import { type Cell, leftColumn, renderTable, rightColumn } from "../terminal/terminal-table.js";

export interface TextLayout {
  readonly palette: TerminalPalette;
  /** Columns of the terminal; null in a pipe: nothing is cut. */
  readonly width: number | null;
}

const BASIS = {
  "vm-marks": "from the VMs' pause to their resume",
  vcpu: "from the vCPUs: the last that ran in the old kernel to the first in the new one",
  "guest-ticks": "from the guests' own ticks",
  "kernel-observed": "kernel-observed: from the freeze's begin to the restore's end",
} as const;

const METHOD: Readonly<Record<LiveUpdateDocument["clock"]["method"], string>> = {
  "x86-tsc": "one TSC under both kernels' traces",
  "clock-pairs": "the TSC, by (tsc, clock) pairs where a trace is on another clock",
  "kvm-clock": "kvm-clock's offsets in both kernel logs",
  realtime: "the realtime clock in both kernels",
  single: "none needed: one kernel only, on a clock of its own",
  none: "none: two separate axes, and no duration across the kexec",
};

/** Logs of programs that an update's times come from, too, besides the kernels' own traces and logs. */
const PROGRAM_LOGS: Readonly<Record<string, string>> = { "qemu-log": "QEMU's log", luod: "luod's log" };

function logLines({ sources }: LiveUpdateDocument): string {
  const lines = sources
    .filter(({ dialect }) => PROGRAM_LOGS[dialect] !== undefined)
    .map(
      ({ dialect, files, boot, events }) =>
        `    ${files.join(", ")}: ${PROGRAM_LOGS[dialect]} beside the ${boot} kernel, ${events.toLocaleString("en")} ${events === 1 ? "event" : "events"}`,
    );
  return lines.length === 0 ? "" : `  Also read:\n${lines.sort().join("\n")}\n`;
}

/** A link joins two kernels. With only one kernel, the text must not suggest that a link was lost. */
function linkText({ clock, sources }: LiveUpdateDocument): string {
  const boots = new Set(sources.flatMap(({ boot, events }) => (events > 0 ? [boot] : [])));
  // The one link that needs no events.
  if (clock.method === "kvm-clock") return METHOD[clock.method];
  if (boots.size === 0) return "none: no trace events to place";
  if (clock.method === "single") return `none: only the ${[...boots][0]} kernel's events are in the capture`;
  return METHOD[clock.method];
}

export function liveUpdateText(update: LiveUpdateDocument, layout: TextLayout): string {
  const { palette } = layout;
  return [
    headline(update, palette),
    blackoutLine(update, palette),
    bar(update, layout),
    phaseTable(update, layout),
    workLines(update),
    seamLine(update),
    vmTable(update, layout),
    sessionTable(update, layout),
    abandonedLines(update),
    lossLines(update, palette),
    healthLines(update.health, palette),
    clockLines(update, palette),
    logLines(update),
    defectLines(update.defects, layout),
  ]
    .filter((part) => part !== "")
    .join("\n");
}

function headline(update: LiveUpdateDocument, palette: TerminalPalette): string {
  const { name, kernel } = update.capture;
  const style = {
    completed: "good",
    "partly-restored": "bad",
    aborted: "warning",
    incomplete: "warning",
    failed: "bad",
  } as const;
  const kernels = `${kernel.old ?? "?"} → ${kernel.new ?? "?"}`;
  const head = `${palette.heading(escapeControls(name))}  ${escapeControls(kernels)}  ${palette[style[update.outcome]](update.outcome)}`;
  const plain = update.outcome === "completed" && update.notSeen.length === 0;
  return plain ? `${head}\n` : `${head}\n${escapeControls(update.outcomeReason)}\n`;
}

function blackoutLine(update: LiveUpdateDocument, palette: TerminalPalette): string {
  const { blackout } = update;
  if (blackout.durationNs === null || blackout.basis === null) {
    return `${palette.warning("Blackout not known.")} ${missingEnd(update)}${zeroRemark(update)}\n`;
  }
  const sure = blackout.uncertaintyNs === null ? "" : ` ${formatUncertainty(blackout.uncertaintyNs)}`;
  return `Blackout ${palette.strong(formatDuration(blackout.durationNs))}${sure}, ${BASIS[blackout.basis]}\n`;
}

function missingEnd(update: LiveUpdateDocument): string {
  const { beginNs, endNs } = update.blackout;
  if (beginNs !== null && endNs !== null) return "Both ends are seen, but no clock link joins the two kernels.";
  if (beginNs === null && endNs === null) return "Neither its begin nor its end is in the capture.";
  return beginNs === null ? "Its begin is not in the capture." : "Its end is not in the capture.";
}

/** What the times below count from, if it is not the blackout's begin. */
function zeroRemark({ blackout, clock, phases, sources }: LiveUpdateDocument): string {
  if (sources.length === 0) {
    const bounded = phases.some(({ beginRangeNs, endRangeNs }) =>
      [...(beginRangeNs ?? []), ...(endRangeNs ?? [])].some((ns) => ns !== null),
    );
    if (!bounded) return "";
    return clock.method === "none"
      ? " Times are the kernel log's own stamps."
      : " Times count from where the old kernel's log has its zero.";
  }
  if (clock.method === "none") return " Times count from each kernel's own zero: they cannot be compared.";
  return blackout.beginNs === 0 ? "" : " Times count from the first recorded event.";
}

/** The blackout drawn to scale: what ran in the old kernel, the seam, what ran in the new one. */
function bar(update: LiveUpdateDocument, { palette, width }: TextLayout): string {
  const { blackout, seam } = update;
  if (blackout.durationNs === null || blackout.durationNs <= 0) return "";
  if (seam.beginNs === null || seam.endNs === null || seam.durationNs === null) return "";
  // A clock link that is off puts the new kernel's first event before the old one's last: there is no scale to draw to.
  if (seam.durationNs < 0) return "";
  const columns = Math.min(72, (width ?? 80) - 4);
  const at = (ns: number): number =>
    Math.max(0, Math.min(columns, Math.round((ns / (blackout.durationNs as number)) * columns)));
  const [from, to] = [at(seam.beginNs), at(seam.endNs)];
  const old = "█".repeat(from);
  const between = "░".repeat(to - from);
  const fresh = "▓".repeat(columns - to);
  const share = (ns: number): string => `${((ns / (blackout.durationNs as number)) * 100).toFixed(0)} %`;
  const legend = [
    `█ old kernel ${share(Math.max(0, seam.beginNs))}`,
    `░ between the kernels ${share(seam.durationNs)}`,
    `▓ new kernel ${share(Math.max(0, blackout.durationNs - seam.endNs))}`,
  ].join("   ");
  return `  ${palette.accent(old)}${palette.quiet(between)}${palette.good(fresh)}\n  ${palette.quiet(legend)}\n`;
}

function phaseTable(update: LiveUpdateDocument, layout: TextLayout): string {
  const total = update.blackout.durationNs;
  const rows = update.phases.map((phase): readonly Cell[] => [
    phase.name,
    phase.beginNs === null ? range(phase.beginRangeNs) : formatSigned(phase.beginNs),
    phase.endNs === null ? range(phase.endRangeNs) : formatSigned(phase.endNs),
    phase.durationNs === null
      ? { text: "not seen", style: "warning" }
      : { text: formatDuration(phase.durationNs), style: "strong" },
    phase.durationNs === null || phase.uncertaintyNs === null ? "" : formatUncertainty(phase.uncertaintyNs),
    share(phase, total),
    { text: evidence(phase), style: "quiet" },
  ]);
  const columns = [
    leftColumn("phase"),
    rightColumn("begin"),
    rightColumn("end"),
    rightColumn("duration"),
    rightColumn("±"),
    rightColumn("of blackout"),
    leftColumn("read from", "end"),
  ];
  return renderTable(columns, rows, { ...layout, indent: 2 });
}

function range(bounds: PhaseDocument["beginRangeNs"]): Cell {
  const [earliest, latest] = bounds ?? [null, null];
  const edge = (ns: number | null): string => (ns === null ? "?" : formatSigned(ns));
  return { text: earliest === null && latest === null ? "?" : `${edge(earliest)} … ${edge(latest)}`, style: "warning" };
}

/** How much of the blackout lies in the phase: prepare and finish are outside, as a rule. */
function share(phase: PhaseDocument, total: number | null): string {
  if (total === null || total <= 0 || phase.durationNs === null || phase.axis !== "joint") return "";
  const inside = Math.min(total, phase.endNs ?? 0) - Math.max(0, phase.beginNs ?? 0);
  return inside <= 0 ? "-" : `${((inside / total) * 100).toFixed(1)} %`;
}

function evidence(phase: PhaseDocument): string {
  const text = (side: Evidence | null): string => side?.event ?? "?";
  const { begin, end } = phase.evidence;
  return begin === null && end === null ? "" : `${text(begin)} … ${text(end)}`;
}

/** Phases of which LUO worked less than this share, and waited at least this long, are explained. */
const MOSTLY_WORK = 0.5;
const LONG_WAIT_NS = 1_000_000;

/** What LUO worked in phases that are mostly something else, and the longest time between its calls. */
function workLines({ phases }: LiveUpdateDocument): string {
  return phases
    .flatMap(({ name, durationNs, workNs = null, between = [] }): readonly string[] => {
      if (name === "kexec" || durationNs === null || workNs === null) return [];
      if (workNs >= durationNs * MOSTLY_WORK || durationNs - workNs < LONG_WAIT_NS) return [];
      const [longest] = [...between].sort((a, b) => b.durationNs - a.durationNs);
      const where =
        longest === undefined
          ? ""
          : `; ${formatDuration(longest.durationNs)} lie between ${longest.after ?? "its begin"} and ${longest.before ?? "its end"}`;
      return [`  LUO's work in ${name}: ${formatDuration(workNs)} of ${formatDuration(durationNs)}${where}.\n`];
    })
    .join("");
}

function seamLine({ seam }: LiveUpdateDocument): string {
  if (seam.durationNs === null) return "";
  const sure = seam.uncertaintyNs === null ? "" : ` ${formatUncertainty(seam.uncertaintyNs)}`;
  return `  The seam, ${formatDuration(seam.durationNs)}${sure}, lies between the old kernel's last event and the new one's first.\n`;
}

function vmTable({ vms }: LiveUpdateDocument, layout: TextLayout): string {
  if (vms.length < 2) return "";
  const rows = vms.map((vm): readonly Cell[] => [
    vm.id,
    vm.beginNs === null ? "?" : formatSigned(vm.beginNs),
    vm.endNs === null ? "?" : formatSigned(vm.endNs),
    vm.durationNs === null ? "?" : formatDuration(vm.durationNs),
  ]);
  const columns = [leftColumn("VM", "end"), rightColumn("paused"), rightColumn("resumed"), rightColumn("blackout")];
  return renderTable(columns, rows, { ...layout, indent: 2 });
}

/** Beyond this many files a table is a wall; the JSON has them all, and the text says how many it leaves out. */
const FILES_SHOWN = 16;

function sessionTable({ sessions }: LiveUpdateDocument, layout: TextLayout): string {
  const files = sessions.flatMap((session) => session.files.map((file) => ({ session, file })));
  if (sessions.length === 0) return "";
  const remarkable = files.some(({ file }) => file.status === "failed" || file.status === "unpreserved");
  const rows = files
    .slice(0, FILES_SHOWN)
    .map(({ session, file }): readonly Cell[] => [
      session.files[0] === file ? session.name : "",
      file.token,
      file.handler ?? "",
      file.bytes === null ? "" : `${(file.bytes / 1048576).toFixed(0)} MiB`,
      cost(file.preserveNs),
      cost(file.freezeNs),
      cost(file.retrieveNs),
      ...(remarkable ? [stateCell(file)] : []),
    ]);
  const columns = [
    leftColumn("session", "middle"),
    leftColumn("token"),
    leftColumn("handler"),
    rightColumn("size"),
    rightColumn("preserve"),
    rightColumn("freeze"),
    rightColumn("retrieve"),
    ...(remarkable ? [leftColumn("state")] : []),
  ];
  const more =
    files.length > FILES_SHOWN
      ? `  … and ${files.length - FILES_SHOWN} more files of ${sessions.length} sessions: all with --json\n`
      : "";
  return `${renderTable(columns, rows, { ...layout, indent: 2 })}${more}`;
}

/** Sessions that were given up before the kexec: their cost stands apart from prepare. */
function abandonedLines({ abandoned = [] }: LiveUpdateDocument): string {
  return abandoned
    .map(({ session, task, pid, durationNs, workNs }) => {
      const length = durationNs === null ? "" : ` over ${formatDuration(durationNs)}`;
      const text = `Abandoned: session ${session} of ${task}-${pid}, ${formatDuration(workNs)} of work${length}; not part of prepare.`;
      return `  ${escapeControls(text)}\n`;
    })
    .join("");
}

/** Beyond this many, losses and complaints are counted. */
const LINES_SHOWN = 12;

function lossLines({ losses }: LiveUpdateDocument, palette: TerminalPalette): string {
  if (losses.length === 0) return "";
  const lines = losses
    .slice(0, LINES_SHOWN)
    .map(({ session, token, handler, action, errno, evidence, file, place }) => {
      const what = [session, token, handler].filter((part) => part !== null).join(" ");
      const error = errno === null ? "" : `, ${errno}`;
      return `    ${palette.bad(action)} ${escapeControls(`${what === "" ? "" : `${what}${error}: `}${evidence} (${file}:${place})`)}`;
    });
  const more = losses.length > lines.length ? [`    … and ${losses.length - lines.length} more: all with --json`] : [];
  return `${["  Lost:", ...lines, ...more].join("\n")}\n`;
}

function healthLines({ counts, events }: LiveUpdateDocument["health"], palette: TerminalPalette): string {
  const total = counts.reduce((sum, { count }) => sum + count, 0);
  if (total === 0) return "";
  const classes = counts.map(({ class: name, boot, count }) => `${count} ${name} (${boot} kernel)`).join(", ");
  const lines = events.slice(0, LINES_SHOWN).map(({ severity, boot, atNs, phase, cpu, task, pid, text }) => {
    const when = atNs === null ? "at an unknown time" : `${formatSigned(atNs)}${phase === null ? "" : ` in ${phase}`}`;
    const who = [cpu === null ? "" : `CPU ${cpu}`, task ?? "", pid === null ? "" : `PID ${pid}`].filter(
      (part) => part !== "",
    );
    const style = severity === "severe" ? palette.bad : palette.warning;
    return `    ${style(severity)} ${boot} kernel, ${when}${who.length === 0 ? "" : `, ${escapeControls(who.join(" "))}`}: ${escapeControls(text)}`;
  });
  const more = total > lines.length ? [`    … and ${total - lines.length} more: all with --json`] : [];
  return `${[`  The kernels complained ${total === 1 ? "once" : `${total} times`}: ${classes}`, ...lines, ...more].join("\n")}\n`;
}

function stateCell({ status, failedAt, errno }: LiveUpdateDocument["sessions"][number]["files"][number]): Cell {
  if (status !== "failed") return status.replace("-", " ");
  return { text: `failed at ${failedAt}${errno === null ? "" : `, ${errno}`}`, style: "bad" };
}

const cost = (ns: number | null): string => (ns === null ? "" : formatDuration(ns));

function clockLines(update: LiveUpdateDocument, palette: TerminalPalette): string {
  const { clock } = update;
  const sure = clock.uncertaintyNs === null ? "" : `, ${formatUncertainty(clock.uncertaintyNs)}`;
  const lines = [`  Clock link: ${linkText(update)}${sure}`];
  if (clock.parts.length > 0) {
    lines.push(`    ± from ${clock.parts.map((part) => `${part.what} (${formatDuration(part.ns)})`).join(", ")}`);
  }
  for (const { method, reason } of clock.rejected) lines.push(`    not by ${method}: ${reason}`);
  return `${lines.map((line) => palette.quiet(escapeControls(line))).join("\n")}\n`;
}

/** Beyond this many, the rest is counted. */
const DEFECTS_SHOWN = 12;

function defectLines(defects: readonly DefectDocument[], { palette }: TextLayout): string {
  const total = defects.reduce((sum, defect) => sum + defect.count, 0);
  if (total === 0) return `  ${palette.good("No defects.")}\n`;
  const rank = { error: 0, warning: 1, note: 2 } as const;
  const sorted = [...defects].sort((a, b) => rank[a.severity] - rank[b.severity]);
  const style = { error: palette.bad, warning: palette.warning, note: palette.quiet } as const;
  const lines = sorted.slice(0, DEFECTS_SHOWN).flatMap((defect) => {
    const where = placeOf(defect);
    return [
      `    ${style[defect.severity](defect.severity)} ${palette.accent(defect.code)}${where === "" ? "" : ` ${escapeControls(where)}`}: ${escapeControls(defect.message)}`,
      `      ${palette.quiet(escapeControls(defect.advice))}`,
    ];
  });
  const left = sorted.slice(DEFECTS_SHOWN).reduce((sum, defect) => sum + defect.count, 0);
  const more = left > 0 ? [`    … and ${left} more: all with --json`] : [];
  return `${[`  ${total} defect${total === 1 ? "" : "s"}:`, ...lines, ...more].join("\n")}\n`;
}

function placeOf(defect: DefectDocument): string {
  if (defect.file === "") return "";
  if (defect.line !== null) return `${defect.file}:${defect.line}`;
  return defect.byte === null ? defect.file : `${defect.file}@${defect.byte}`;
}
