/** A trace in one file, whatever wrote it: its parts as sources of events, and what a reader may leave out. */
import type { EventSource } from "../collected.js";

export type Membership<T> = Pick<ReadonlySet<T>, "has">;

/**
 * Which events are read. Pages entirely outside `from` to `to` are not read at all; records of other events cost almost
 * nothing.
 */
export interface RecordFilter {
  /** Null: all. */
  readonly names: Membership<string> | null;
  readonly pids: Membership<number> | null;
  readonly cpus: Membership<number> | null;
  /** Whether an event with these fields may match; called if formats are known. Without it, every event may. */
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
  /** Nanoseconds a count of its clock; null for a clock that counts at a rate which nothing beside the trace shows. */
  readonly nsPerCount: number | null;
  /** The reader leaves out what the filter rejects if it can; the caller must still check. */
  source(filter?: RecordFilter): EventSource;
}

export interface TraceFile {
  /** What it is: `trace.dat, version 7`. */
  readonly what: string;
  /** `Linux 7.3.4 x86_64`, if the file states it. */
  readonly uname: string | null;
  readonly parts: readonly TracePart[];
  /**
   * For a recording session over several machines (trace-cmd's): its own id, and that of the one whose clock it uses.
   */
  readonly session: { readonly id: bigint; readonly peer: bigint | null } | null;
}
