/** The verdict in one sentence: how much, and by what. */

import { formatDuration, formatSigned } from "../../base/text/format.js";
import type { CauseComparison, MetricComparison } from "../../model/documents/comparison.js";
import { causeName } from "../../model/update-sample.js";
import type { Breakdown } from "./breakdown.js";

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

export function reasonSentence(
  blackout: MetricComparison,
  breakdown: Breakdown | null,
  causes: readonly CauseComparison[],
): string {
  const relative = blackout.base.medianNs === 0 ? 0 : (100 * blackout.shiftNs) / blackout.base.medianNs;
  const by = `${formatSigned(blackout.shiftNs)} (${relative < 0 ? "" : "+"}${relative.toFixed(1)} %)`;
  const sure =
    blackout.shiftIntervalNs === null ? "" : `, between ${blackout.shiftIntervalNs.map(formatSigned).join(" and ")}`;
  switch (blackout.verdict) {
    case "regressed":
      return `The blackout is longer by ${by}${sure}${causesText(breakdown, causes)}.`;
    case "improved":
      return `The blackout is shorter: ${by}${sure}${causesText(breakdown, causes)}.`;
    case "unchanged":
      return `The blackout did not change by as much as ${formatDuration(blackout.floorNs)}: ${by}.`;
    case "inconclusive":
      return `Neither a change nor its absence is shown: ${by}${sure}${
        blackout.detectableNs === null
          ? ""
          : `; a shift of ${formatDuration(blackout.detectableNs)} would have been found in 8 of 10 such comparisons`
      }.`;
    case "insufficient":
      return `Too few updates: at ${blackout.base.updates} against ${blackout.candidate.updates} no difference could be shown; ${blackout.neededUpdates ?? "more"} a side are needed.`;
  }
}

function causesText(breakdown: Breakdown | null, causes: readonly CauseComparison[]): string {
  if (breakdown === null) return "";
  const groups = groupsOf(causes, breakdown).filter(({ share }) => share >= NAMED_FROM);
  if (groups.length === 0) return "";
  const named = groups.slice(0, NAMED_AT_MOST).map(({ text }) => text);
  return `; of ${formatSigned(breakdown.totalNs)} on average, ${named.join("; ")}`;
}

/** New, vanished and lasting causes of one kind and detail (driver) together: four new e1000s are one reason. */
function groupsOf(causes: readonly CauseComparison[], breakdown: Breakdown): readonly Group[] {
  const grouped = new Map<string, CauseComparison[]>();
  for (const cause of causes) {
    const [low, high] = cause.shiftIntervalNs;
    if (low <= 0 && high >= 0) continue;
    const key = cause.detail === "" ? `${cause.kind}:${cause.id}` : `${cause.kind} ${cause.detail} ${cause.presence}`;
    grouped.set(key, [...(grouped.get(key) ?? []), cause]);
  }
  return [...grouped.values()]
    .map((members): Group => {
      const shiftNs = members.reduce((sum, cause) => sum + cause.shiftNs, 0);
      return { shiftNs, share: shiftNs / breakdown.totalNs, text: groupText(members, shiftNs) };
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
  if (members.length > 1) return `${NUMBERS[members.length] ?? members.length} ${adjective}${detail}s`;
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
