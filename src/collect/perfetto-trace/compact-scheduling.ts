/** Perfetto's compact scheduling: columns of one CPU's switches and wakings, instead of a message for each. */

import { lengthKey, varintKey, WireBuffer, type WireReader } from "../../base/bytes/wire.js";
import { numberOfEvent } from "../../model/traces/perfetto-ftrace.js";

const SCHED_SWITCH = numberOfEvent("sched_switch");
const SCHED_WAKING = numberOfEvent("sched_waking");

/** An event with its own message, as one that is not compact has; the message is valid during the call only. */
export type UseEvent = (time: bigint, pid: number, what: number, message: Uint8Array) => void;

/** Unpacks compact bundles in the order of the file; what runs on a CPU is carried from one bundle to the next. */
export class CompactScheduling {
  readonly #lastNext = new Map<number, { pid: number; comm: string; prio: number }>();

  /** Calls `use` for each switch and waking of the bundle, in the order of their times. */
  read(compact: WireReader, cpu: number, use: UseEvent): void {
    const columns = new Map<number, number[]>();
    const names: string[] = [];
    const out = new WireBuffer(256);
    const message = (fields: Parameters<typeof schedulingMessage>[1]) => schedulingMessage(out, fields);
    while (compact.next()) {
      if (compact.field === 5 && compact.type === 2) names.push(compact.text());
      else columns.set(compact.field, [...(columns.get(compact.field) ?? []), ...compact.packed()]);
    }
    const column = (field: number): readonly number[] => columns.get(field) ?? [];
    const stamps = (field: number): readonly bigint[] => {
      let time = 0n;
      return column(field).map((delta) => {
        time += BigInt(Math.max(0, delta));
        return time;
      });
    };
    const [switches, wakings] = [stamps(1), stamps(7)];
    let waking = 0;
    const wake = (before: bigint | null): void => {
      for (; waking < wakings.length; waking++) {
        const time = wakings[waking] as bigint;
        if (before !== null && time >= before) return;
        const body = message([
          [1, names[column(11)[waking] ?? -1] ?? ""],
          [2, (column(8)[waking] ?? -1) | 0],
          [3, column(10)[waking] ?? 0],
          [5, column(9)[waking] ?? 0],
        ]);
        use(time, this.#lastNext.get(cpu)?.pid ?? -1, SCHED_WAKING, body);
      }
    };
    for (const [i, time] of switches.entries()) {
      // Who wakes is who runs then.
      wake(time);
      const last = this.#lastNext.get(cpu) ?? { pid: -1, comm: "", prio: 0 };
      const next = {
        pid: (column(3)[i] ?? -1) | 0,
        comm: names[column(6)[i] ?? -1] ?? "",
        prio: column(4)[i] ?? 0,
      };
      const body = message([
        [1, last.comm],
        [2, Math.max(0, last.pid)],
        [3, last.prio],
        [4, column(2)[i] ?? 0],
        [5, next.comm],
        [6, next.pid],
        [7, next.prio],
      ]);
      use(time, last.pid, SCHED_SWITCH, body);
      this.#lastNext.set(cpu, next);
    }
    wake(null);
  }
}

/**
 * A scheduling event's own message, so that compact ones are kept as all others are: its fields' numbers and values.
 */
function schedulingMessage(
  out: WireBuffer,
  fields: readonly (readonly [field: number, value: string | number])[],
): Uint8Array {
  out.rewind(0);
  for (const [field, value] of fields) {
    if (typeof value === "string") out.textField(lengthKey(field), value);
    else out.intField(varintKey(field), Number.isSafeInteger(value) ? value : BigInt(Math.trunc(value)));
  }
  return out.view();
}
