/**
 * What the raw readers work on: blocks of pages, one for each CPU; the rows of a chunk; and tables by event id.
 */
import type { PageLayout } from "./page-layout.js";
import { SymbolTexts } from "./record-fields.js";

/** Rows of a chunk at most. */
const CHUNK_ROWS = 16_384;
/** A block is what one call reads of a file: small enough for the processor's cache to keep it until it is walked. */
const BLOCK_BYTES = 1 << 16;
/** If the blocks of very many CPUs would need more than this together, each is smaller. */
const ALL_BLOCKS_BYTES = 1 << 25;
/** common_type is 16 bits wide. */
const EVENT_IDS = 65_536;
/** Slots of the tasks seen last. */
export const COMM_SLOTS = 4_096;
/** No record has this pid: it marks an empty slot. */
const NO_PID = -2_147_483_648;

/** A row's `word` is twice the payload's first word in the blocks, plus this if the record is a long one. */
export const LONG = 1;

const HOST_IS_LITTLE = new Uint8Array(new Uint32Array([1]).buffer)[0] === 1;

export interface RowMemoryShape {
  readonly layout: PageLayout;
  readonly littleEndian: boolean;
  /** Sizes of the files that have a page at least. */
  readonly sizes: readonly number[];
  /** One more than the largest id of an event that has a format. */
  readonly ids: number;
}

export class RowMemory {
  readonly layout: PageLayout;
  readonly littleEndian: boolean;
  /** Rows at most. */
  readonly capacity: number;
  /** Whole pages of one block; a word's cursor is the word shifted right by `wordShift`. */
  readonly blockBytes: number;
  readonly wordShift: number;

  /** Rows written so far. */
  count = 0;
  /** The event table's columns, by row. Counts since the base; place of the payload (LONG); byte of its CPU's file. */
  readonly time: Float64Array;
  readonly word: Int32Array;
  readonly place: Float64Array;
  readonly id: Uint16Array;
  readonly pid: Int32Array;
  readonly comm: Uint32Array;
  readonly name: Uint32Array;
  readonly cpu: Int16Array;
  readonly kind: Uint8Array;

  /** By event id: an IdUse, the name's id in the string table, an EventKind. */
  readonly use = new Uint8Array(EVENT_IDS);
  readonly names: Uint32Array;
  readonly kinds: Uint8Array;
  /** Task names of the pids seen last, one to a slot: a row's look-up is two loads, however many tasks there are. */
  readonly slotPid = new Int32Array(COMM_SLOTS).fill(NO_PID);
  readonly slotComm = new Uint32Array(COMM_SLOTS);

  /** Symbols of fields seen last. */
  readonly symbols = new SymbolTexts();

  /** The blocks; `words` are the same, in the host's order. */
  readonly bytes: Uint8Array;
  readonly view: DataView;
  readonly words: Uint32Array;
  readonly isSwapped: boolean;

  constructor({ layout, littleEndian, sizes, ids }: RowMemoryShape) {
    this.layout = layout;
    this.littleEndian = littleEndian;
    const largest = sizes.reduce((most, size) => Math.max(most, size), 0);
    const wanted = Math.min(BLOCK_BYTES, ALL_BLOCKS_BYTES / Math.max(1, sizes.length), largest);
    this.blockBytes = Math.max(1, Math.ceil(wanted / layout.pageBytes)) * layout.pageBytes;
    this.wordShift = Math.ceil(Math.log2(this.blockBytes / 4));
    // A record is at least two words.
    const rows = Math.min(CHUNK_ROWS, Math.ceil((sizes.length * this.blockBytes) / 8) + 1);
    this.capacity = rows;
    this.time = new Float64Array(rows);
    this.place = new Float64Array(rows);
    this.word = new Int32Array(rows);
    this.pid = new Int32Array(rows);
    this.comm = new Uint32Array(rows);
    this.name = new Uint32Array(rows);
    this.id = new Uint16Array(rows);
    this.cpu = new Int16Array(rows);
    this.kind = new Uint8Array(rows);
    this.names = new Uint32Array(ids);
    this.kinds = new Uint8Array(ids);
    const words = sizes.length << this.wordShift;
    // A Buffer makes text of its bytes by one call.
    this.bytes = Buffer.from(new ArrayBuffer(words * 4));
    this.view = new DataView(this.bytes.buffer);
    this.isSwapped = littleEndian !== HOST_IS_LITTLE;
    this.words = this.isSwapped ? new Uint32Array(words) : new Uint32Array(this.bytes.buffer);
  }

  /** Payload bytes of the record at a row's `word`. */
  lengthOf(word: number): number {
    const payload = word >> 1;
    const head = this.words[payload - 1] as number;
    // A long record's length counts its own word and is not rounded.
    return (word & LONG) !== 0 ? ((head - 1) >>> 2) * 4 : ((head >>> (this.littleEndian ? 0 : 27)) & 31) * 4;
  }
}
