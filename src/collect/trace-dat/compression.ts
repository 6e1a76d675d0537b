/** trace.dat v7's compressed sections and chunks: `u32 packed, u32 unpacked, bytes` (man 5 trace-cmd.dat.v7). */
import { inflateSync } from "node:zlib";
import { decompress } from "fzstd";
import type { ByteSource } from "../../base/bytes/byte-source.js";
import { err, ok, type Result } from "../../base/result.js";
import { unpackZstd } from "../unpack/zstd.js";
import { frameHeader } from "../unpack/zstd-header.js";

export type Compression = "none" | "zlib" | "zstd";

/** What little input may always unpack to, and how many times its size more may: pages of zeros pack best. */
const ANY_BYTES = 16 << 20;
const MOST_RATIO = 256;

/** Unpacks one chunk; exactly `unpacked` bytes must come out. */
export function unpack(packed: Uint8Array, unpacked: number, compression: Compression): Result<Uint8Array, string> {
  if (unpacked > ANY_BYTES && unpacked > MOST_RATIO * packed.length) {
    return err(`${packed.length} bytes announce that they unpack to ${unpacked}`);
  }
  try {
    switch (compression) {
      case "none":
        return packed.length === unpacked ? ok(packed) : err(`${packed.length} bytes where ${unpacked} are announced`);
      case "zlib": {
        const bytes = inflateSync(packed, { maxOutputLength: Math.max(1, unpacked) });
        return bytes.length === unpacked ? ok(bytes) : err(`${bytes.length} bytes where ${unpacked} are announced`);
      }
      case "zstd": {
        const header = frameHeader(packed);
        const isData = typeof header === "object" && "kind" in header && header.kind === "data";
        const announced = isData ? header.contentBytes : null;
        if (announced === null || (isData && header.hasChecksum)) {
          // Into a buffer of the announced size, less than that would be followed by zeros, unnoticed.
          const found = unpackZstd(packed, unpacked);
          if (!found.ok || found.value.length === unpacked) return found;
          return err(`${found.value.length} bytes where ${unpacked} are announced`);
        }
        if (announced !== unpacked) {
          return err(`its frame holds ${announced} bytes where ${unpacked} are announced`);
        }
        const into = new Uint8Array(unpacked);
        // fzstd asks `into == 1`, for which JavaScript would make a text of all its numbers: most of the time there is.
        Object.defineProperty(into, "toString", { value: () => "" });
        const bytes = decompress(packed, into);
        return bytes.length === unpacked ? ok(bytes) : err(`${bytes.length} bytes where ${unpacked} are announced`);
      }
    }
  } catch (error) {
    return err(error instanceof Error ? error.message : String(error));
  }
}

/** A chunk is ten pages (PAGES_IN_CHUNK); with sub-buffers of 4 MiB that is the most there can be. */
const MAX_CHUNK = 10 << 22;

interface Chunk {
  readonly at: number;
  readonly packed: number;
  readonly from: number;
  readonly unpacked: number;
}

/** What was found of a CPU's chunks; `fault` says why the list ends before its announced end. */
export interface ChunkList {
  readonly chunks: readonly Chunk[];
  readonly bytes: number;
  readonly fault: string | null;
}

/** The chunks of one CPU's data: `u32 count`, then that many, at `offset` of the file. */
export function listChunks(source: ByteSource, offset: number, littleEndian: boolean): ChunkList {
  const head = new Uint8Array(8);
  const view = new DataView(head.buffer);
  const chunks: Chunk[] = [];
  let from = 0;
  const ends = (fault: string | null): ChunkList => ({ chunks, bytes: from, fault });
  if (source.read(head.subarray(0, 4), offset) < 4) return ends("the file ends before the number of its chunks");
  const count = view.getUint32(0, littleEndian);
  let at = offset + 4;
  for (let i = 0; i < count; i++) {
    if (source.read(head, at) < 8) return ends(`the file ends before chunk ${i + 1} of ${count}`);
    const [packed, unpacked] = [view.getUint32(0, littleEndian), view.getUint32(4, littleEndian)];
    if (unpacked > MAX_CHUNK || unpacked === 0) return ends(`chunk ${i + 1} of ${count} announces ${unpacked} bytes`);
    if (at + 8 + packed > source.size) return ends(`the file ends inside chunk ${i + 1} of ${count}`);
    chunks.push({ at: at + 8, packed, from, unpacked });
    from += unpacked;
    at += 8 + packed;
  }
  return ends(null);
}

/**
 * The unpacked bytes of a chunk list; it reads forward, holding one chunk. A chunk that is damaged ends it: `fault`.
 */
export function chunkSource(
  name: string,
  source: ByteSource,
  { chunks, bytes }: ChunkList,
  compression: Compression,
  fault: (message: string) => void,
): ByteSource {
  let held = -1;
  let content: Uint8Array = new Uint8Array(0);
  let broken = false;
  const open = (index: number): boolean => {
    if (held === index) return true;
    const chunk = chunks[index];
    if (chunk === undefined || broken) return false;
    const packed = new Uint8Array(chunk.packed);
    source.read(packed, chunk.at);
    const found = unpack(packed, chunk.unpacked, compression);
    if (!found.ok) {
      broken = true;
      fault(`chunk ${index + 1} of ${chunks.length} at byte ${chunk.at} cannot be unpacked: ${found.error}`);
      return false;
    }
    held = index;
    content = found.value;
    return true;
  };
  return {
    name,
    size: bytes,
    read(into, position) {
      let done = 0;
      let index = Math.max(0, held);
      while (index > 0 && (chunks[index]?.from ?? 0) > position) index -= 1;
      while (done < into.length) {
        while (index < chunks.length && position + done >= chunkEnd(chunks[index])) index += 1;
        if (!open(index)) break;
        const begin = position + done - (chunks[index] as Chunk).from;
        const part = content.subarray(begin, begin + into.length - done);
        into.set(part, done);
        done += part.length;
      }
      return done;
    },
  };
}

function chunkEnd(chunk: Chunk | undefined): number {
  return chunk === undefined ? Number.POSITIVE_INFINITY : chunk.from + chunk.unpacked;
}
