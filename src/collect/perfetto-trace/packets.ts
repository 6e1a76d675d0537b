/** A Perfetto trace's file: packets, one after the other, each with its length. */

import type { ByteSource } from "../../base/bytes/byte-source.js";
import { VarintReader } from "../../base/bytes/wire.js";
import { isZstd } from "../unpack/zstd-header.js";

/** Packets are some 100 bytes: the file is read in blocks of many. */
const BLOCK_BYTES = 1 << 18;

/** Whether a file begins as a Trace message, or is one packed by gzip or zstd (what is inside is looked at later). */
export function isPerfetto(head: Uint8Array): boolean {
  if (head[0] === 0x1f && head[1] === 0x8b) return true;
  if (isZstd(head)) return true;
  if (head[0] !== 0x0a) return false;
  // Text may begin with an empty line; a packet's first field has a wire type and a number.
  let at = 1;
  while (at < Math.min(6, head.length) && (head[at] as number) >= 0x80) at += 1;
  const key = head[at + 1];
  return head.length > at + 1 && key !== undefined && key >= 8 && [0, 1, 2, 5].includes(key & 7);
}

/** Packets that must follow each other before a file is taken for a trace whatever else its bytes could be. */
const CHAIN = 3;

/** Whether several whole packets follow each other at a file's begin, or the only ones of a short file do. */
export function isChainOfPackets(head: Uint8Array): boolean {
  let [at, packets] = [0, 0];
  while (at < head.length && packets < CHAIN) {
    if (head[at] !== 0x0a) return false;
    let [length, scale, to] = [0, 1, at + 1];
    for (let byte = head[to] ?? 0; ; byte = head[to] ?? 0) {
      length += (byte & 0x7f) * scale;
      scale *= 128;
      to += 1;
      if (byte < 0x80 || to - at > 10) break;
    }
    const key = head[to];
    if (length === 0 || (key !== undefined && (key < 8 || ![0, 1, 2, 5].includes(key & 7)))) return false;
    at = to + length;
    packets += 1;
  }
  return packets === CHAIN || (packets > 0 && at === head.length);
}

export interface PacketEnd {
  /** Where the file ends early, or makes no sense; null if it ends well. */
  readonly at: number | null;
  readonly message: string;
}

/** Calls `use` with every packet, until it returns false. */
export function eachPacket(
  source: ByteSource,
  mostBytes: number,
  use: (packet: Uint8Array, at: number) => boolean,
): PacketEnd {
  let block = new Uint8Array(Math.max(16, Math.min(BLOCK_BYTES, source.size)));
  let blockAt = 0;
  let held = 0;
  let at = 0;
  /** Makes `bytes` of the file from `from` on stand in the block; returns how many there are. */
  const hold = (from: number, bytes: number): number => {
    if (from < blockAt || from + bytes > blockAt + held) {
      if (bytes > block.length) block = new Uint8Array(Math.max(bytes, block.length * 2));
      blockAt = from;
      held = source.read(block, from);
    }
    return Math.min(bytes, blockAt + held - from);
  };
  while (at < source.size) {
    const got = hold(at, Math.min(6, source.size - at));
    const head = at - blockAt;
    const key = block[head];
    const length = new VarintReader(block, head + 1, head + got);
    const size = length.varint();
    if (key !== 0x0a || size < 0) return { at, message: "not a packet" };
    const begin = blockAt + length.at;
    if (size > mostBytes) {
      const most = `more than the ${mostBytes} allowed (--reader-limit perfetto-packet-bytes=…)`;
      return { at, message: `a packet announces ${size} bytes, ${most}` };
    }
    if (begin + size > source.size) return { at, message: `the file ends inside a packet of ${size} bytes` };
    if (hold(begin, size) < size) return { at, message: `the file ends inside a packet of ${size} bytes` };
    const from = begin - blockAt;
    if (!use(block.subarray(from, from + size), begin)) return { at: null, message: "" };
    at = begin + size;
  }
  return { at: null, message: "" };
}
