/** Places the stamps that the new kernel's image took of the TSC, and checks them against the two boots' events. */
import type { DefectInput } from "../../base/defect.js";
import { formatDuration } from "../../base/text/format.js";
import type { Boot } from "../../base/time.js";
import type { Extent, ImageStamps, RecordedStamps } from "../../model/collected.js";
import type { LinkedClocks } from "./clock-link.js";

export interface PlacedStamps {
  readonly placed: ImageStamps | null;
  readonly defect: DefectInput | null;
}

/** Null if the image has none, or no link puts the TSC on the axis: then there is no seam either. */
export function placeImageStamps(
  stamps: RecordedStamps | null,
  { tscAxisNs, link }: Pick<LinkedClocks, "tscAxisNs" | "link">,
  extents: Readonly<Record<Boot, Extent | null>>,
): PlacedStamps {
  if (stamps === null || tscAxisNs === null || !link.joint) return { placed: null, defect: null };
  const place = (count: bigint | null): number | null => (count === null ? null : tscAxisNs(count));
  const placed: ImageStamps = { entryNs: place(stamps.entry), exitNs: place(stamps.exit) };
  const reason = faultOf(placed, extents, link.uncertaintyNs ?? 0);
  if (reason === null) return { placed, defect: null };
  return {
    placed: null,
    defect: {
      code: "stamp-outside-seam",
      severity: "error",
      file: stamps.file,
      boot: "new",
      message: `${reason}: the image's stamps are not used.`,
      advice: "Check that boot_params and the trace are of one update.",
    },
  };
}

/** What is wrong with the stamps, beyond the link's ±; null if nothing is. */
function faultOf(
  { entryNs, exitNs }: ImageStamps,
  { old, new: fresh }: Readonly<Record<Boot, Extent | null>>,
  uncertaintyNs: number,
): string | null {
  for (const [name, ns] of [
    ["Stamp 1", entryNs],
    ["Stamp 2", exitNs],
  ] as const) {
    if (ns === null) continue;
    if (old !== null && ns < old.lastNs - uncertaintyNs)
      return `${name} lies ${formatDuration(old.lastNs - ns)} before the old kernel's last event`;
    if (fresh !== null && ns > fresh.firstNs + uncertaintyNs)
      return `${name} lies ${formatDuration(ns - fresh.firstNs)} after the new kernel's first event`;
  }
  if (entryNs !== null && exitNs !== null && exitNs <= entryNs) return "Stamp 2 does not lie after stamp 1";
  return null;
}
