/**
 * Walks one CPU's sub-buffers and lists their data records: time, place and event id, in columns. This is the hot loop
 * of the raw readers: an event costs one pass through `scan`, with no call and no object.
 *
 * Layout: kernel include/linux/ring_buffer.h and kernel/trace/ring_buffer.c. A record is a 32-bit header (type and
 * time delta) and its payload, both in 4-byte words.
 */
import type { ByteSource } from "../../base/byte-source.js";
import { COMMIT_MASK, MISSED_EVENTS, MISSED_STORED, type PageLayout } from "./page-layout.js";

/** Rows that a cursor holds at a time. */
export const CURSOR_ROWS = 16_384;
const BLOCK_BYTES = 1 << 16;
const TWO_27 = 2 ** 27;
const DELTA_MASK = TWO_27 - 1;
const TWO_32 = 2 ** 32;

const LONG_DATA = 0;
const LAST_SHORT_DATA = 28;
const PADDING = 29;
const TIME_EXTEND = 30;
const TIME_STAMP = 31;

/** What a record of each event id is to the reader. */
export const IdUse = { unknown: 0, wanted: 1, skipped: 2 } as const;

/** What the cursor finds on its way that is no record. */
export interface CursorReports {
  /** A record of an id that has no format; `payload` is the word where its payload stands. */
  unknown(cursor: PageCursor, payload: number, id: number): void;
  overrun(cursor: PageCursor): void;
  overfull(cursor: PageCursor, bytes: number): void;
  partial(cursor: PageCursor, bytes: number): void;
  /** `lost` is 0 where the kernel does not know how many. */
  missed(cursor: PageCursor, lost: number): void;
}

/** What is wanted of the records, pushed down to where skipping one costs least. */
export interface CursorFilter {
  /** By event id: an IdUse. */
  readonly ids: Uint8Array;
  /** Null: every task. */
  readonly pids: ReadonlySet<number> | null;
  /** Trace clock counts, both included. */
  readonly from: bigint;
  readonly to: bigint;
}

/** The last count there can be. */
export const END_OF_TIME = (1n << 64n) - 1n;

/** The zero that all cursors of one reader count from: the first page's stamp. */
export interface TimeBase {
  value: bigint | null;
}

/** A row's `word` is twice the payload's first word in the block, plus this where the record is a long one. */
const LONG = 1;

const HOST_IS_LITTLE = new Uint8Array(new Uint32Array([1]).buffer)[0] === 1;

export class PageCursor {
  /** The rows that `scan` found: counts since the base, where the payload is (see below), event id, task. */
  readonly time: Float64Array;
  readonly word: Int32Array;
  readonly id: Uint16Array;
  readonly pid: Int32Array;
  readonly #capacity: number;
  /** Rows found, and the next one to be handed on. */
  rows = 0;
  next = 0;
  /** Data records seen, wanted or not. */
  records = 0;
  undecoded = 0;
  /** Something was damaged: counts need not match the kernel's. */
  broken = false;
  readonly bytes: Uint8Array;
  readonly view: DataView;
  /** The block as 32-bit words in the host's order. */
  readonly words: Uint32Array;
  /** File position of the block's first byte. */
  blockAt = 0;
  #blockBytes = 0;
  #pageWord = 0;
  /** The walk's place in the current page and where its data ends, in words of the block. */
  at = 0;
  #end = 0;
  /** Counts since the base. */
  now = Number.NaN;
  readonly #swap: boolean;
  readonly #pageWords: number;
  readonly #typeShift: number;
  /** Time and task of a record do not matter. */
  readonly #unfiltered: boolean;

  constructor(
    readonly cpu: number,
    readonly source: ByteSource,
    readonly layout: PageLayout,
    readonly littleEndian: boolean,
    readonly pidWord: number,
    readonly base: TimeBase,
    readonly filter: CursorFilter,
    readonly reports: CursorReports,
  ) {
    const { pageBytes } = layout;
    const pages = Math.min(Math.ceil(source.size / pageBytes), Math.floor(BLOCK_BYTES / pageBytes));
    this.bytes = new Uint8Array(Math.max(1, pages) * pageBytes);
    // A record is at least two words.
    this.#capacity = Math.min(CURSOR_ROWS, this.bytes.length >> 3);
    this.time = new Float64Array(this.#capacity);
    this.word = new Int32Array(this.#capacity);
    this.id = new Uint16Array(this.#capacity);
    this.pid = new Int32Array(this.#capacity);
    this.view = new DataView(this.bytes.buffer);
    this.#swap = littleEndian !== HOST_IS_LITTLE;
    this.words = this.#swap ? new Uint32Array(this.bytes.length / 4) : new Uint32Array(this.bytes.buffer);
    this.#pageWords = pageBytes / 4;
    this.#typeShift = littleEndian ? 0 : 27;
    this.#unfiltered = filter.pids === null && filter.from === 0n && filter.to === END_OF_TIME;
  }

  /** Whether the block's pages are all read: the next `scan` overwrites what earlier rows point to. */
  get blockDone(): boolean {
    return this.at >= this.#end && (this.#pageWord + this.#pageWords) * 4 > this.#blockBytes;
  }

  /** Payload bytes of the record at a row's `word`. */
  lengthOf(word: number): number {
    const payload = word >> 1;
    const head = this.words[payload - 1] as number;
    // A long record's length counts its own word and is not rounded.
    return (word & LONG) !== 0 ? ((head - 1) >>> 2) * 4 : ((head >>> this.#typeShift) & 31) * 4;
  }

  /** Fills the rows anew from the current block, or from the next one; false at the end of the file. */
  scan(): boolean {
    this.rows = 0;
    this.next = 0;
    while (this.rows === 0) {
      if (this.at >= this.#end) {
        if ((this.#pageWord + this.#pageWords) * 4 > this.#blockBytes && !this.#block()) return false;
        this.#page();
      }
      this.#walk();
      // Go on through the block while there is room: a page holds some 100 records.
      while (this.rows < this.#capacity && !this.blockDone) {
        if (this.at >= this.#end) this.#page();
        this.#walk();
      }
    }
    return true;
  }

  /** The records of the current page, as far as there is room for rows. */
  #walk(): void {
    const { words, time, word, id, pid, pidWord } = this;
    const capacity = this.#capacity;
    const { ids, pids } = this.filter;
    const base = this.base.value ?? 0n;
    const from = this.filter.from > base ? Number(this.filter.from - base) : Number.NEGATIVE_INFINITY;
    const to = Number(this.filter.to - base);
    // Bit fields are allocated from the low end on little-endian machines, from the high end on the others.
    const little = this.littleEndian;
    const [typeShift, deltaShift, idShift] = little ? [0, 5, 0] : [27, 0, 16];
    const end = this.#end;
    let at = this.at;
    let now = this.now;
    let rows = this.rows;
    let records = 0;
    const plain = little && this.#unfiltered;
    const least = pidWord + 1;
    while (at < end && rows < capacity) {
      // Nearly all records are short and wanted: this loop alone decides how fast a file is read.
      if (plain && capacity - rows > (end - at) >> 1) {
        const first = rows;
        while (at < end) {
          const header = words[at] as number;
          const type = header & 31;
          const event = (words[at + 1] as number) & 0xffff;
          if (type < least || type > LAST_SHORT_DATA || at + type >= end || ids[event] !== IdUse.wanted) break;
          now += header >>> 5;
          time[rows] = now;
          word[rows] = (at + 1) << 1;
          id[rows] = event;
          pid[rows] = words[at + 1 + pidWord] as number;
          rows += 1;
          at += 1 + type;
        }
        records += rows - first;
        if (at >= end) break;
      }
      const header = words[at] as number;
      const type = (header >>> typeShift) & 31;
      const delta = (header >>> deltaShift) & DELTA_MASK;
      let payload = at + 1;
      let next = payload + type;
      if ((type - 1) >>> 0 >= LAST_SHORT_DATA) {
        if (type === PADDING && delta === 0) {
          at = end;
          break;
        }
        const array = at + 2 > end ? -1 : (words[at + 1] as number);
        if (type === TIME_EXTEND && array >= 0) {
          now += delta + array * TWO_27;
          at += 2;
          continue;
        }
        if (type === TIME_STAMP && array >= 0) {
          now = this.#absolute(now, array, delta);
          at += 2;
          continue;
        }
        // The length of a long record counts itself; that of a discarded one is what follows its header.
        const size = type === LONG_DATA ? array - 4 : array;
        payload = at + 2;
        next = type === LONG_DATA ? payload + ((size + 3) >>> 2) : at + 1 + (size >>> 2);
        if (size < 4 || size > (end - at) * 4) next = end + 1;
        else if (type === PADDING && next <= end) {
          now += delta;
          at = next;
          continue;
        }
      }
      if (next > end) {
        this.at = at;
        this.now = now;
        this.reports.overrun(this);
        at = end;
        break;
      }
      now += delta;
      records += 1;
      const event = ((words[payload] as number) >>> idShift) & 0xffff;
      const use = ids[event];
      if (use === IdUse.wanted) {
        const task = payload + pidWord < next ? (words[payload + pidWord] as number) | 0 : -1;
        time[rows] = now;
        word[rows] = (payload << 1) | (type === LONG_DATA ? LONG : 0);
        id[rows] = event;
        pid[rows] = task;
        rows += now >= from && now <= to && (pids === null || pids.has(task)) ? 1 : 0;
      } else if (use === IdUse.unknown) {
        this.now = now;
        this.reports.unknown(this, payload, event);
      }
      at = next;
    }
    this.at = at;
    this.now = now;
    this.rows = rows;
    this.records += records;
  }

  /** 59 bits of an absolute stamp, its top five from the running time. */
  #absolute(now: number, array: number, delta: number): number {
    const base = this.base.value ?? 0n;
    const running = base + BigInt(Math.max(0, Number.isFinite(now) ? now : 0));
    const stamp = (BigInt(array) << 27n) | BigInt(delta) | (running & (0xf8n << 56n));
    return Number(stamp - base);
  }

  /** Opens the block's next page; one without usable data leaves nothing to walk. */
  #page(): void {
    const { layout, view, littleEndian } = this;
    const page = this.#pageWord * 4;
    this.#pageWord += this.#pageWords;
    const big = layout.commitBytes === 8 && !littleEndian;
    const commit = view.getUint32(page + (big ? 12 : 8), littleEndian);
    const bytes = commit & COMMIT_MASK;
    this.at = page / 4;
    this.#end = this.at;
    if (bytes > layout.pageBytes - layout.dataOffset) {
      this.reports.overfull(this, bytes);
      return;
    }
    const high = view.getUint32(page + (littleEndian ? 4 : 0), littleEndian);
    const low = view.getUint32(page + (littleEndian ? 0 : 4), littleEndian);
    this.base.value ??= (BigInt(high) << 32n) | BigInt(low);
    const baseHigh = Number(this.base.value >> 32n);
    const baseLow = Number(this.base.value & 0xffff_ffffn);
    this.now = (high - baseHigh) * TWO_32 + (low - baseLow);
    this.at = (page + layout.dataOffset) / 4;
    // A length that is no multiple of 4 is no length the kernel writes; the walk stops before it.
    this.#end = this.at + (bytes >>> 2);
    if ((commit & MISSED_EVENTS) !== 0) {
      const after = page + layout.dataOffset + bytes;
      const stored = (commit & MISSED_STORED) !== 0 && after + layout.commitBytes <= page + layout.pageBytes;
      this.reports.missed(this, stored ? view.getUint32(after + (big ? 4 : 0), littleEndian) : 0);
    }
    if (this.#isBefore(page + layout.pageBytes)) this.at = this.#end;
  }

  /** Whether all of a page is before the time that is wanted, told from the stamp of the page after it. */
  #isBefore(nextPage: number): boolean {
    if (this.filter.from === 0n || nextPage + this.layout.dataOffset > this.#blockBytes) return false;
    return this.view.getBigUint64(nextPage, this.littleEndian) < this.filter.from;
  }

  /** Reads the next block of pages. */
  #block(): boolean {
    const { pageBytes } = this.layout;
    const position = this.blockAt + this.#blockBytes;
    if (position >= this.source.size) return false;
    const got = this.source.read(this.bytes, position);
    this.blockAt = position;
    this.#blockBytes = got;
    this.#pageWord = 0;
    this.at = 0;
    this.#end = 0;
    if (got % pageBytes !== 0) {
      this.at = Math.floor(got / pageBytes) * this.#pageWords;
      this.reports.partial(this, got % pageBytes);
      this.at = 0;
    }
    if (this.#swap) {
      for (let i = 0; i + 4 <= got; i += 4) this.words[i / 4] = this.view.getUint32(i, this.littleEndian);
    }
    return got >= pageBytes;
  }
}
