/** A zstd frame's header (RFC 8878, section 3.1.1.1), and what a frame may ask for. */

/** What a decoder must at least support, and all that `zstd -1` to `-19` use (RFC 8878, section 3.1.1.1.2). */
export const ZSTD_WINDOW_BYTES = 8 * 2 ** 20;

export type ZstdFault =
  | { readonly what: "corrupt" | "truncated"; readonly why: string }
  | { readonly what: "window"; readonly bytes: number };

const MAGIC = 0xfd2fb528;
/** Frames of application data, 0x184D2A50 to 0x184D2A5F (section 3.1.2). */
const SKIPPABLE = 0x184d2a5;
const SKIPPABLE_HEADER_BYTES = 8;

/** Descriptor, window, dictionary id, content size. */
export type FrameHeader =
  | { readonly kind: "skippable"; readonly headerBytes: number; readonly contentBytes: number }
  | {
      readonly kind: "data";
      readonly headerBytes: number;
      /** Null if the header does not say how much the frame holds. */
      readonly contentBytes: number | null;
      readonly hasChecksum: boolean;
    };

export const u32 = (bytes: Uint8Array, at: number): number =>
  ((bytes[at] as number) |
    ((bytes[at + 1] as number) << 8) |
    ((bytes[at + 2] as number) << 16) |
    ((bytes[at + 3] as number) << 24)) >>>
  0;

/** Whether bytes begin as a frame: `pzstd` writes a skippable one first. */
export function isZstd(head: Uint8Array): boolean {
  if (head.length < 4) return false;
  const magic = u32(head, 0);
  return magic === MAGIC || magic >>> 4 === SKIPPABLE;
}

/** The header that `bytes` begin with; `more`: not all of it is there. Refuses what asks for too large a window. */
export function frameHeader(bytes: Uint8Array): FrameHeader | "more" | ZstdFault {
  if (bytes.length < 4) return "more";
  if (u32(bytes, 0) >>> 4 === SKIPPABLE) {
    if (bytes.length < SKIPPABLE_HEADER_BYTES) return "more";
    return { kind: "skippable", headerBytes: SKIPPABLE_HEADER_BYTES, contentBytes: u32(bytes, 4) };
  }
  if (u32(bytes, 0) !== MAGIC) return { what: "corrupt", why: "bytes between its frames are not a frame" };
  if (bytes.length < 6) return "more";
  const descriptor = bytes[4] as number;
  const isSingleSegment = (descriptor & 0x20) !== 0;
  if ((descriptor & 8) !== 0) return { what: "corrupt", why: "a frame sets a reserved bit" };
  if ((descriptor & 3) !== 0) return { what: "corrupt", why: "a frame needs a dictionary" };
  const sizeFlag = descriptor >> 6;
  const sizeBytes = sizeFlag === 0 ? (isSingleSegment ? 1 : 0) : 1 << sizeFlag;
  const sizeAt = 5 + (isSingleSegment ? 0 : 1);
  const headerBytes = sizeAt + sizeBytes;
  if (bytes.length < headerBytes) return "more";
  const contentBytes = sizeBytes === 0 ? null : contentSize(bytes, sizeAt, sizeBytes);
  const window = isSingleSegment ? (contentBytes as number) : windowSize(bytes[5] as number);
  if (window > ZSTD_WINDOW_BYTES) return { what: "window", bytes: window };
  return { kind: "data", headerBytes, contentBytes, hasChecksum: (descriptor & 4) !== 0 };
}

function windowSize(descriptor: number): number {
  const base = 2 ** (10 + (descriptor >> 3));
  return base + (base / 8) * (descriptor & 7);
}

function contentSize(bytes: Uint8Array, at: number, length: number): number {
  switch (length) {
    case 1:
      return bytes[at] as number;
    case 2:
      return ((bytes[at] as number) | ((bytes[at + 1] as number) << 8)) + 256;
    case 4:
      return u32(bytes, at);
    default:
      return u32(bytes, at) + u32(bytes, at + 4) * 2 ** 32;
  }
}
