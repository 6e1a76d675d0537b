/** The tracks that show the analysed document: blackout, phases, seam, sessions, VMs, kernel logs, defects. */

import { complaintOf } from "../../../analyze/update/health.js";
import type { Boot } from "../../../base/time.js";
import type {
  BlackoutDocument,
  DefectDocument,
  LiveUpdate,
  LiveUpdateDocument,
  PhaseDocument,
  PlacedPrintk,
  SessionDocument,
  VmDocument,
} from "../../../model/live-update.js";
import { bootsOfPhase, type TraceTime } from "../packets/trace-time.js";
import type { Annotations, TraceWriter, TrackInput } from "../packets/trace-writer.js";
import { compareRows, layOut } from "./lanes.js";

/** Order of the tracks below a live update's own. */
export const Rank = {
  blackout: 0,
  phases: 1,
  seam: 2,
  tree: 3,
  chain: 4,
  devices: 5,
  silence: 6,
  sessions: 7,
  vms: 8,
  log: 9,
  initcalls: 11,
  kinds: 13,
  markers: 60,
  defects: 62,
  cpus: 63,
} as const;

/** The parent of a boot's tracks: one track for both boots, or one each if no clock link joins them. */
export interface Roots {
  readonly old: number;
  readonly new: number;
}

export interface SessionTracks {
  /** The parent of the sessions. */
  readonly group: number;
  readonly bySession: ReadonlyMap<string, number>;
  /** By `fileKey`. */
  readonly byFile: ReadonlyMap<string, { readonly uuid: number; readonly input: TrackInput }>;
}

export interface DocumentTracks {
  readonly roots: Roots;
  readonly sessions: SessionTracks;
  /** Parts of the document without a time, or with one that cannot be drawn. */
  readonly unplaced: number;
  readonly printkOutside: number;
}

/** Syslog severities, include/linux/kern_levels.h. */
const SEVERITIES = ["emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"] as const;

interface Slice {
  readonly name: string;
  readonly category: string;
  readonly begin: number;
  readonly end: number;
  readonly annotations: Annotations;
  readonly flow?: { readonly starts?: number; readonly ends?: number };
}

/**
 * Slices on a track and, if they overlap, on further tracks of the same name and parent: Perfetto draws these as one.
 */
function writeSlices(writer: TraceWriter, first: number, input: TrackInput, slices: readonly Slice[]): void {
  const intervals = {
    begin: slices.map(({ begin }) => begin),
    end: slices.map(({ end }) => end),
    parent: slices.map(() => -1),
  };
  const rows = slices.map((_, row) => row).sort((a, b) => compareRows(intervals, a, b));
  let used = false;
  layOut(intervals, rows, {
    track: () => {
      if (used) return writer.track(input);
      used = true;
      return first;
    },
    begin: (row, uuid) => {
      const { begin, name, category, annotations, flow } = slices[row] as Slice;
      writer.event("slice", begin, uuid, name, category, annotations, flow);
    },
    end: (row, uuid) => writer.endSlice((slices[row] as Slice).end, uuid),
  });
}

const plusMinus = (ns: number | null): string => (ns === null ? "uncertainty unknown" : `± ${ns} ns`);

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

/** Writes the document's tracks. */
export function writeDocument(writer: TraceWriter, update: LiveUpdate, time: TraceTime): DocumentTracks {
  const { document } = update;
  const roots = writeRoots(writer, document, time);
  let unplaced = 0;

  /** A part with a begin and an end; an instant if only one of them is known. */
  const part = (
    track: number,
    name: string,
    category: string,
    from: readonly [Boot, number | null],
    to: readonly [Boot, number | null],
    annotations: Annotations,
    words: readonly [begin: string, end: string] = ["begin", "end"],
  ): Slice | null => {
    const begin = from[1] === null ? null : time.at(from[0], from[1]);
    const end = to[1] === null ? null : time.at(to[0], to[1]);
    const comparable = time.joint || from[0] === to[0];
    if (begin !== null && end !== null && comparable && end >= begin)
      return { name, category, begin, end, annotations };
    if (begin === null && end === null) {
      unplaced += 1;
      return null;
    }
    const why = begin === null || end === null ? "not seen" : "on another axis";
    if (begin !== null) {
      writer.event("instant", begin, track, `${name} ${words[0]} (${words[1]} ${why})`, category, annotations);
    }
    if (end !== null) {
      writer.event("instant", end, track, `${name} ${words[1]} (${words[0]} ${why})`, category, annotations);
    }
    return null;
  };
  const draw = (track: TrackInput, make: (uuid: number) => readonly (Slice | null)[]): number => {
    const uuid = writer.track(track);
    const slices = make(uuid).filter((slice) => slice !== null);
    writeSlices(writer, uuid, track, slices);
    return uuid;
  };

  const { blackout, seam } = document;
  if (time.joint) {
    draw(blackoutTrack(roots, blackout), (uuid) => {
      if (blackout.beginNs === null && blackout.endNs === null) return [];
      const known: Annotations = [
        ["duration_ns", blackout.durationNs],
        ["uncertainty_ns", blackout.uncertaintyNs],
        ["basis", blackout.basis],
        ...evidenceOf(blackout.evidence),
      ];
      return [part(uuid, "blackout", "blackout", ["old", blackout.beginNs], ["new", blackout.endNs], known)];
    });
  }

  for (const boot of time.joint ? (["old"] as const) : (["old", "new"] as const)) {
    const phases = document.phases.filter((phase) => time.joint || bootsOfPhase(phase.name).includes(boot));
    draw(phasesTrack(roots[boot], phases), (uuid) =>
      phases.map((phase) => {
        const [from, to] = bootsOfPhase(phase.name);
        // Without a link, each end of the kexec phase is an instant among its own boot's phases.
        const ends = [
          time.joint || from === boot ? phase.beginNs : null,
          time.joint || to === boot ? phase.endNs : null,
        ] as const;
        if (ends[0] === null && ends[1] === null) return null;
        return part(
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

  if (time.joint) {
    const track = {
      parent: roots.old,
      name: "Seam",
      rank: Rank.seam,
      description:
        "From the old boot's last event to the new boot's first: nothing was recorded here. " +
        `${plusMinus(seam.uncertaintyNs)}.`,
    };
    draw(track, (uuid) =>
      seam.beginNs === null && seam.endNs === null
        ? []
        : [
            part(
              uuid,
              "seam",
              "seam",
              ["old", seam.beginNs],
              ["new", seam.endNs],
              [
                ["duration_ns", seam.durationNs],
                ["uncertainty_ns", seam.uncertaintyNs],
                ["clock_method", document.clock.method],
              ],
            ),
          ],
    );
  }

  const sessions = writeSessions(writer, document.sessions, roots, time, draw, part);
  if (document.vms.length > 0) writeVms(writer, document.vms, roots, time, draw, part);
  const printkOutside = writeLogs(writer, update.printk, roots, time, () => {
    unplaced += 1;
  });
  unplaced += writeDefects(writer, document.defects, roots, time);
  return { roots, sessions, unplaced, printkOutside };
}

type Draw = (track: TrackInput, make: (uuid: number) => readonly (Slice | null)[]) => number;
type Part = (
  track: number,
  name: string,
  category: string,
  from: readonly [Boot, number | null],
  to: readonly [Boot, number | null],
  annotations: Annotations,
  words?: readonly [begin: string, end: string],
) => Slice | null;

function rangeOf(end: "begin" | "end", range: readonly [number | null, number | null] | null): Annotations {
  return range === null
    ? []
    : [
        [`${end}_earliest_ns`, range[0]],
        [`${end}_latest_ns`, range[1]],
      ];
}

function writeRoots(writer: TraceWriter, document: LiveUpdateDocument, time: TraceTime): Roots {
  const { capture, clock, outcomeReason, outcome } = document;
  const said = `${outcome}: ${outcomeReason}`;
  if (time.joint) {
    const uuid = writer.track({
      parent: 0,
      name: `Live update ${capture.name}`,
      ordered: true,
      rank: 0,
      description: `${said} Clock link: ${clock.method}, ${plusMinus(clock.uncertaintyNs)}. Zero of the axis is at trace time ${time.zeroNs.old} ns.`,
    });
    return { old: uuid, new: uuid };
  }
  const root = (boot: Boot, rank: number): number =>
    writer.track({
      parent: 0,
      name: `Live update ${capture.name}: ${boot} boot, on its own axis`,
      ordered: true,
      rank,
      description:
        `${said} No clock link joins the two boots: the distance between this group and the other has no meaning. ` +
        `Zero of this axis is at trace time ${time.zeroNs[boot]} ns.`,
    });
  return { old: root("old", 0), new: root("new", 1) };
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
    description: `${basis}; ${plusMinus(blackout.uncertaintyNs)}.`,
  };
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

/**
 * The session of a file, from `session token`; a numeric token is the same in decimal (probes) and hexadecimal (marks).
 */
export function fileKey(name: string): string {
  const blank = name.lastIndexOf(" ");
  const session = name.slice(0, Math.max(0, blank));
  const token = name.slice(blank + 1);
  const value = Number(token);
  return `${session} ${token !== "" && Number.isSafeInteger(value) ? value : token}`;
}

function writeSessions(
  writer: TraceWriter,
  sessions: readonly SessionDocument[],
  roots: Roots,
  time: TraceTime,
  draw: Draw,
  part: Part,
): SessionTracks {
  const bySession = new Map<string, number>();
  const byFile = new Map<string, { uuid: number; input: TrackInput }>();
  const group = writer.track({
    parent: roots.old,
    name: "Sessions",
    ordered: true,
    rank: Rank.sessions,
    description: "LUO sessions, each with its phases, its calls and its files' calls by token.",
  });
  sessions.forEach((session, rank) => {
    const flow = rank + 1;
    const lastOld = session.phases.findLast(({ name }) => bootsOfPhase(name)[0] === "old");
    const firstNew = session.phases.find(({ name }) => bootsOfPhase(name)[0] === "new");
    const flows = time.joint && lastOld !== undefined && firstNew !== undefined;
    const track = {
      parent: group,
      name: session.name,
      ordered: true,
      rank,
      description: `Session ${session.name}: ${session.files.length} files.`,
    };
    const uuid = draw(track, (at) =>
      session.phases.map((phase) => {
        const [boot] = bootsOfPhase(phase.name);
        const slice = part(
          at,
          phase.name,
          "session",
          [boot, phase.beginNs],
          [boot, phase.endNs],
          [
            ["session", session.name],
            ["duration_ns", phase.durationNs],
          ],
        );
        if (slice === null || !flows) return slice;
        if (phase === lastOld) return { ...slice, flow: { starts: flow } };
        return phase === firstNew ? { ...slice, flow: { ends: flow } } : slice;
      }),
    );
    bySession.set(session.name, uuid);
    session.files.forEach((file, fileRank) => {
      const known = [
        file.handler === null ? "" : `, ${file.handler}`,
        file.bytes === null ? "" : `, ${file.bytes} bytes`,
      ].join("");
      const input: TrackInput = {
        parent: uuid,
        name: `${file.token}${file.handler === null ? "" : ` ${file.handler}`}`,
        rank: fileRank + 1,
        description: `Token ${file.token}${known}. ${costOf(file)}`,
      };
      byFile.set(fileKey(`${session.name} ${file.token}`), { uuid: writer.track(input), input });
    });
  });
  return { group, bySession, byFile };
}

function costOf(file: SessionDocument["files"][number]): string {
  const cost = (ns: number | null): string => (ns === null ? "unknown" : `${ns} ns`);
  return `Preserve ${cost(file.preserveNs)}, freeze ${cost(file.freezeNs)}, retrieve ${cost(file.retrieveNs)}.`;
}

function writeVms(
  writer: TraceWriter,
  vms: readonly VmDocument[],
  roots: Roots,
  time: TraceTime,
  draw: Draw,
  part: Part,
): void {
  const group = writer.track({
    parent: roots.old,
    name: "VMs",
    ordered: true,
    rank: Rank.vms,
    description: "Each VM from its pause to its resume.",
  });
  vms.forEach((vm, rank) => {
    // Without a link, a duration is known only if both marks are of the old boot: the update was aborted.
    const resumed: Boot = time.joint || vm.durationNs === null ? "new" : "old";
    draw({ parent: group, name: `VM ${vm.id}`, rank }, (uuid) => [
      part(
        uuid,
        vm.id,
        "vm",
        ["old", vm.beginNs],
        [resumed, vm.endNs],
        [["duration_ns", vm.durationNs]],
        ["paused", "resumed"],
      ),
    ]);
  });
}

function writeLogs(
  writer: TraceWriter,
  printk: readonly PlacedPrintk[],
  roots: Roots,
  time: TraceTime,
  unplaced: () => void,
): number {
  let outside = 0;
  const tracks: Partial<Record<Boot, number>> = {};
  for (const line of printk) {
    const { boot, atNs, level } = line;
    if (atNs !== null && !time.nearTraced(boot, atNs)) {
      outside += 1;
      continue;
    }
    const at = atNs === null ? null : time.at(boot, atNs);
    if (at === null) {
      unplaced();
      continue;
    }
    tracks[boot] ??= writer.track({
      parent: roots[boot],
      name: `Kernel log (${boot})`,
      rank: Rank.log + (boot === "old" ? 0 : 1),
      description: `printk lines of the ${boot} kernel; their stamps have microseconds.`,
    });
    writer.event("instant", at, tracks[boot], line.text, "printk", [
      ["severity", level === null ? null : (SEVERITIES[level] ?? null)],
      ["level", level],
      ["health", complaintOf(line.text, level)?.class ?? null],
      ["stamp_ns", line.stampNs],
      ["uncertainty_ns", line.uncertaintyNs],
    ]);
  }
  return outside;
}

/** Defects named in a track's description; all are counted. */
const NAMED_DEFECTS = 20;

function writeDefects(writer: TraceWriter, defects: readonly DefectDocument[], roots: Roots, time: TraceTime): number {
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
