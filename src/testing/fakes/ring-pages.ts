/** Writes ring-buffer pages as a kernel of any word length and byte order would, for the tests of the readers. */
import type { PageLayout } from "../../collect/ring-buffer/page-layout.js";

export interface WrittenRecord {
  /** Trace clock count. */
  readonly time: bigint;
  /** Begins with struct trace_entry; its length is rounded up to 4 as the kernel does. */
  readonly payload: Uint8Array;
}

export interface PageWriterOptions {
  readonly layout: PageLayout;
  readonly littleEndian: boolean;
  /** If a delta does not fit, stamps are written as absolute times instead of extended deltas. */
  readonly absolute?: boolean;
  /** A discarded event follows each record number in this set. */
  readonly discardAfter?: ReadonlySet<number>;
  /** Records that begin a new page, by index, and the number of lost events stated there; null: an unknown number. */
  readonly lostBefore?: ReadonlyMap<number, number | null>;
  /** Long records even if a short one is enough. */
  readonly longAlways?: boolean;
}

const DELTA_LIMIT = 1n << 27n;

/** struct trace_entry: type, flags, preempt count, pid; and what follows. */
export function payloadOf(id: number, pid: number, rest: Uint8Array, littleEndian: boolean): Uint8Array {
  const bytes = new Uint8Array(Math.ceil((8 + rest.length) / 4) * 4);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, id, littleEndian);
  view.setUint8(2, 0x01);
  view.setUint8(3, 0x02);
  view.setInt32(4, pid, littleEndian);
  bytes.set(rest, 8);
  return bytes;
}

/** The pages of one CPU. Records must be in time order. */
export function writePages(records: readonly WrittenRecord[], options: PageWriterOptions): Uint8Array {
  const { layout, littleEndian } = options;
  const pages: Uint8Array[] = [];
  let page: PageWriter | null = null;
  const close = (lost: number | null | undefined): void => {
    if (page !== null) pages.push(page.finish(lost));
    page = null;
  };
  let lost: number | null | undefined;
  for (const [i, record] of records.entries()) {
    const told = options.lostBefore?.has(i) ? options.lostBefore.get(i) : undefined;
    if (page !== null && (told !== undefined || !page.fits(record, options))) close(lost);
    if (page === null) {
      lost = told;
      page = new PageWriter(layout, littleEndian, record.time, lost !== undefined);
    }
    page.add(record, options);
    if (options.discardAfter?.has(i) && page.room >= 16) page.discard(8);
  }
  close(lost);
  const whole = new Uint8Array(pages.length * layout.pageBytes);
  for (const [i, bytes] of pages.entries()) whole.set(bytes, i * layout.pageBytes);
  return whole;
}

class PageWriter {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  #at: number;
  #time: bigint;

  constructor(
    readonly layout: PageLayout,
    readonly littleEndian: boolean,
    begin: bigint,
    readonly keepsCount: boolean,
  ) {
    this.bytes = new Uint8Array(layout.pageBytes);
    this.view = new DataView(this.bytes.buffer);
    this.view.setBigUint64(0, begin, littleEndian);
    this.#at = layout.dataOffset;
    this.#time = begin;
  }

  get room(): number {
    return this.layout.pageBytes - this.#at - (this.keepsCount ? this.layout.commitBytes : 0);
  }

  #isLong({ payload }: WrittenRecord, options: PageWriterOptions): boolean {
    return options.longAlways === true || payload.length > 28 * 4;
  }

  fits(record: WrittenRecord, options: PageWriterOptions): boolean {
    const extend = record.time - this.#time >= DELTA_LIMIT ? 8 : 0;
    return this.room >= extend + 4 + (this.#isLong(record, options) ? 4 : 0) + record.payload.length;
  }

  #header(type: number, delta: bigint): void {
    const word = this.littleEndian ? BigInt(type) | (delta << 5n) : (BigInt(type) << 27n) | delta;
    this.view.setUint32(this.#at, Number(word), this.littleEndian);
    this.#at += 4;
  }

  #word(value: bigint): void {
    this.view.setUint32(this.#at, Number(value & 0xffff_ffffn), this.littleEndian);
    this.#at += 4;
  }

  add(record: WrittenRecord, options: PageWriterOptions): void {
    let delta = record.time - this.#time;
    if (delta >= DELTA_LIMIT) {
      if (options.absolute === true) {
        this.#header(31, record.time & (DELTA_LIMIT - 1n));
        this.#word((record.time >> 27n) & 0xffff_ffffn);
      } else {
        this.#header(30, delta & (DELTA_LIMIT - 1n));
        this.#word(delta >> 27n);
      }
      delta = 0n;
    }
    const { payload } = record;
    if (this.#isLong(record, options)) {
      this.#header(0, delta);
      this.#word(BigInt(payload.length + 4));
    } else this.#header(payload.length / 4, delta);
    this.bytes.set(payload, this.#at);
    this.#at += payload.length;
    this.#time = record.time;
  }

  /** An event that was reserved and then discarded: padding with a time of 1 and a length. */
  discard(payloadBytes: number): void {
    this.#header(29, 1n);
    this.#word(BigInt(payloadBytes));
    this.#at += payloadBytes - 4;
    this.#time += 1n;
  }

  finish(lost: number | null | undefined): Uint8Array {
    const { layout, littleEndian, view } = this;
    const length = this.#at - layout.dataOffset;
    let commit = length;
    if (lost !== undefined) {
      commit += 2 ** 31;
      if (lost !== null) {
        commit += 2 ** 30;
        if (layout.commitBytes === 8) view.setBigUint64(this.#at, BigInt(lost), littleEndian);
        else view.setUint32(this.#at, lost, littleEndian);
      }
    }
    if (layout.commitBytes === 8) view.setBigUint64(8, BigInt(commit), littleEndian);
    else view.setUint32(8, commit, littleEndian);
    return this.bytes;
  }
}
