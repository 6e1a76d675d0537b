/** The lines of a text, read block by block: bytes, not strings, and a file of any length in one buffer. */
import type { ByteSource } from "../../base/bytes/byte-source.js";
import { NEWLINE } from "./bytes.js";

/**
 * A line of a trace is at most one page (trace_seq, PAGE_SIZE), a log's no longer. A longer one is handed on once, as
 * far
 * as it goes; its rest is passed over.
 */
export const MAX_LINE_BYTES = 64 * 1024;

export interface LineBlocks {
  readonly source: ByteSource;
  /** Of a block, the longest line, what is kept of a block, and a byte for the newline behind a last line without one. */
  readonly buffer: Buffer;
  /** How much is read at a time. */
  readonly block: number;
  /** A line without its newline, by its place in the buffer; one that is too long is longer than MAX_LINE_BYTES. */
  takeLine(begin: number, newline: number): void;
  /**
   * Called before the buffer moves: lines up to `at` were taken. Returns from where on the buffer is still needed, `at`
   * at most.
   */
  blockEnds(at: number): number;
}

export function scanLines({ source, buffer, block, takeLine, blockEnds }: LineBlocks): void {
  let at = 0;
  let filled = 0;
  let position = 0;
  /** Inside a line too long to be kept: its end is still to be found. */
  let skipping = false;
  for (;;) {
    for (;;) {
      // Every sixth line of a function-graph trace is empty: not worth a call.
      const newline = buffer[at] === NEWLINE ? at : buffer.indexOf(NEWLINE, at);
      if (newline < 0 || newline >= filled) break;
      if (skipping) skipping = false;
      else takeLine(at, newline);
      at = newline + 1;
    }
    if (skipping) at = filled;
    else if (filled - at > MAX_LINE_BYTES) {
      takeLine(at, filled);
      skipping = true;
      at = filled;
    }
    const from = blockEnds(at);
    buffer.copyWithin(0, from, filled);
    filled -= from;
    at -= from;
    const room = Math.min(block, buffer.length - 1 - filled);
    const got = source.read(buffer.subarray(filled, filled + room), position);
    if (!(got > 0)) break;
    filled += Math.min(got, room);
    position += Math.min(got, room);
  }
  // A scan of a line stops at a newline: one stands behind a last line that has none.
  buffer[filled] = NEWLINE;
  if (at < filled && !skipping) takeLine(at, filled);
}
