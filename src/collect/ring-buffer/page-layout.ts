/** Where a sub-buffer keeps what (kernel include/linux/ring_buffer.h, `events/header_page`). */

export interface PageLayout {
  /** The sub-buffer's size, its header included. */
  readonly pageBytes: number;
  readonly dataOffset: number;
  /** 8 on 64-bit kernels, 4 on 32-bit ones. */
  readonly commitBytes: 4 | 8;
}

/** 4 KiB sub-buffers of a 64-bit kernel: what a capture without header_page gets. */
export const DEFAULT_LAYOUT: PageLayout = { pageBytes: 4096, dataOffset: 16, commitBytes: 8 };

/** buffer_subbuf_size_kb allows up to 4 MiB on the largest page sizes. */
const MAX_PAGE_BYTES = 1 << 22;

/**
 * `field: local_t commit; offset:8; size:8; …` and `field: char data; offset:16; size:4080; …`; null if it makes no
 * sense.
 */
export function parseHeaderPage(text: string): PageLayout | null {
  const field = (name: string): { offset: number; size: number } | null => {
    const match = new RegExp(`\\b${name};\\s*offset:(\\d{1,8});\\s*size:(\\d{1,8});`).exec(text);
    return match === null ? null : { offset: Number(match[1]), size: Number(match[2]) };
  };
  const [commit, data] = [field("commit"), field("data")];
  if (commit === null || data === null || (commit.size !== 4 && commit.size !== 8)) return null;
  if (commit.offset !== 8 || data.offset !== 8 + commit.size) return null;
  const pageBytes = data.offset + data.size;
  if (pageBytes < 64 || pageBytes > MAX_PAGE_BYTES || pageBytes % 4 !== 0) return null;
  return { pageBytes, dataOffset: data.offset, commitBytes: commit.size };
}

/**
 * Commit holds the data's length in its low 27 bits; above them two flags (kernel RB_MISSED_EVENTS, RB_MISSED_STORED).
 */
export const COMMIT_MASK = (1 << 27) - 1;
export const MISSED_EVENTS = 0x8000_0000;
export const MISSED_STORED = 0x4000_0000;

/**
 * Whether pages are little-endian, by the first page's commit, which is at most a page in one byte order only (an empty
 * page is the same in both). `page` holds at least a header.
 */
export function isLittleEndian(page: Uint8Array, layout: PageLayout): boolean {
  const view = new DataView(page.buffer, page.byteOffset, page.byteLength);
  if (page.length < layout.dataOffset) return true;
  // No page holds 4 GiB, so that the upper half of a 64-bit commit is nought: it is the one that comes second, or first.
  if (layout.commitBytes === 8) return view.getUint32(12) === 0 || view.getUint32(8) !== 0;
  const little = view.getUint32(8, true) & ~(MISSED_EVENTS | MISSED_STORED);
  const big = view.getUint32(8, false) & ~(MISSED_EVENTS | MISSED_STORED);
  const room = layout.pageBytes - layout.dataOffset;
  return little <= room || big === 0 || big > room;
}
