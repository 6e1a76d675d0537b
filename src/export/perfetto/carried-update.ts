/**
 * The analysed live update inside its own trace, so that the viewer shows the whole of it again. Perfetto skips fields
 * of a packet that it does not know, as Protocol Buffers have it; the bytes are those of a report (update-codec.ts),
 * deflated.
 */

import { lengthKey } from "../../base/bytes/wire.js";
import type { TraceWriter } from "./packets/trace-writer.js";

/**
 * Of TracePacket: far above Perfetto's own, and below 2^16, where its reader stops. The ioctl of LUO, 0xBA, names it.
 */
export const CARRIED_UPDATE_FIELD = 0xba01;
/** A packet's share of it: readers hold a packet whole. */
const PIECE_BYTES = 256 * 1024;

/**
 * `packed`: what `encodeLiveUpdate` made, deflated raw. Written near the file's begin, in packets one after another.
 */
export function writeCarriedUpdate(writer: TraceWriter, packed: Uint8Array): void {
  for (let at = 0; at < packed.length; at += PIECE_BYTES) {
    writer.bytesField(lengthKey(CARRIED_UPDATE_FIELD), packed.subarray(at, at + PIECE_BYTES));
  }
}
