/** A feed of events without addresses of the kernel: each address becomes a small number, the same each time. */

import type { EventChunk, EventFields, FieldValue } from "../../model/collected.js";
import { redactEventText } from "../../report/redact.js";
import type { PerfettoEventFeed } from "./packets/ftrace.js";

/** Where the kernel's half of the address space begins; `ff…` of 16 digits. */
const KERNEL_HALF = 0xff00000000000000n;
const ADDRESS_TEXT = /^(?:0x)?(?!f{13})ff[0-9a-f]{14}$/i;

export function redactedFeed(feed: PerfettoEventFeed): PerfettoEventFeed {
  const numbers = new Map<bigint, number>();
  const numberOf = (address: bigint): number => {
    const known = numbers.get(address);
    if (known !== undefined) return known;
    numbers.set(address, numbers.size + 1);
    return numbers.size;
  };
  const redacted = (value: FieldValue): FieldValue => {
    if (typeof value === "bigint")
      return BigInt.asUintN(64, value) >= KERNEL_HALF && !isSmall(value) ? numberOf(value) : value;
    if (typeof value === "number") return value;
    if (!ADDRESS_TEXT.test(value)) return redactEventText(value);
    return `0x${numberOf(BigInt(value.startsWith("0x") || value.startsWith("0X") ? value : `0x${value}`)).toString(16)}`;
  };
  return (sink) =>
    feed((chunk, axisNs) => {
      const without: EventChunk = {
        // Named one by one: a reader may make its columns on demand, behind getters that a spread would lose.
        boot: chunk.boot,
        fileOf: (row) => chunk.fileOf(row),
        inInterrupt: (row) => chunk.inInterrupt(row),
        base: chunk.base,
        count: chunk.count,
        time: chunk.time,
        cpu: chunk.cpu,
        pid: chunk.pid,
        comm: chunk.comm,
        name: chunk.name,
        kind: chunk.kind,
        place: chunk.place,
        strings: chunk.strings,
        fields: (row): EventFields => new Map([...chunk.fields(row)].map(([key, value]) => [key, redacted(value)])),
        text: (row) => redactEventText(chunk.text(row)),
      };
      sink(without, axisNs);
    });
}

/** -1 and error codes are not addresses, although they look like them as unsigned numbers. */
function isSmall(value: bigint): boolean {
  const signed = BigInt.asIntN(64, value);
  return signed >= -4096n && signed < 0n;
}
