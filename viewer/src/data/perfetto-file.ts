/**
 * Perfetto traces as files: reads the update inside a trace that blackout wrote, and writes an open update as a trace,
 * with the command line's writer. A file is read only up to the end of its update, and no size in it is trusted.
 */

import { VarintReader, WireReader } from "../../../src/base/bytes/wire.js";
import { err, ok, type Result } from "../../../src/base/result.js";
import { CARRIED_UPDATE_FIELD } from "../../../src/export/perfetto/carried-update.js";
import { attributionOf, writePerfetto } from "../../../src/export/perfetto/perfetto.js";
import type { LiveUpdate } from "../../../src/model/live-update.js";
import { decodeLiveUpdate, encodeLiveUpdate } from "../../../src/report/update-codec.js";
import { analysisOf } from "../model/analysis.js";

/** The update follows the file's first packets: if it is not among these, the trace has no update. */
const SEARCHED_BYTES = 4 << 20;
/** No packet that blackout writes is longer. */
const MOST_PACKET_BYTES = 16 << 20;
const MOST_PACKED_BYTES = 256 << 20;
/** Ten million spans, unpacked; more than this page could draw. */
const MOST_UNPACKED_BYTES = 512 << 20;

const WRITE_IT = "write one of its capture with “blackout perfetto CAPTURE -o trace.pftrace”";
const AGAIN = "copy it again, or write it again with “blackout perfetto CAPTURE -o trace.pftrace”";

/** `trace`: the file, unpacked. The error is a sentence without the file's name, and without its full stop. */
export async function updateInTrace(trace: ReadableStream<Uint8Array>): Promise<Result<LiveUpdate, string>> {
  const pieces = await carriedPieces(trace);
  if (!pieces.ok) return pieces;
  const bytes = await unpacked(pieces.value);
  if (!bytes.ok) return bytes;
  const update = decodeLiveUpdate(bytes.value);
  return update.ok ? update : err(`it is a trace of blackout, but ${update.error}; ${AGAIN}`);
}

/** A trace of everything that a report has of an update; it has no events of the scheduler or of interrupts. */
export async function traceOfUpdate(update: LiveUpdate): Promise<Blob> {
  const packed = new Blob([encodeLiveUpdate(update) as Uint8Array<ArrayBuffer>])
    .stream()
    .pipeThrough(new CompressionStream("deflate-raw"));
  const carried = new Uint8Array(await new Response(packed).arrayBuffer());
  const attributed = analysisOf(update).update;
  const parts: Uint8Array<ArrayBuffer>[] = [];
  const out = (bytes: Uint8Array) => {
    parts.push(bytes as Uint8Array<ArrayBuffer>);
  };
  writePerfetto(update, null, out, attributed === null ? null : attributionOf(attributed), carried);
  return new Blob(parts, { type: "application/octet-stream" });
}

const PACKET_KEY = 0x0a;

/** The update's bytes, still packed: the packets that carry it follow one another. */
async function carriedPieces(trace: ReadableStream<Uint8Array>): Promise<Result<Uint8Array<ArrayBuffer>[], string>> {
  const reader = new StreamReader(trace);
  const pieces: Uint8Array<ArrayBuffer>[] = [];
  let packed = 0;
  let packets = 0;
  try {
    while (pieces.length > 0 || reader.at < SEARCHED_BYTES) {
      const key = await reader.byte();
      if (key === null) break;
      if (key !== PACKET_KEY) {
        return err(
          pieces.length === 0 && reader.at > 1
            ? `it begins like a Perfetto trace, but at byte ${reader.at - 1} there is no packet; ${AGAIN}`
            : "it is not a blackout report, a trace or JSON that blackout wrote",
        );
      }
      const size = await reader.varint();
      if (size === null || size > MOST_PACKET_BYTES) {
        if (size !== null && pieces.length === 0) break;
        return err(`the trace ends early or is damaged, at byte ${reader.at}; ${AGAIN}`);
      }
      const packet = await reader.bytes(size);
      if (packet === null && packets === 0) {
        return err("it is not a blackout report, a trace or JSON that blackout wrote; or it is a truncated trace");
      }
      if (packet === null) {
        return err(`the trace ends early: a packet of ${size} bytes begins at byte ${reader.at}, the last; ${AGAIN}`);
      }
      packets += 1;
      const piece = carriedIn(packet);
      if (piece === null) {
        if (pieces.length > 0) break;
        continue;
      }
      packed += piece.length;
      if (packed > MOST_PACKED_BYTES) return err("the live update in the trace is larger than this page can open");
      pieces.push(piece);
    }
  } finally {
    await reader.cancel();
  }
  if (pieces.length > 0) return ok(pieces);
  return err(
    `it is a Perfetto trace without an analysed live update in it, so this page has nothing to draw; open it in the Perfetto UI, or ${WRITE_IT}, and drop that here`,
  );
}

/** The part of an update in a packet; null if there is none, or if it is malformed. */
function carriedIn(packet: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> | null {
  const fields = new WireReader(packet);
  while (fields.next()) {
    if (fields.type === 2 && fields.field === CARRIED_UPDATE_FIELD) return packet.subarray(fields.begin, fields.end);
  }
  return null;
}

async function unpacked(pieces: Uint8Array<ArrayBuffer>[]): Promise<Result<Uint8Array, string>> {
  const reader = new Blob(pieces).stream().pipeThrough(new DecompressionStream("deflate-raw")).getReader();
  const parts: Uint8Array<ArrayBuffer>[] = [];
  let size = 0;
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      size += value.length;
      if (size > MOST_UNPACKED_BYTES) {
        await reader.cancel();
        return err("the live update in the trace unpacks to more than this page can open");
      }
      parts.push(value);
    }
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return err(`the live update in the trace is damaged (${reason}); ${AGAIN}`);
  }
  return ok(new Uint8Array(await new Blob(parts).arrayBuffer()));
}

/** Reads a stream by bytes, numbers and stretches; null at its end. */
class StreamReader {
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  #chunk: Uint8Array = new Uint8Array(0);
  #used = 0;
  /** Bytes read. */
  at = 0;

  constructor(stream: ReadableStream<Uint8Array>) {
    this.#reader = stream.getReader();
  }

  async #more(): Promise<boolean> {
    while (this.#used === this.#chunk.length) {
      const { done, value } = await this.#reader.read();
      if (done) return false;
      this.#chunk = value;
      this.#used = 0;
    }
    return true;
  }

  async byte(): Promise<number | null> {
    if (this.#used === this.#chunk.length && !(await this.#more())) return null;
    this.at += 1;
    return this.#chunk[this.#used++] as number;
  }

  /** A size, of at most 35 bits. */
  async varint(): Promise<number | null> {
    const read: number[] = [];
    for (let byte: number | null = 0x80; byte !== null && byte >= 0x80 && read.length < 5; ) {
      byte = await this.byte();
      if (byte !== null) read.push(byte);
    }
    const value = new VarintReader(Uint8Array.from(read)).varint();
    return value < 0 ? null : value;
  }

  async bytes(count: number): Promise<Uint8Array<ArrayBuffer> | null> {
    const parts: Uint8Array[] = [];
    let left = count;
    while (left > 0) {
      if (!(await this.#more())) return null;
      const part = this.#chunk.subarray(this.#used, this.#used + left);
      parts.push(part);
      this.#used += part.length;
      this.at += part.length;
      left -= part.length;
    }
    const bytes = new Uint8Array(count);
    let at = 0;
    for (const part of parts) {
      bytes.set(part, at);
      at += part.length;
    }
    return bytes;
  }

  cancel(): Promise<void> {
    return this.#reader.cancel().catch(() => undefined);
  }
}
