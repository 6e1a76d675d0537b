/** One record in a buffer, and how its bytes are read: order and word length are those of the machine that wrote it. */

export interface RecordBytes {
  readonly view: DataView;
  readonly bytes: Uint8Array;
  /** Where the record (its common_type) begins, and its length in bytes. */
  readonly begin: number;
  readonly length: number;
  readonly littleEndian: boolean;
}

/** The integer of `size` bytes (1, 2, 4, 8) at `at` of the record, as it is unsigned; null beyond the record's end. */
export function unsignedAt(record: RecordBytes, at: number, size: number): bigint | null {
  if (at < 0 || at + size > record.length) return null;
  const { view, littleEndian } = record;
  const place = record.begin + at;
  switch (size) {
    case 1:
      return BigInt(view.getUint8(place));
    case 2:
      return BigInt(view.getUint16(place, littleEndian));
    case 4:
      return BigInt(view.getUint32(place, littleEndian));
    case 8:
      return view.getBigUint64(place, littleEndian);
    default:
      return null;
  }
}

const decoder = new TextDecoder("utf-8");

/** The record's bytes from `from` up to `to`, or up to the first NUL before it, as text. */
export function textAt(record: RecordBytes, from: number, to: number): string {
  const begin = record.begin + Math.min(from, record.length);
  const end = record.begin + Math.min(to, record.length);
  const { bytes } = record;
  let stop = begin;
  let ascii = true;
  while (stop < end && bytes[stop] !== 0) {
    if ((bytes[stop] as number) > 0x7f) ascii = false;
    stop += 1;
  }
  if (ascii && Buffer.isBuffer(bytes)) return bytes.toString("latin1", begin, stop);
  if (ascii && stop - begin <= 64) return String.fromCharCode(...bytes.subarray(begin, stop));
  return decoder.decode(bytes.subarray(begin, stop));
}

/** Where a `__data_loc` or `__rel_loc` field at `at` points to in the record: low half offset, high half length. */
export function locatedAt(record: RecordBytes, at: number, relative: boolean): { from: number; to: number } | null {
  const location = unsignedAt(record, at, 4);
  if (location === null) return null;
  const from = Number(location & 0xffffn) + (relative ? at + 4 : 0);
  const to = from + Number(location >> 16n);
  return to > record.length ? null : { from, to };
}
