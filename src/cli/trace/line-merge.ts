/**
 * Lines of several streams in the order of their times, in memory that does not grow with them: what does not fit is
 * sorted and written to a file, and the files are read side by side. A stream that is in order is one file.
 */
import { closeSync, openSync, readSync, writeSync } from "node:fs";
import { join } from "node:path";
import { Heap } from "../../base/numbers/heap.js";

/** Bytes of lines that are held before they are written out. */
const HELD_BYTES = 16 << 20;
const BLOCK_BYTES = 1 << 16;
/** A line's count and its length in bytes. */
const HEAD_BYTES = 12;

interface Line {
  readonly count: bigint;
  readonly text: string;
}

export interface LineMergeOptions {
  /** Makes the folder that lines are written to, which is empty; called once, and only if they do not fit in memory. */
  readonly folder: () => string;
  /** The first lines that are wanted, at most this many. */
  readonly limit: number;
  readonly heldBytes?: number;
}

export class LineMerge {
  readonly #options: LineMergeOptions;
  readonly #heldBytes: number;
  #held = new HeldLines();
  #folder: string | null = null;
  readonly #runs: RunFile[] = [];

  constructor(options: LineMergeOptions) {
    this.#options = options;
    this.#heldBytes = options.heldBytes ?? HELD_BYTES;
  }

  /** Files that lines were written to so far. */
  get files(): number {
    return this.#runs.length;
  }

  /** Throws what the system says where a file cannot be written. */
  add(count: bigint, text: string): void {
    this.#held.add(BigInt.asIntN(64, count), text);
    if (this.#held.bytes >= this.#heldBytes) this.#spill();
  }

  /** All lines by count; of equal counts the one that was added first comes first. No line may be added after. */
  *lines(): Generator<string> {
    const sources = [...this.#runs.map((run) => run.read()), this.#held.read()];
    const heads: Head[] = sources.flatMap((source, order) => {
      const { value } = source.next();
      return value === undefined ? [] : [{ line: value, order, source }];
    });
    const behind = new Heap(byCount, heads);
    for (let left = this.#options.limit; left > 0; left--) {
      const head = behind.peek();
      if (head === undefined) return;
      yield head.line.text;
      const { value } = head.source.next();
      if (value === undefined) behind.pop();
      else {
        head.line = value;
        behind.sink();
      }
    }
  }

  close(): void {
    for (const run of this.#runs) run.close();
  }

  #spill(): void {
    const { limit } = this.#options;
    const order = this.#held.order();
    if (order.length > limit) {
      // What comes after cannot be among the lines that are wanted.
      this.#held = this.#held.taken(order.subarray(0, limit));
      if (this.#held.bytes >= this.#heldBytes / 2) this.#spill();
      return;
    }
    let run = this.#runs.at(-1);
    if (run === undefined || run.last > this.#held.countOf(order[0] as number)) {
      this.#folder ??= this.#options.folder();
      run = new RunFile(join(this.#folder, String(this.#runs.length)));
      this.#runs.push(run);
    }
    for (const line of order) run.write(this.#held.countOf(line), this.#held.bytesOf(line));
    this.#held.clear();
  }
}

/** Lines in memory as bytes: a line as a string is put together of many, and takes ten times as much. */
class HeldLines {
  #content = Buffer.alloc(BLOCK_BYTES);
  #counts = new BigInt64Array(1_024);
  /** Where each line ends. */
  #ends = new Uint32Array(1_024);
  #lines = 0;
  #isSorted = true;

  /** Bytes as in a file. */
  get bytes(): number {
    return this.#used + this.#lines * HEAD_BYTES;
  }

  get #used(): number {
    return this.#begin(this.#lines);
  }

  add(count: bigint, text: string): void {
    const line = this.#reserve(count, Buffer.byteLength(text));
    this.#content.write(text, this.#begin(line));
  }

  /** Makes room for one line more; returns its number. */
  #reserve(count: bigint, length: number): number {
    const line = this.#lines;
    if (line === this.#ends.length) {
      const [counts, ends] = [new BigInt64Array(line * 2), new Uint32Array(line * 2)];
      counts.set(this.#counts);
      ends.set(this.#ends);
      this.#counts = counts;
      this.#ends = ends;
    }
    const end = this.#used + length;
    if (end > this.#content.length) {
      const content = Buffer.alloc(Math.max(end, this.#content.length * 2));
      this.#content.copy(content, 0, 0, this.#used);
      this.#content = content;
    }
    if (line > 0 && count < (this.#counts[line - 1] as bigint)) this.#isSorted = false;
    this.#counts[line] = count;
    this.#ends[line] = end;
    this.#lines = line + 1;
    return line;
  }

  /** The arrays are used again: new ones would pile up until they are collected. */
  clear(): void {
    this.#lines = 0;
    this.#isSorted = true;
  }

  #begin(line: number): number {
    return line === 0 ? 0 : (this.#ends[line - 1] as number);
  }

  countOf(line: number): bigint {
    return this.#counts[line] as bigint;
  }

  bytesOf(line: number): Buffer {
    return this.#content.subarray(this.#begin(line), this.#ends[line]);
  }

  /** The lines by count, those of equal counts as they were added. */
  order(): Uint32Array {
    const order = Uint32Array.from({ length: this.#lines }, (_, line) => line);
    if (this.#isSorted) return order;
    const counts = this.#counts;
    return order.sort((a, b) => {
      const [x, y] = [counts[a] as bigint, counts[b] as bigint];
      return x < y ? -1 : x > y ? 1 : a - b;
    });
  }

  /** Only these lines, in this order. */
  taken(order: Uint32Array): HeldLines {
    const taken = new HeldLines();
    for (const line of order) {
      const bytes = this.bytesOf(line);
      const added = taken.#reserve(this.countOf(line), bytes.length);
      bytes.copy(taken.#content, taken.#begin(added));
    }
    return taken;
  }

  *read(): Generator<Line, undefined> {
    for (const line of this.order()) yield { count: this.countOf(line), text: this.bytesOf(line).toString("utf8") };
    return undefined;
  }
}

/** The next line of a source; of sources with lines of one count the earlier comes first. */
interface Head {
  line: Line;
  readonly order: number;
  readonly source: Iterator<Line, undefined>;
}

function byCount(a: Head, b: Head): number {
  return a.line.count < b.line.count ? -1 : a.line.count > b.line.count ? 1 : a.order - b.order;
}

/** Lines in order, in a file. */
class RunFile {
  readonly #fd: number;
  #block = Buffer.alloc(BLOCK_BYTES);
  #used = 0;
  /** Count of the line written last. */
  last = 0n;

  constructor(path: string) {
    this.#fd = openSync(path, "wx+", 0o600);
  }

  write(count: bigint, bytes: Buffer): void {
    const { length } = bytes;
    if (this.#used + HEAD_BYTES + length > this.#block.length) this.#flush();
    if (HEAD_BYTES + length > this.#block.length) this.#block = Buffer.alloc(HEAD_BYTES + length);
    this.#block.writeBigInt64LE(count, this.#used);
    this.#block.writeUInt32LE(length, this.#used + 8);
    bytes.copy(this.#block, this.#used + HEAD_BYTES);
    this.#used += HEAD_BYTES + length;
    this.last = count;
  }

  #flush(): void {
    for (let at = 0; at < this.#used; ) at += writeSync(this.#fd, this.#block, at, this.#used - at);
    this.#used = 0;
  }

  *read(): Generator<Line, undefined> {
    this.#flush();
    let block = this.#block;
    let filled = 0;
    let position = 0;
    /** Makes as many bytes stand at the block's begin, unless the file ends before. */
    const hold = (at: number, bytes: number): boolean => {
      if (filled - at >= bytes) return true;
      const larger = bytes > block.length ? Buffer.alloc(bytes) : block;
      block.copy(larger, 0, at, filled);
      block = larger;
      filled -= at;
      while (filled < bytes) {
        const got = readSync(this.#fd, block, filled, block.length - filled, position);
        if (got === 0) return false;
        filled += got;
        position += got;
      }
      return true;
    };
    for (let at = 0; ; ) {
      if (filled - at < HEAD_BYTES) {
        if (!hold(at, HEAD_BYTES)) return undefined;
        at = 0;
      }
      const length = block.readUInt32LE(at + 8);
      if (filled - at < HEAD_BYTES + length) {
        if (!hold(at, HEAD_BYTES + length)) return undefined;
        at = 0;
      }
      const begin = at + HEAD_BYTES;
      yield { count: block.readBigInt64LE(at), text: block.toString("utf8", begin, begin + length) };
      at = begin + length;
    }
  }

  close(): void {
    closeSync(this.#fd);
  }
}
