/**
 * A ring that reading empties, as tracefs' `trace_pipe_raw` is: a FIFO that this process keeps open and filled. Data
 * that was read is nowhere else.
 */
import { spawnSync } from "node:child_process";
import {
  closeSync,
  constants,
  mkdirSync,
  openSync,
  readFileSync,
  readSync,
  rmSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { dirname, join } from "node:path";

export const PAGE_BYTES = 4096;
/** A pipe holds 64 KiB. */
export const MOST_PAGES = 16;

/** A page that no other has: a stamp, how much of it is used, and its number all over. */
export function numberedPage(ring: string, page: number): Buffer {
  const bytes = Buffer.alloc(PAGE_BYTES, `${ring} page ${page}. `);
  bytes.writeBigUInt64LE(BigInt(1000 + page), 0);
  bytes.writeBigUInt64LE(4080n, 8);
  return bytes;
}

export interface ConsumedRing {
  /** What it held at first. */
  readonly pages: Buffer;
  /** Bytes that nobody has read, which are gone from it with this. */
  rest(): Buffer;
  close(): void;
}

/** Puts `pages` pages into the buffer in `folder` (an instance's, or tracefs itself) as CPU 0's. */
export function fillRing(folder: string, name: string, pages: number): ConsumedRing {
  const path = join(folder, "per_cpu/cpu0/trace_pipe_raw");
  rmSync(path, { force: true });
  mkdirSync(dirname(path), { recursive: true });
  const made = spawnSync("mkfifo", [path]);
  if (made.status !== 0) throw new Error(`mkfifo ${path}: ${made.stderr}`);
  writeFileSync(join(folder, "per_cpu/cpu0/stats"), `entries: ${pages * 10}\nbytes: ${pages * 4080}\nnow ts: 12345\n`);
  const file = openSync(path, constants.O_RDWR | constants.O_NONBLOCK);
  const all = Buffer.concat(Array.from({ length: pages }, (_, page) => numberedPage(name, page)));
  if (writeSync(file, all) !== all.length) throw new Error(`${path}: a pipe holds less than ${pages} pages here`);
  return {
    pages: all,
    rest: () => {
      const left = Buffer.alloc(MOST_PAGES * PAGE_BYTES);
      try {
        return left.subarray(0, readSync(file, left));
      } catch {
        return left.subarray(0, 0);
      }
    },
    close: () => closeSync(file),
  };
}

/** The capture's pages of CPU 0 of a part. */
export function pagesIn(capture: string, part: string): Buffer {
  return readFileSync(join(capture, part, "per_cpu/cpu0/trace_pipe_raw"));
}
