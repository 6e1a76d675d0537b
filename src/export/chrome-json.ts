/**
 * Events in Chrome's JSON trace format (Trace Event Format): begin and end of traced functions, all else as instants.
 * Times are microseconds with three decimals: exact nanoseconds.
 */
import { type EventChunk, EventKind } from "../model/collected.js";

/** `0.123`: exact, since a double of microseconds is not. */
function microseconds(ns: number): string {
  const whole = Math.floor(ns / 1000);
  return `${whole}.${String(ns - whole * 1000).padStart(3, "0")}`;
}

const PROCESS = 1;

/**
 * Rows as objects of `traceEvents`, each with a newline and a comma before all but the first. Rows with the time NaN
 * are skipped.
 */
export class ChromeJson {
  readonly #out: (text: string) => void;
  readonly #named = new Map<number, string>();
  #first = true;
  written = 0;

  constructor(out: (text: string) => void) {
    this.#out = out;
    out('{"displayTimeUnit":"ns","traceEvents":[');
  }

  #object(text: string): void {
    this.#out(`${this.#first ? "\n" : ",\n"}${text}`);
    this.#first = false;
  }

  chunk(chunk: EventChunk, axisNs: Float64Array): void {
    for (let row = 0; row < chunk.count; row++) {
      const at = axisNs[row] as number;
      if (!Number.isSafeInteger(at) || at < 0) continue;
      const pid = chunk.pid[row] as number;
      const cpu = chunk.cpu[row] as number;
      // The idle tasks share pid 0.
      const tid = pid > 0 ? pid : -1 - cpu;
      const comm = chunk.strings.stringOf(chunk.comm[row] as number);
      const name = pid > 0 ? comm : `CPU ${cpu}, idle`;
      if (name !== "" && name !== "<...>" && this.#named.get(tid) !== name) {
        this.#named.set(tid, name);
        this.#object(
          `{"ph":"M","name":"thread_name","pid":${PROCESS},"tid":${tid},"args":{"name":${JSON.stringify(name)}}}`,
        );
      }
      this.#row(chunk, row, at, tid);
      this.written += 1;
    }
  }

  #row(chunk: EventChunk, row: number, at: number, tid: number): void {
    const fields = chunk.fields(row);
    const place = `"pid":${PROCESS},"tid":${tid},"ts":${microseconds(at)}`;
    const func = JSON.stringify(String(fields.get("func") ?? "?"));
    switch (chunk.kind[row]) {
      case EventKind.graphEntry:
        this.#object(`{"ph":"B","cat":"function","name":${func},${place}}`);
        return;
      case EventKind.graphExit:
        this.#object(`{"ph":"E","cat":"function","name":${func},${place}}`);
        return;
      case EventKind.graphLeaf: {
        const duration = fields.get("duration");
        const ns = typeof duration === "number" && duration > 0 ? Math.round(duration) : 0;
        this.#object(`{"ph":"X","cat":"function","name":${func},${place},"dur":${microseconds(ns)}}`);
        return;
      }
      default: {
        const marker = chunk.kind[row] === EventKind.marker;
        const name = marker
          ? String(fields.get("buf") ?? "").trimEnd()
          : chunk.strings.stringOf(chunk.name[row] as number);
        const args = [`"cpu":${chunk.cpu[row]}`];
        if (!marker) {
          for (const [key, value] of fields) {
            args.push(`${JSON.stringify(key)}:${typeof value === "bigint" ? `"${value}"` : JSON.stringify(value)}`);
          }
        }
        this.#object(
          `{"ph":"i","s":"t","cat":"${marker ? "marker" : "event"}","name":${JSON.stringify(name)},${place},"args":{${args.join(",")}}}`,
        );
      }
    }
  }

  finish(): void {
    this.#out("\n]}\n");
  }
}
