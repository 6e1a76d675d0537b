/** Writes Perfetto's wire format by hand, for the tests of its reader. */
export type PacketPart = Uint8Array | string | number | bigint;

function varint(value: bigint): number[] {
  const bytes: number[] = [];
  let rest = BigInt.asUintN(64, value);
  for (; rest > 0x7fn; rest >>= 7n) bytes.push(Number(rest & 0x7fn) | 0x80);
  return [...bytes, Number(rest)];
}

/** A message of `[field, value]` pairs: numbers as varints, texts and messages with their length. */
export function message(...fields: readonly (readonly [number, PacketPart])[]): Uint8Array {
  const bytes: number[] = [];
  for (const [field, value] of fields) {
    if (typeof value === "number" || typeof value === "bigint") {
      bytes.push(...varint(BigInt(field) * 8n), ...varint(BigInt(value)));
    } else {
      const part = typeof value === "string" ? new TextEncoder().encode(value) : value;
      bytes.push(...varint(BigInt(field) * 8n + 2n), ...varint(BigInt(part.length)), ...part);
    }
  }
  return Uint8Array.from(bytes);
}

export const packed = (...values: readonly number[]): Uint8Array =>
  Uint8Array.from(values.flatMap((value) => varint(BigInt(value))));
export const packet = (...fields: readonly (readonly [number, PacketPart])[]): Uint8Array =>
  message([1, message(...fields)]);
export const ftrace = (
  time: number | bigint,
  pid: number,
  what: number,
  body: Uint8Array,
): readonly [number, PacketPart] => [2, message([1, time], [2, pid], [what, body])];

export function concat(...parts: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}
