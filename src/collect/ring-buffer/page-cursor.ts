/**
 * Walks one CPU's sub-buffers from data record to data record, and writes those that are wanted as rows. The cursors of
 * all CPUs share one memory, each with a block of it.
 *
 * Layout: kernel include/linux/ring_buffer.h and kernel/trace/ring_buffer.c. A record is a 32-bit header (type and
 * time delta) and its payload, both in 4-byte words.
 */

import type { ByteSource } from "../../base/bytes/byte-source.js";
import type { Membership } from "../../model/traces/trace-file.js";
import { COMMIT_MASK, MISSED_EVENTS, MISSED_STORED } from "./page-layout.js";
import { LONG, type RowMemory } from "./row-memory.js";

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

/** What the cursor finds on its way beside records. */
export interface CursorReports {
  /** A record of an id that has no format; `payload` is the word where its payload stands. */
  unknown(cursor: PageCursor, payload: number, id: number): void;
  overrun(cursor: PageCursor): void;
  overfull(cursor: PageCursor, bytes: number): void;
  partial(cursor: PageCursor, bytes: number): void;
  /** A stamp, of a page or a record, is `counts` before the time of the record before it. */
  backwards(cursor: PageCursor, counts: number): void;
  /** `lost` is 0 if the kernel does not know how many. */
  missed(cursor: PageCursor, lost: number): void;
  /** The block that rows already written point to is about to be overwritten. */
  leaving(cursor: PageCursor): void;
}

/** What is wanted of the records, pushed down to where skipping one costs least. */
export interface RecordUse {
  /** Null: every task. */
  readonly pids: Membership<number> | null;
  /** Trace clock counts, both included. */
  readonly from: bigint;
  readonly to: bigint;
  /** Where in a record's payload its task is, in words. */
  readonly pidWord: number;
}

/** The last count there can be. */
export const END_OF_TIME = (1n << 64n) - 1n;

/** The zero that all cursors of one reader count from: the first page's stamp. */
export class TimeBase {
  value: bigint | null = null;
  /** Its upper and lower 32 bits. */
  high = 0;
  low = 0;

  /** The first one to set it decides. */
  setOnce(high: number, low: number): void {
    if (this.value !== null) return;
    this.value = (BigInt(high) << 32n) | BigInt(low);
    this.high = high;
    this.low = low;
  }
}

export class PageCursor {
  /** Something was damaged: counts need not match the kernel's. */
  broken = false;
  /** File position of the block's first byte. */
  blockAt = 0;
  #blockBytes = 0;
  /** The block's first word in the buffer, and the next page to be opened. */
  readonly #blockWord: number;
  #pageWord: number;
  /** The time that is wanted, in counts since the base. */
  #from = Number.NEGATIVE_INFINITY;
  #to = Number.POSITIVE_INFINITY;
  /** What comes is later than what is wanted. */
  #over = false;
  /** The next word to be walked, and where its page's data ends. */
  #at = 0;
  #end = 0;
  /** Time of the record last walked over, in counts since the base. */
  #now = Number.NaN;
  /** The record that it stands on, as in the rows: not written yet. */
  #word = 0;
  #id = 0;
  #pid = 0;
  /** Data records seen so far, wanted or not. */
  #records = 0;
  /** Of those that have a format, wanted or not: time of the first, time and task of the last. */
  #firstTime = Number.NaN;
  #lastTime = Number.NaN;
  #lastPid = 0;
  readonly #pageWords: number;
  readonly #typeShift: number;

  constructor(
    readonly index: number,
    readonly cpu: number,
    readonly source: ByteSource,
    readonly memory: RowMemory,
    readonly base: TimeBase,
    readonly use: RecordUse,
    readonly reports: CursorReports,
  ) {
    const { layout, littleEndian } = memory;
    this.#blockWord = index << memory.wordShift;
    this.#pageWord = this.#blockWord;
    this.#pageWords = layout.pageBytes / 4;
    this.#typeShift = littleEndian ? 0 : 27;
  }

  /** The file's byte where `word` of the buffer was read from. */
  byteOf(word: number): number {
    return this.blockAt + 4 * (word - this.#blockWord);
  }

  /** The walk's place, in words of the buffer. */
  get at(): number {
    return this.#at;
  }

  /** Time of the record that it stands on, in counts since the base. NaN before the first. */
  get now(): number {
    return this.#now;
  }

  /** Data records seen so far, wanted or not. */
  get records(): number {
    return this.#records;
  }

  /** Of the records that have a format, wanted or not: counts since the base of the first; NaN without one. */
  get firstTime(): number {
    return this.#firstTime;
  }

  /** As `firstTime`, of the last. */
  get lastTime(): number {
    return this.#lastTime;
  }

  /** The last such record's task. */
  get lastPid(): number {
    return this.#lastPid;
  }

  /** Goes to the first record that is wanted; false if there is none. */
  begin(): boolean {
    return this.#next(Number.NEGATIVE_INFINITY);
  }

  /**
   * Writes the record that it stands on, and those after it up to the time `until`, as rows. There must be room for
   * one; it stops if the rows are full. Then it stands on the next record that is wanted; false at the file's end.
   */
  write(until: number): boolean {
    const { memory } = this;
    const row = memory.count++;
    memory.time[row] = this.#now;
    memory.word[row] = this.#word;
    memory.id[row] = this.#id;
    memory.pid[row] = this.#pid;
    return this.#next(until);
  }

  #next(until: number): boolean {
    for (;;) {
      if (this.#at >= this.#end) {
        if (this.#pageWord + this.#pageWords > this.#blockWord + (this.#blockBytes >>> 2) && !this.#block()) {
          return false;
        }
        this.#page();
      }
      if (this.#walk(until)) return true;
    }
  }

  /** To the current page's next record that is wanted and not to be written yet; false at the page's end. */
  #walk(until: number): boolean {
    const { pids, pidWord } = this.use;
    const from = this.#from;
    const to = this.#to;
    // Bit fields are allocated from the low end on little-endian machines, from the high end on the others.
    const typeShift = this.#typeShift;
    const deltaShift = typeShift === 0 ? 5 : 0;
    const idShift = typeShift === 0 ? 0 : 16;
    const { memory } = this;
    const { words, use, time, word, id, pid, capacity } = memory;
    const end = this.#end;
    let row = memory.count;
    let at = this.#at;
    let now = this.#now;
    let records = 0;
    let lastTime = this.#lastTime;
    let lastPid = this.#lastPid;
    let stands = false;
    while (at < end) {
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
          const stamp = this.#absolute(now, array, delta);
          if (stamp < now) {
            this.#walkTo(at, stamp);
            this.reports.backwards(this, now - stamp);
          }
          now = stamp;
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
        this.#walkTo(at, now);
        this.reports.overrun(this);
        at = end;
        break;
      }
      now += delta;
      records += 1;
      const event = ((words[payload] as number) >>> idShift) & 0xffff;
      const used = use[event];
      if (used === IdUse.unknown) {
        this.#walkTo(at, now);
        this.reports.unknown(this, payload, event);
        at = next;
        continue;
      }
      at = next;
      lastPid = payload + pidWord < next ? (words[payload + pidWord] as number) | 0 : -1;
      // NaN before the first one.
      if (Number.isNaN(lastTime)) this.#firstTime = now;
      lastTime = now;
      if (used !== IdUse.wanted || now < from || now > to || (pids !== null && !pids.has(lastPid))) continue;
      const place = (payload << 1) | (type === LONG_DATA ? LONG : 0);
      if (now > until || row === capacity) {
        this.#word = place;
        this.#id = event;
        this.#pid = lastPid;
        stands = true;
        break;
      }
      time[row] = now;
      word[row] = place;
      id[row] = event;
      pid[row] = lastPid;
      row += 1;
    }
    this.#walkTo(at, now);
    memory.count = row;
    this.#records += records;
    this.#lastTime = lastTime;
    this.#lastPid = lastPid;
    return stands;
  }

  #walkTo(at: number, now: number): void {
    this.#at = at;
    this.#now = now;
  }

  #openAt(at: number, end: number): void {
    this.#at = at;
    this.#end = end;
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
    const { layout, view, littleEndian } = this.memory;
    const page = this.#pageWord * 4;
    this.#pageWord += this.#pageWords;
    const big = layout.commitBytes === 8 && !littleEndian;
    const commit = view.getUint32(page + (big ? 12 : 8), littleEndian);
    const bytes = commit & COMMIT_MASK;
    this.#openAt(page / 4, page / 4);
    if (bytes > layout.pageBytes - layout.dataOffset) {
      this.reports.overfull(this, bytes);
      return;
    }
    const high = view.getUint32(page + (littleEndian ? 4 : 0), littleEndian);
    const low = view.getUint32(page + (littleEndian ? 0 : 4), littleEndian);
    const { base, use } = this;
    base.setOnce(high, low);
    if (use.from > 0n || use.to < END_OF_TIME) {
      // In every page again: they follow from the base, which the first page sets.
      const zero = base.value ?? 0n;
      this.#from = use.from > zero ? Number(use.from - zero) : Number.NEGATIVE_INFINITY;
      this.#to = Number(use.to - zero);
    }
    const data = (page + layout.dataOffset) / 4;
    const stamp = (high - base.high) * TWO_32 + (low - base.low);
    const back = this.now - stamp;
    this.#walkTo(data, stamp);
    if (back > 0) this.reports.backwards(this, back);
    if ((commit & MISSED_EVENTS) !== 0) {
      const after = page + layout.dataOffset + bytes;
      const stored = (commit & MISSED_STORED) !== 0 && after + layout.commitBytes <= page + layout.pageBytes;
      this.reports.missed(this, stored ? view.getUint32(after + (big ? 4 : 0), littleEndian) : 0);
    }
    // The kernel writes multiples of 4; the walk stops before any other length.
    this.#openAt(data, this.#isBefore(this.#pageWord) ? data : data + (bytes >>> 2));
    if (this.#now > this.#to) {
      // So are all pages after it: neither they nor the rest of the block are looked at.
      this.#openAt(data, data);
      this.#pageWord = this.#blockWord + (this.#blockBytes >>> 2);
      this.#over = true;
    }
  }

  /** Where the last page begins whose stamp is before the time that is wanted: pages are in the order of time. */
  #firstWanted(): number {
    const { layout, littleEndian } = this.memory;
    const stamp = new DataView(new ArrayBuffer(8));
    let [low, high] = [0, Math.floor(this.source.size / layout.pageBytes)];
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      const got = this.source.read(new Uint8Array(stamp.buffer), middle * layout.pageBytes);
      if (got === 8 && stamp.getBigUint64(0, littleEndian) < this.use.from) low = middle;
      else high = middle;
    }
    return low * layout.pageBytes;
  }

  /** Whether all of a page is before the time that is wanted, by the stamp of the page after it. */
  #isBefore(nextPage: number): boolean {
    const { layout, view, littleEndian } = this.memory;
    const needed = (nextPage - this.#blockWord) * 4 + layout.dataOffset;
    if (this.use.from === 0n || needed > this.#blockBytes) return false;
    return view.getBigUint64(nextPage * 4, littleEndian) < this.use.from;
  }

  /** Reads the next block of pages. */
  #block(): boolean {
    const { memory } = this;
    const { layout, littleEndian, view, words, blockBytes } = memory;
    if (this.#over) return false;
    const first = this.#blockBytes === 0 && this.use.from > 0n;
    const position = first ? this.#firstWanted() : this.blockAt + this.#blockBytes;
    const left = this.source.size - position;
    if (left <= 0) return false;
    if (left < layout.pageBytes) {
      this.blockAt = position;
      this.#openAt(this.#blockWord, this.#blockWord);
      this.reports.partial(this, left);
      return false;
    }
    this.reports.leaving(this);
    const begin = this.#blockWord * 4;
    const got = this.source.read(memory.bytes.subarray(begin, begin + blockBytes), position);
    this.blockAt = position;
    this.#blockBytes = got;
    this.#pageWord = this.#blockWord;
    const cut = got % layout.pageBytes;
    if (cut !== 0) {
      this.#openAt(this.#blockWord + (got - cut) / 4, 0);
      this.reports.partial(this, cut);
    }
    this.#openAt(this.#blockWord, this.#blockWord);
    if (memory.isSwapped) {
      for (let i = begin; i + 4 <= begin + got; i += 4) words[i >>> 2] = view.getUint32(i, littleEndian);
    }
    return got >= layout.pageBytes;
  }
}
