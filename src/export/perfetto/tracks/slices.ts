/** Slices of a track: what has a begin and an end, or an instant if only one of them is seen. */

import type { Boot } from "../../../base/time.js";
import type { TraceTime } from "../packets/trace-time.js";
import type { Annotations, TraceWriter, TrackInput } from "../packets/trace-writer.js";
import { compareRows, layOut } from "./lanes.js";

export interface Slice {
  readonly name: string;
  readonly category: string;
  readonly begin: number;
  readonly end: number;
  readonly annotations: Annotations;
  readonly flow?: { readonly starts?: number; readonly ends?: number };
}

/** A boot, and a time of the update's axis in it; null if it is not seen. */
type Edge = readonly [boot: Boot, atNs: number | null];

/** Draws the parts of a document, and counts those without a time that can be drawn. */
export class SliceDrawer {
  #unplaced = 0;

  constructor(
    readonly writer: TraceWriter,
    readonly time: TraceTime,
  ) {}

  /** Parts without a time, or with one that cannot be drawn. */
  get unplaced(): number {
    return this.#unplaced;
  }

  /** A part with a begin and an end; an instant if only one of them is known. */
  part(
    track: number,
    name: string,
    category: string,
    from: Edge,
    to: Edge,
    annotations: Annotations,
    words: readonly [begin: string, end: string] = ["begin", "end"],
  ): Slice | null {
    const begin = from[1] === null ? null : this.time.at(from[0], from[1]);
    const end = to[1] === null ? null : this.time.at(to[0], to[1]);
    const comparable = this.time.joint || from[0] === to[0];
    if (begin !== null && end !== null && comparable && end >= begin)
      return { name, category, begin, end, annotations };
    if (begin === null && end === null) {
      this.#unplaced += 1;
      return null;
    }
    const why = begin === null || end === null ? "not seen" : "on another axis";
    if (begin !== null) {
      this.writer.event("instant", begin, track, `${name} ${words[0]} (${words[1]} ${why})`, category, annotations);
    }
    if (end !== null) {
      this.writer.event("instant", end, track, `${name} ${words[1]} (${words[0]} ${why})`, category, annotations);
    }
    return null;
  }

  /** A track with slices on it; returns the track. */
  draw(track: TrackInput, make: (uuid: number) => readonly (Slice | null)[]): number {
    const uuid = this.writer.track(track);
    const slices = make(uuid).filter((slice) => slice !== null);
    writeSlices(this.writer, uuid, track, slices);
    return uuid;
  }
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
