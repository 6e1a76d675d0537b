/** A trace in one file, whatever wrote it: its parts as sources of events, and what a reader may leave out. */
import type { EventSource } from "./collected.js";

export type Membership<T> = Pick<ReadonlySet<T>, "has">;

/**
 * Which events are read at all. Pages wholly outside `from` to `to` are not even read, records of other events cost
 * next to nothing.
 */
export interface RecordFilter {
  /** Null: all. */
  readonly names: Membership<string> | null;
  readonly pids: Membership<number> | null;
  readonly cpus: Membership<number> | null;
  /** Whether an event may be wanted that has these fields; asked where formats are known, all may unless given. */
  readonly fields?: ((has: (field: string) => boolean) => boolean) | null;
  /** Counts of the trace clock, both included. */
  readonly from: bigint;
  readonly to: bigint;
}

export interface TracePart {
  /** The instance's name; empty for the top one. */
  readonly name: string;
  /** As the file names it. */
  readonly clock: string;
  /** Where the reader can, it leaves out what the filter does not want; the caller still has to look. */
  source(filter?: RecordFilter): EventSource;
}

export interface TraceFile {
  /** What it is: `trace.dat, version 7`. */
  readonly what: string;
  /** `Linux 7.3.4 x86_64`, where the file says. */
  readonly uname: string | null;
  readonly parts: readonly TracePart[];
  /** Of a recording session over several machines (trace-cmd's): its own id, and that of the one whose time it is on. */
  readonly session: { readonly id: bigint; readonly peer: bigint | null } | null;
}
