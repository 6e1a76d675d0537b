/** The track of a capture's defects. */

import type { DefectDocument } from "../../../model/live-update.js";
import type { TraceTime } from "../packets/trace-time.js";
import type { TraceWriter } from "../packets/trace-writer.js";
import { Rank, type Roots } from "./track-order.js";

/** Defects named in a track's description; all are counted. */
const NAMED_DEFECTS = 20;

/** Returns how many have no time that can be drawn; the track's description names them. */
export function writeDefects(
  writer: TraceWriter,
  defects: readonly DefectDocument[],
  roots: Roots,
  time: TraceTime,
): number {
  if (defects.length === 0) return 0;
  const at = (found: DefectDocument): number | null =>
    found.atNs === null
      ? null
      : time.joint
        ? time.at("old", found.atNs)
        : found.boot && time.at(found.boot, found.atNs);
  const lost = defects.filter((found) => at(found) === null);
  const named = lost.slice(0, NAMED_DEFECTS).map((found) => `${found.code} ${found.file} ×${found.count}`);
  const more = lost.length > NAMED_DEFECTS ? `; ${lost.length - NAMED_DEFECTS} more` : "";
  const tracks = new Map<number, number>();
  const trackIn = (root: number): number => {
    const known = tracks.get(root);
    if (known !== undefined) return known;
    const uuid = writer.track({
      parent: root,
      name: "Defects",
      rank: Rank.defects,
      description: `What is missing in the capture or could not be decoded.${
        lost.length > 0 ? ` At no known time: ${named.join("; ")}${more}.` : ""
      }`,
    });
    tracks.set(root, uuid);
    return uuid;
  };
  trackIn(roots.old);
  for (const found of defects) {
    const place = at(found);
    if (place === null) continue;
    writer.event("instant", place, trackIn(roots[found.boot ?? "old"]), found.code, "defect", [
      ["severity", found.severity],
      ["message", found.message],
      ["advice", found.advice],
      ["file", found.file],
      ["line", found.line],
      ["byte", found.byte],
      ["boot", found.boot],
      ["count", found.count],
    ]);
  }
  return lost.length;
}
