/** Asks a filter of a line that is parsed, before it becomes a row: names are matched once each. */

import type { StringTable } from "../../base/bytes/string-table.js";
import { EventKind } from "../../model/collected.js";
import type { RecordFilter } from "../../model/traces/trace-file.js";
import type { LineParser } from "./line-parser.js";

export class RowFilter {
  readonly #names = new Map<number, boolean>();
  /** The limits as seconds and nanoseconds, as the parser has a line's time. */
  readonly #from: bigint;
  readonly #to: bigint;
  readonly #fromSeconds: number;
  readonly #toSeconds: number;

  constructor(
    readonly filter: RecordFilter,
    readonly strings: StringTable,
  ) {
    this.#from = filter.from;
    this.#to = filter.to;
    this.#fromSeconds = Number(filter.from / SECOND);
    this.#toSeconds = Number(filter.to / SECOND);
  }

  wants(parser: LineParser): boolean {
    const { names, pids, cpus } = this.filter;
    if (cpus !== null && !cpus.has(parser.cpu)) return false;
    if (pids !== null && !pids.has(parser.pid)) return false;
    if (names !== null && !this.#named(parser.name, parser.kind)) return false;
    // A line without a time is of no time that could be asked for.
    if (parser.high < 0 || parser.negative) return this.#from === 0n;
    if (parser.high < this.#fromSeconds || parser.high > this.#toSeconds) return false;
    if (parser.high > this.#fromSeconds && parser.high < this.#toSeconds) return true;
    const time = BigInt(parser.high) * SECOND + BigInt(parser.low);
    return time >= this.#from && time <= this.#to;
  }

  #named(id: number, kind: number): boolean {
    const name = this.strings.stringOf(id);
    if (name === "" && kind !== EventKind.event && kind !== EventKind.marker) {
      return this.filter.names?.has(kind === EventKind.graphExit ? "funcgraph_exit" : "funcgraph_entry") ?? true;
    }
    let wanted = this.#names.get(id);
    if (wanted === undefined) {
      wanted = this.filter.names?.has(name) ?? true;
      this.#names.set(id, wanted);
    }
    return wanted;
  }
}

const SECOND = 1_000_000_000n;
