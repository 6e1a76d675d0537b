/**
 * Where stamp 2 may stand. It runs when the head of the image is already overwritten, for the image is unpacked in
 * place; what lies behind the compressed kernel is copied with the rest and outlives that. There, two places are filled
 * up with zeros by the linker script (arch/x86/boot/compressed/vmlinux.lds.S): before `.data`, which is aligned to a
 * page, and at the end of `.data`, which is aligned to 512 bytes.
 */
import { err, ok, type Result } from "../../base/result.js";
import type { KernelImage } from "./kernel-image.js";

/** Kept free between the last byte, or the last address that code refers to, and a stamp: a variable may be zeros. */
const MARGIN = 64;
const PAGE = 4096;
/** The image's CRC, or what is kept for it. */
const CRC_BYTES = 4;
/** An instruction's displacement counts from its end: up to four bytes of an immediate may follow it. */
const LONGEST_IMMEDIATE = 4;
/** The byte before a displacement from the instruction pointer: mod 0, r/m 5. */
const MODRM_MASK = 0xc7;
const MODRM_RIP_RELATIVE = 0x05;

const isZero = (bytes: Uint8Array, at: number): boolean => bytes[at] === 0;

/** The begin of the zeros that end at `end`. */
function zerosBefore(bytes: Uint8Array, end: number, least: number): number {
  let at = end;
  while (at > least && isZero(bytes, at - 1)) at -= 1;
  return at;
}

/**
 * Where `.data` begins: at a page, with the decompressor's descriptor table, whose pointer is the table's own first
 * entry 16 bytes on (head_64.S: gdt64, gdt). Null if no page, or more than one, begins so.
 */
function dataSectionAt({ bytes, bodyAt, payloadEnd, bodyEnd }: KernelImage): number | null {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const found: number[] = [];
  const first = bodyAt + Math.ceil((payloadEnd - bodyAt) / PAGE) * PAGE;
  for (let at = first; at + 32 <= bodyEnd; at += PAGE) {
    const limit = view.getUint16(at, true);
    const pointsToNext = view.getBigUint64(at + 2, true) === 16n;
    if (limit % 8 === 7 && limit > 7 && pointsToNext && view.getUint16(at + 16, true) === limit) found.push(at);
  }
  return found.length === 1 ? (found[0] as number) : null;
}

/**
 * The highest address between `from` and `to`, a run of zeros, that some instruction may refer to; `from` if there is
 * none. Data is taken for instructions, too: too many references only cost room.
 */
function lastReference(image: KernelImage, from: number, to: number): number {
  const { bytes, bodyAt, payloadAt, payloadEnd } = image;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let last = from;
  const take = (target: number): void => {
    if (target > last && target < to) last = target;
  };
  const takeRelative = (at: number): void => {
    if (((bytes[at - 1] as number) & MODRM_MASK) !== MODRM_RIP_RELATIVE) return;
    take(at + 4 + view.getInt32(at, true) + LONGEST_IMMEDIATE);
  };
  for (let at = payloadEnd + 1; at + 4 <= from; at++) takeRelative(at);
  // Where the image does not run yet where it is linked, its head adds offsets from its begin to a register.
  for (let at = bodyAt; at + 4 <= payloadAt; at++) {
    takeRelative(at);
    take(bodyAt + view.getInt32(at, true));
  }
  return last;
}

/** Where `size` bytes of padding are free. The error names what was found at both places. */
export function findRoom(image: KernelImage, size: number): Result<number, string> {
  const { bytes, payloadEnd, bodyEnd } = image;
  const data = dataSectionAt(image);
  const places = [
    ...(data === null ? [] : [{ name: "before .data", end: data }]),
    { name: "at the end of .data", end: bodyEnd - CRC_BYTES },
  ];
  const found: string[] = data === null ? [".data, which begins with a descriptor table, was not found"] : [];
  for (const { name, end } of places) {
    const zeros = zerosBefore(bytes, end, payloadEnd);
    const free = end - lastReference(image, zeros, end);
    if (free >= size + MARGIN) return ok(end - size);
    found.push(`${name} (byte ${end}) are ${end - zeros} zeros, ${free} of them behind all that code refers to`);
  }
  return err(`Stamp 2 needs ${size + MARGIN} unused zeros: ${found.join("; ")}.`);
}
