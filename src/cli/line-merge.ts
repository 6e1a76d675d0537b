/**
 * Lines of several streams in the order of their times, in memory that does not grow with them: what does not fit is
 * sorted and written to a file, and the files are read side by side. A stream that is in order is one file.
 */
import { closeSync, openSync, readSync, writeSync } from "node:fs";
import { join } from "node:path";

/** Characters of lines that are held before they are written out: some 40 MiB of memory. */
const HELD_CHARS = 16 << 20;
const BLOCK_BYTES = 1 << 16;
/** A line's count and its length in bytes. */
const HEAD_BYTES = 12;

interface Line {
  readonly count: bigint;
  readonly text: string;
}

export interface LineMergeOptions {
  /** Makes the folder that lines are written to, which is empty; called once, and only where they do not fit. */
  readonly folder: () => string;
  /** No more than the first so many lines are wanted. */
  readonly limit: number;
  readonly heldChars?: number;
}

export class LineMerge {
  readonly #options: LineMergeOptions;
  readonly #heldChars: number;
  #held: Line[] = [];
  #chars = 0;
  #folder: string | null = null;
  readonly #runs: RunFile[] = [];

  constructor(options: LineMergeOptions) {
    this.#options = options;
    this.#heldChars = options.heldChars ?? HELD_CHARS;
  }

  /** Files that lines were written to so far. */
  get files(): number {
    return this.#runs.length;
  }

  /** Throws what the system says where a file cannot be written. */
  add(count: bigint, text: string): void {
    this.#held.push({ count, text });
    this.#chars += text.length + 1;
    if (this.#chars >= this.#heldChars) this.#spill();
  }

  /** All lines by count; of equal counts the one that was added first comes first. No line may be added after. */
  *lines(): Generator<string> {
    this.#sort();
    const sources = [...this.#runs.map((run) => run.read()), this.#held.values()];
    const heads: Head[] = sources.flatMap((source, order) => {
      const { value } = source.next();
      return value === undefined ? [] : [{ line: value, order, source }];
    });
    for (let at = (heads.length >> 1) - 1; at >= 0; at--) siftDown(heads, at);
    for (let left = this.#options.limit; left > 0; left--) {
      const head = heads[0];
      if (head === undefined) return;
      yield head.line.text;
      const { value } = head.source.next();
      if (value !== undefined) head.line = value;
      else {
        const last = heads.pop();
        if (last !== undefined && heads.length > 0) heads[0] = last;
      }
      siftDown(heads, 0);
    }
  }

  close(): void {
    for (const run of this.#runs) run.close();
  }

  /** Stable, and without what cannot be among the lines that are wanted. */
  #sort(): void {
    this.#held.sort((a, b) => (a.count < b.count ? -1 : a.count > b.count ? 1 : 0));
    if (this.#held.length <= this.#options.limit) return;
    this.#held.length = this.#options.limit;
    this.#chars = this.#held.reduce((sum, { text }) => sum + text.length + 1, 0);
  }

  #spill(): void {
    this.#sort();
    if (this.#chars < this.#heldChars / 2) return;
    let run = this.#runs.at(-1);
    if (run === undefined || run.last > (this.#held[0]?.count ?? 0n)) {
      this.#folder ??= this.#options.folder();
      run = new RunFile(join(this.#folder, String(this.#runs.length)));
      this.#runs.push(run);
    }
    for (const { count, text } of this.#held) run.write(count, text);
    this.#held = [];
    this.#chars = 0;
  }
}

/** The next line of a source; of sources with lines of one count the earlier comes first. */
interface Head {
  line: Line;
  readonly order: number;
  readonly source: Iterator<Line, undefined>;
}

function isBefore(a: Head, b: Head): boolean {
  return a.line.count < b.line.count || (a.line.count === b.line.count && a.order < b.order);
}

/** Moves the entry at `from` of a heap down to where it belongs. */
function siftDown(heap: Head[], from: number): void {
  const moved = heap[from];
  if (moved === undefined) return;
  for (let at = from; ; ) {
    const [left, right] = [heap[2 * at + 1], heap[2 * at + 2]];
    const least = right !== undefined && left !== undefined && isBefore(right, left) ? right : left;
    if (least === undefined || !isBefore(least, moved)) {
      heap[at] = moved;
      return;
    }
    heap[at] = least;
    at = 2 * at + (least === left ? 1 : 2);
  }
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

  write(count: bigint, text: string): void {
    const length = Buffer.byteLength(text);
    if (this.#used + HEAD_BYTES + length > this.#block.length) this.#flush();
    if (HEAD_BYTES + length > this.#block.length) this.#block = Buffer.alloc(HEAD_BYTES + length);
    this.#block.writeBigInt64LE(BigInt.asIntN(64, count), this.#used);
    this.#block.writeUInt32LE(length, this.#used + 8);
    this.#block.write(text, this.#used + HEAD_BYTES);
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
