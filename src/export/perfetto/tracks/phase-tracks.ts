/** The tracks of the blackout, the phases and the seam. */

import type { BlackoutDocument, LiveUpdateDocument, PhaseDocument } from "../../../model/live-update.js";
import { bootsOfPhase } from "../packets/trace-time.js";
import type { Annotations, TrackInput } from "../packets/trace-writer.js";
import type { SliceDrawer } from "./slices.js";
import { Rank, type Roots, uncertaintyWords } from "./track-order.js";

function evidenceOf({ begin, end }: PhaseDocument["evidence"]): Annotations {
  return [
    ["begin_event", begin?.event ?? null],
    ["begin_confidence", begin?.confidence ?? null],
    ["begin_source", begin === null ? null : `${begin.file}:${begin.place}`],
    ["end_event", end?.event ?? null],
    ["end_confidence", end?.confidence ?? null],
    ["end_source", end === null ? null : `${end.file}:${end.place}`],
  ];
}

function rangeOf(end: "begin" | "end", range: readonly [number | null, number | null] | null): Annotations {
  return range === null
    ? []
    : [
        [`${end}_earliest_ns`, range[0]],
        [`${end}_latest_ns`, range[1]],
      ];
}

/** Only on a joint axis: the blackout begins in one boot and ends in the other. */
export function writeBlackout(drawer: SliceDrawer, blackout: BlackoutDocument, roots: Roots): void {
  if (!drawer.time.joint) return;
  drawer.draw(blackoutTrack(roots, blackout), (uuid) => {
    if (blackout.beginNs === null && blackout.endNs === null) return [];
    const known: Annotations = [
      ["duration_ns", blackout.durationNs],
      ["uncertainty_ns", blackout.uncertaintyNs],
      ["basis", blackout.basis],
      ...evidenceOf(blackout.evidence),
    ];
    return [drawer.part(uuid, "blackout", "blackout", ["old", blackout.beginNs], ["new", blackout.endNs], known)];
  });
}

function blackoutTrack(roots: Roots, blackout: BlackoutDocument): TrackInput {
  const basis =
    blackout.basis === "vm-marks"
      ? "From the first VM's pause to the last one's resume"
      : blackout.basis === "vcpu"
        ? "From the first VM whose vCPUs stood still to the last one's that ran again"
        : blackout.basis === "kernel-observed"
          ? "Kernel-observed, from freeze begin to restore end"
          : "Not known";
  return {
    parent: roots.old,
    name: "Blackout",
    rank: Rank.blackout,
    description: `${basis}; ${uncertaintyWords(blackout.uncertaintyNs)}.`,
  };
}

/** One track for both boots, or one each if no clock link joins them. */
export function writePhases(drawer: SliceDrawer, all: readonly PhaseDocument[], roots: Roots): void {
  const { time } = drawer;
  for (const boot of time.joint ? (["old"] as const) : (["old", "new"] as const)) {
    const phases = all.filter((phase) => time.joint || bootsOfPhase(phase.name).includes(boot));
    drawer.draw(phasesTrack(roots[boot], phases), (uuid) =>
      phases.map((phase) => {
        const [from, to] = bootsOfPhase(phase.name);
        // Without a link, each end of the kexec phase is an instant among its own boot's phases.
        const ends = [
          time.joint || from === boot ? phase.beginNs : null,
          time.joint || to === boot ? phase.endNs : null,
        ] as const;
        if (ends[0] === null && ends[1] === null) return null;
        return drawer.part(
          uuid,
          phase.name,
          "phase",
          [from, ends[0]],
          [to, ends[1]],
          [
            ["duration_ns", phase.durationNs],
            ["uncertainty_ns", phase.uncertaintyNs],
            ["axis", phase.axis],
            ...rangeOf("begin", phase.beginRangeNs),
            ...rangeOf("end", phase.endRangeNs),
            ...evidenceOf(phase.evidence),
          ],
        );
      }),
    );
  }
}

function phasesTrack(parent: number, phases: readonly PhaseDocument[]): TrackInput {
  const unseen = phases.filter((phase) => phase.durationNs === null).map((phase) => phase.name);
  return {
    parent,
    name: "Phases",
    rank: Rank.phases,
    description: `Phases of the update${unseen.length > 0 ? `; a boundary is missing of: ${unseen.join(", ")}` : ""}.`,
  };
}

/** Only on a joint axis. */
export function writeSeam(drawer: SliceDrawer, { seam, clock }: LiveUpdateDocument, roots: Roots): void {
  if (!drawer.time.joint) return;
  const track = {
    parent: roots.old,
    name: "Seam",
    rank: Rank.seam,
    description:
      "From the old boot's last event to the new boot's first: nothing was recorded here. " +
      `${uncertaintyWords(seam.uncertaintyNs)}.`,
  };
  drawer.draw(track, (uuid) =>
    seam.beginNs === null && seam.endNs === null
      ? []
      : [
          drawer.part(
            uuid,
            "seam",
            "seam",
            ["old", seam.beginNs],
            ["new", seam.endNs],
            [
              ["duration_ns", seam.durationNs],
              ["uncertainty_ns", seam.uncertaintyNs],
              ["clock_method", clock.method],
            ],
          ),
        ],
  );
}
