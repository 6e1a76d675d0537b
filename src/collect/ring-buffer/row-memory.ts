/**
 * The arrays that the raw readers' loops work on: blocks of pages, where each CPU's walk stands, the rows, and the tables
 * by event id. They lie in one buffer. Where there is much to read, that is a WebAssembly memory, and the loops are
 * WebAssembly (`row-loops`); little is read by the same loops in JavaScript, without a memory to be reserved first.
 */
import { type WasmMemory, wasmMemory } from "../../base/bytes/wasm.js";
import type { PageLayout } from "./page-layout.js";

/** Rows of a chunk at most. */
const CHUNK_ROWS = 16_384;
/** Below this much input, making a WebAssembly memory takes longer than it saves. */
export const WASM_FROM_BYTES = 4 << 20;
/** A block is what one call reads of a file: small enough for the processor's cache to keep it until it is walked. */
const BLOCK_BYTES = 1 << 16;
/** Where the blocks of very many CPUs would need more than this together, each is smaller. */
const ALL_BLOCKS_BYTES = 1 << 25;
/** common_type is 16 bits wide. */
const EVENT_IDS = 65_536;
/** Slots of the tasks seen last. */
export const COMM_SLOTS = 4_096;
/** No record has this pid: it is what empties a slot. */
const NO_PID = -2_147_483_648;

/** A row's `word` is twice the payload's first word in the blocks, plus this where the record is a long one. */
export const LONG = 1;

const HOST_IS_LITTLE = new Uint8Array(new Uint32Array([1]).buffer)[0] === 1;

/** Hands out arrays of one buffer, each aligned to its elements. */
class Arena {
  #at = 0;
  constructor(readonly buffer: ArrayBuffer) {}

  take<A>(type: new (buffer: ArrayBuffer, at: number, length: number) => A, bytes: number, length: number): A {
    const at = this.#at;
    this.#at = at + Math.ceil((length * bytes) / 8) * 8;
    return new type(this.buffer, at, length);
  }
}

export interface RowMemoryShape {
  readonly layout: PageLayout;
  readonly littleEndian: boolean;
  /** Sizes of the files that have a page at least. */
  readonly sizes: readonly number[];
  /** Cursors, those of other files included. */
  readonly cursors: number;
  /** One more than the largest id of an event that has a format. */
  readonly ids: number;
  /** As much input as makes it a WebAssembly memory. */
  readonly wasmFrom: number;
}

export class RowMemory {
  readonly layout: PageLayout;
  readonly littleEndian: boolean;
  /** Null where the arrays are JavaScript's own. */
  readonly wasm: WasmMemory | null;
  /** Rows at most. */
  readonly capacity: number;
  /** Whole pages of one block; a word's cursor is the word shifted right by `wordShift`. */
  readonly blockBytes: number;
  readonly wordShift: number;

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

  /** By cursor: the record that it stands on, as in the columns. */
  readonly standingTime: Float64Array;
  readonly standingWord: Int32Array;
  readonly standingPid: Int32Array;
  readonly standingId: Uint16Array;
  /** The next word to be walked, and where its page's data ends. */
  readonly at: Int32Array;
  readonly end: Int32Array;
  /** Data records seen so far, wanted or not. */
  readonly records: Float64Array;
  /** Of those that have a format, wanted or not: time of the first, time and task of the last. */
  readonly firstTime: Float64Array;
  readonly lastTime: Float64Array;
  readonly lastPid: Int32Array;
  readonly cpuOf: Int16Array;
  /** What added to a word's byte in the blocks makes its byte in the CPU's file. */
  readonly fileOffset: Float64Array;
  /** Heap of the cursors, by what they stand on. */
  readonly order: Uint32Array;
  /** 1: the record that the heap's first stood on is written, and the next one not yet looked for. */
  readonly pending: Uint32Array;

  /** By event id: an IdUse, the name's id in the string table, an EventKind. */
  readonly use: Uint8Array;
  readonly names: Uint32Array;
  readonly kinds: Uint8Array;
  /** Task names of the pids seen last, one to a slot: a row's look-up is two loads, however many tasks there are. */
  readonly slotPid: Int32Array;
  readonly slotComm: Uint32Array;

  /** The blocks; `words` are the same, in the host's order. */
  readonly bytes: Uint8Array;
  readonly view: DataView;
  readonly words: Uint32Array;

  constructor({ layout, littleEndian, sizes, cursors, ids, wasmFrom }: RowMemoryShape) {
    this.layout = layout;
    this.littleEndian = littleEndian;
    const { pageBytes } = layout;
    const input = sizes.reduce((sum, size) => sum + size, 0);
    const largest = sizes.reduce((most, size) => Math.max(most, size), 0);
    const wanted = Math.min(BLOCK_BYTES, ALL_BLOCKS_BYTES / Math.max(1, sizes.length), largest);
    this.blockBytes = Math.max(1, Math.ceil(wanted / pageBytes)) * pageBytes;
    this.wordShift = Math.ceil(Math.log2(this.blockBytes / 4));
    // One word more: the loops look at the word after a header before they know whether the page has one.
    const words = (sizes.length << this.wordShift) + 1;
    // A record is at least two words.
    const rows = Math.min(CHUNK_ROWS, Math.ceil((sizes.length * this.blockBytes) / 8) + 1);
    this.capacity = rows;
    const isSwapped = littleEndian !== HOST_IS_LITTLE;
    const bytes =
      rows * 40 + cursors * 96 + EVENT_IDS + ids * 5 + COMM_SLOTS * 8 + words * 4 * (isSwapped ? 2 : 1) + 32 * 8;
    this.wasm = input >= wasmFrom && !isSwapped ? wasmMemory(bytes) : null;
    const arena = new Arena(this.wasm?.buffer ?? new ArrayBuffer(bytes));
    const f64 = (length: number): Float64Array => arena.take(Float64Array, 8, length);
    const i32 = (length: number): Int32Array => arena.take(Int32Array, 4, length);
    const u32 = (length: number): Uint32Array => arena.take(Uint32Array, 4, length);
    const u8 = (length: number): Uint8Array => arena.take(Uint8Array, 1, length);
    this.time = f64(rows);
    this.place = f64(rows);
    this.word = i32(rows);
    this.pid = i32(rows);
    this.comm = u32(rows);
    this.name = u32(rows);
    this.id = arena.take(Uint16Array, 2, rows);
    this.cpu = arena.take(Int16Array, 2, rows);
    this.kind = u8(rows);
    this.standingTime = f64(cursors).fill(Number.NaN);
    this.records = f64(cursors);
    this.firstTime = f64(cursors).fill(Number.NaN);
    this.lastTime = f64(cursors).fill(Number.NaN);
    this.fileOffset = f64(cursors);
    this.standingWord = i32(cursors);
    this.standingPid = i32(cursors);
    this.lastPid = i32(cursors);
    this.at = i32(cursors);
    this.end = i32(cursors);
    this.order = u32(cursors);
    this.standingId = arena.take(Uint16Array, 2, cursors);
    this.cpuOf = arena.take(Int16Array, 2, cursors);
    this.pending = u32(1);
    this.use = u8(EVENT_IDS);
    this.names = u32(ids);
    this.kinds = u8(ids);
    this.slotPid = i32(COMM_SLOTS).fill(NO_PID);
    this.slotComm = u32(COMM_SLOTS);
    this.bytes = u8(words * 4);
    this.view = new DataView(arena.buffer, this.bytes.byteOffset, words * 4);
    this.words = isSwapped ? u32(words) : new Uint32Array(arena.buffer, this.bytes.byteOffset, words);
  }

  get isSwapped(): boolean {
    return this.words.byteOffset !== this.bytes.byteOffset;
  }

  /** Payload bytes of the record at a row's `word`. */
  lengthOf(word: number): number {
    const payload = word >> 1;
    const head = this.words[payload - 1] as number;
    // A long record's length counts its own word and is not rounded.
    return (word & LONG) !== 0 ? ((head - 1) >>> 2) * 4 : ((head >>> (this.littleEndian ? 0 : 27)) & 31) * 4;
  }
}
