/**
 * The analysed live update inside its own trace, so that the viewer can show all of it again. Perfetto skips unknown
 * fields of a packet, as Protocol Buffers prescribe; the bytes are those of a report (update-codec.ts), deflated.
 */

import { lengthKey } from "../../base/bytes/wire.js";
import type { TraceWriter } from "./packets/trace-writer.js";

/**
 * A field of TracePacket: far above Perfetto's own, and below 2^16, the reader's limit. Named after LUO's ioctl, 0xBA.
 */
export const CARRIED_UPDATE_FIELD = 0xba01;
/** The bytes per packet: readers hold a whole packet in memory. */
const PIECE_BYTES = 256 * 1024;

/**
 * `packed`: what `encodeLiveUpdate` made, deflated raw. Written near the file's begin, in packets one after another.
 */
export function writeCarriedUpdate(writer: TraceWriter, packed: Uint8Array): void {
  for (let at = 0; at < packed.length; at += PIECE_BYTES) {
    writer.bytesField(lengthKey(CARRIED_UPDATE_FIELD), packed.subarray(at, at + PIECE_BYTES));
  }
}
