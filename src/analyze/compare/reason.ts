/** The verdict in a few sentences: how much, and by what. */

import { formatDuration, formatSigned } from "../../base/text/format.js";
import { WORK_MEASURES, WORK_PHASES } from "../../model/document-parts.js";
import type { CauseComparison, Comparison, MetricComparison } from "../../model/documents/comparison.js";
import { causeName } from "../../model/update-sample.js";
import { isChange } from "./percentile-shifts.js";
import { hasChanged, isDoubtful, metricVerdict } from "./verdict.js";

/** A cause, or several alike, with what they changed together. */
interface Group {
  readonly shiftNs: number;
  readonly share: number;
  readonly text: string;
}

/** Below this share a cause is not worth a place in a sentence. */
const NAMED_FROM = 0.05;
const NAMED_AT_MOST = 3;

/** `p = 0.0123`, `p < 0.0001`. */
export function pText(p: number): string {
  return p < 0.0001 ? "p < 0.0001" : `p = ${p.toPrecision(2)}`;
}

/** What the sentences are made of. */
type Compared = Pick<Comparison, "metrics" | "causes"> & { readonly breakdown: { readonly totalNs: number } | null };

/** The headline: the blackout, then the phases that changed, then causes that changed although the whole did not. */
export function reasonText(compared: Compared): string {
  return [blackoutReason(compared), ...phaseSentences(compared), causeSentence(compared)]
    .filter((sentence) => sentence !== "")
    .join(" ");
}

/** The blackout alone: its place and its percentiles. */
export function blackoutReason({ metrics, breakdown, causes }: Compared): string {
  const [blackout] = metrics;
  if (blackout === undefined) throw new Error("a comparison without its primary metric");
  const by = `${formatSigned(blackout.shiftNs)}${relativeText(blackout)}`;
  const sure =
    blackout.shiftIntervalNs === null ? "" : `, between ${blackout.shiftIntervalNs.map(formatSigned).join(" and ")}`;
  const tails = tailText(blackout);
  switch (blackout.verdict) {
    case "regressed":
      return `The blackout is longer by ${by}${sure}${causesText(breakdown?.totalNs ?? null, causes)}.${tails.sentence}`;
    case "improved":
      return `The blackout is shorter: ${by}${sure}${causesText(breakdown?.totalNs ?? null, causes)}.${tails.sentence}`;
    case "unchanged":
      return tails.clause === ""
        ? `The blackout did not change by as much as ${formatDuration(blackout.floorNs)}: ${by}.`
        : `The blackout's median did not change by as much as ${formatDuration(blackout.floorNs)} (${formatSigned(blackout.shiftNs)}), but ${tails.clause}.`;
    case "inconclusive":
      return `Neither a change nor its absence is shown: ${by}${sure}${
        blackout.detectableNs === null
          ? ""
          : `; a shift of ${formatDuration(blackout.detectableNs)} would have been found in 8 of 10 such comparisons`
      }.${tails.sentence}`;
    case "insufficient":
      return `Too few updates: at ${blackout.base.updates} against ${blackout.candidate.updates} no difference could be shown; ${blackout.neededUpdates ?? "more"} a side are needed.`;
  }
}

/** ` (+57.5 %)`; empty for a baseline of zero, of which there is no share. */
function relativeText({ base, shiftNs }: MetricComparison): string {
  if (base.medianNs === 0) return "";
  return ` (${signedPercent(shiftNs / base.medianNs)})`;
}

/** `+57.5 %`, `-3.1 %`, `0.0 %`. */
export function signedPercent(share: number): string {
  const text = (100 * share).toFixed(1);
  return Number(text) === 0 ? "0.0 %" : `${share > 0 ? "+" : ""}${text} %`;
}

/** The percentile that moved most of those that changed; else of those whose interval excludes zero. */
function tailText(metric: MetricComparison): { readonly clause: string; readonly sentence: string } {
  const bySize = [...metric.percentileShifts]
    // The place of a metric that changed covers its p50.
    .filter(({ percentile }) => percentile > 50 || !isChange(metric.verdict))
    .sort((a, b) => Math.abs(b.shiftNs) - Math.abs(a.shiftNs));
  const shown =
    bySize.find(({ verdict }) => verdict === "regressed") ?? bySize.find(({ verdict }) => isChange(verdict));
  const doubtful = bySize.find((shift) => isDoubtful(shift, metric.floorNs));
  const found = shown ?? doubtful;
  if (found === undefined) return { clause: "", sentence: "" };
  const { percentile, shiftNs, shiftIntervalNs } = found;
  const how = shiftNs > 0 ? `longer by ${formatSigned(shiftNs)}` : `shorter: ${formatSigned(shiftNs)}`;
  const sure = `between ${shiftIntervalNs.map(formatSigned).join(" and ")}`;
  const clause =
    shown === undefined
      ? `its p${percentile} may be ${how} (${sure}), which so few updates do not show`
      : `its p${percentile} is ${how}, ${sure}${tailCausesText(metric, percentile)}`;
  return { clause, sentence: ` ${clause.charAt(0).toUpperCase()}${clause.slice(1)}.` };
}

/** What the updates beyond the percentile have more, or less, of. */
function tailCausesText({ causes, causesPercentile }: MetricComparison, percentile: number): string {
  if (causesPercentile !== percentile) return "";
  const totalNs = causes.reduce((sum, { shiftNs }) => sum + shiftNs, 0);
  const groups = groupsOf(causes, totalNs).filter(({ share }) => share >= NAMED_FROM);
  if (groups.length === 0) return "";
  const named = groups.slice(0, NAMED_AT_MOST).map(({ text }) => text);
  return `; beyond it on average ${named.join("; ")}`;
}

/** One sentence a phase that changed; short if the blackout's own change is explained already. */
function phaseSentences({ metrics }: Compared): readonly string[] {
  const [blackout, ...others] = metrics;
  const changed = others.filter(hasChanged);
  if (changed.length === 0) return [];
  if (blackout !== undefined && hasChanged(blackout)) {
    const named = changed.map(({ name, verdict, shiftNs, percentileShifts }) => {
      const tail = percentileShifts.find((shift) => isChange(shift.verdict));
      return isChange(verdict) || tail === undefined
        ? `${name} by ${formatSigned(shiftNs)}`
        : `the p${tail.percentile} of ${name} by ${formatSigned(tail.shiftNs)}`;
    });
    return [`Also changed: ${named.join(", ")}.`];
  }
  return changed.map((metric) => {
    const { name, verdict, shiftNs, shiftIntervalNs, causes } = metric;
    const tails = tailText(metric);
    if (!isChange(verdict)) return `Of ${name}, ${tails.clause}.`;
    const how = shiftNs > 0 ? "longer by" : "shorter:";
    const sure = shiftIntervalNs === null ? "" : `, between ${shiftIntervalNs.map(formatSigned).join(" and ")}`;
    const total = metric.candidate.medianNs - metric.base.medianNs;
    return `${subjectOf(name)} is ${how} ${formatSigned(shiftNs)}${relativeText(metric)}${sure}${causesText(total, causes)}.`;
  });
}

/** `The phase restore`, `LUO's work in restore`, `vm-blackout`. */
function subjectOf(name: string): string {
  const phase = WORK_PHASES[(WORK_MEASURES as readonly string[]).indexOf(name)];
  return phase === undefined ? `The phase ${name}` : `LUO's work in ${phase}`;
}

/** Causes that changed by themselves although the blackout did not change their way. */
function causeSentence({ metrics, causes }: Compared): string {
  const own = metrics[0] === undefined ? "inconclusive" : metricVerdict(metrics[0]);
  const changed = causes.filter(({ verdict }) => isChange(verdict) && verdict !== own);
  if (changed.length === 0) return "";
  const named = changed.slice(0, NAMED_AT_MOST).map((cause) => `${causeName(cause)} by ${formatSigned(cause.shiftNs)}`);
  const more = changed.length > named.length ? `, and ${changed.length - named.length} more` : "";
  return `By ${changed.length === 1 ? "itself" : "themselves"} changed: ${named.join(", ")}${more}.`;
}

function causesText(totalNs: number | null, causes: readonly CauseComparison[]): string {
  if (totalNs === null) return "";
  const groups = groupsOf(causes, totalNs).filter(({ share }) => share >= NAMED_FROM);
  if (groups.length === 0) return "";
  const named = groups.slice(0, NAMED_AT_MOST).map(({ text }) => text);
  return `; of ${formatSigned(totalNs)} on average, ${named.join("; ")}`;
}

/** Of a file, whose id is `SESSION TOKEN`: a session's name may hold blanks, a token none. */
function sessionOf({ kind, id }: CauseComparison): string {
  return kind === "file" ? id.slice(0, Math.max(0, id.lastIndexOf(" "))) : "";
}

/** Files of one session or systemd unit together; new, vanished and lasting causes of one kind and driver together. */
function groupsOf(causes: readonly CauseComparison[], totalNs: number): readonly Group[] {
  const grouped = new Map<string, CauseComparison[]>();
  for (const cause of causes) {
    const [low, high] = cause.shiftIntervalNs;
    if (low <= 0 && high >= 0) continue;
    const owner = cause.detail === "" ? sessionOf(cause) : cause.detail;
    const key = owner === "" ? `${cause.kind}:${cause.id}` : `${cause.kind} ${owner} ${cause.presence}`;
    grouped.set(key, [...(grouped.get(key) ?? []), cause]);
  }
  return [...grouped.values()]
    .map((members): Group => {
      const shiftNs = members.reduce((sum, cause) => sum + cause.shiftNs, 0);
      return { shiftNs, share: totalNs === 0 ? 0 : shiftNs / totalNs, text: groupText(members, shiftNs) };
    })
    .sort((a, b) => b.share - a.share);
}

function groupText(members: readonly CauseComparison[], shiftNs: number): string {
  const parts = new Map<string, number>();
  for (const { parts: own } of members) {
    for (const { name, shiftNs: ns } of own) if (name !== "") parts.set(name, (parts.get(name) ?? 0) + ns);
  }
  const who = whoText(members);
  const listed = [...parts].sort((a, b) => Math.abs(b[1]) - Math.abs(a[1]));
  if (listed.length === 0) return `${formatSigned(shiftNs)} in ${who}`;
  return `${listed.map(([name, ns]) => `${formatSigned(ns)} in ${name}`).join(" and ")} of ${who}`;
}

const NUMBERS = ["no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"];

/** `four new e1000s`, `initcall acpi_init`, `the new device 0000:00:05.0`. */
function whoText(members: readonly CauseComparison[]): string {
  const { detail, presence } = members[0]!;
  const adjective = presence === "both" ? "" : `${presence} `;
  if (members.length > 1) {
    const many = `${NUMBERS[members.length] ?? members.length} ${adjective}`;
    if (members[0]!.kind !== "file") return `${many}${detail}s`;
    return `${many}files of ${detail === "" ? `session ${sessionOf(members[0]!)}` : detail}`;
  }
  const name = causeName(members[0]!);
  return `the ${adjective}${name}${detail === "" ? "" : ` (${detail})`}`;
}

/** Of several causes in a row of a table: the parts of one. */
export function partsText(parts: CauseComparison["parts"]): string {
  return parts
    .filter(({ name }) => name !== "")
    .map(({ name, shiftNs }) => `${name} ${formatSigned(shiftNs)}`)
    .join(", ");
}
