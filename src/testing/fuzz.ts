/**
 * Mutated inputs for the readers: what a hostile or damaged file may hold, and the bounds that reading it must keep.
 */
import { setImmediate } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { seededRandom } from "../base/numbers/random.js";

/** Mutated inputs to read: a number that CI can afford; FUZZ_RUNS for more. */
export const FUZZ_RUNS = Number(process.env.FUZZ_RUNS ?? 20_000);

const MOST_MS = 2_000;
const MEMORY_FACTOR = 4;
const MEMORY_BYTES = 64 << 20;
/** Up to this run, the process grows by compiled code. */
const WARM_UP = 2_000;
/** Garbage is collected this often: the remaining growth is what one input needs, and what leaks. */
const COLLECT_EVERY = 250;

/** Lengths, counts and offsets that a reader may trip over. */
const HOSTILE = [0, 1, 2, 3, 4, 7, 8, 27, 28, 29, 30, 31, 61, 127, 128, 255, 4095, 4096, 4097, 65_535, 65_536];
const HOSTILE_LARGE = [1 << 20, 1 << 28, 0x7fff_ffff, 0x8000_0000, 0xc000_0000, 0xffff_fff8, 0xffff_ffff];

export interface Fuzzing {
  readonly seeds: readonly Uint8Array[];
  readonly runs: number;
  readonly seed: number;
  /** Pieces of the format's own grammar, inserted anywhere. */
  readonly pieces: readonly Uint8Array[];
  /** Reads one input; an exception is a finding. */
  read(bytes: Uint8Array, run: number): void;
}

export interface FuzzFigures {
  readonly runs: number;
  readonly slowestMs: number;
  /** Growth of the process's peak after warming up, in bytes. */
  readonly grownBytes: number;
}

/** Reads `runs` mutated inputs; throws at the first that throws, takes 2 s of processor time, or grows the process. */
export async function fuzz({ seeds, runs, seed, pieces, read }: Fuzzing): Promise<FuzzFigures> {
  const { below } = seededRandom(seed);
  const pick = <T>(of: readonly T[]): T => of[below(of.length)] as T;
  const largest = seeds.reduce((most, { length }) => Math.max(most, length), 0);
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  let slowestMs = 0;
  let settled = 0;
  for (let run = 0; run < runs; run++) {
    if (run % COLLECT_EVERY === 0) {
      // zlib's synchronous calls free their memory in the event loop.
      await setImmediate();
      collect();
    }
    const bytes = mutated(pick(seeds), () => pick(seeds), pieces, below, 2 * largest);
    const began = performance.now();
    const before = process.cpuUsage();
    try {
      read(bytes, run);
    } catch (error) {
      throw new Error(`run ${run}: ${Buffer.from(bytes).toString("base64").slice(0, 2_000)}`, { cause: error });
    }
    const ms = performance.now() - began;
    // The clock also counts the time of other processes.
    if (ms > slowestMs) {
      const { user, system } = process.cpuUsage(before);
      slowestMs = Math.max(slowestMs, Math.min(ms, (user + system) / 1000));
      if (slowestMs > MOST_MS) {
        throw new Error(`run ${run} took ${slowestMs} ms: ${Buffer.from(bytes).toString("base64").slice(0, 2_000)}`);
      }
    }
    const peak = process.resourceUsage().maxRSS * 1024;
    if (run < WARM_UP) settled = peak;
    else if (peak - settled > MEMORY_FACTOR * bytes.length + MEMORY_BYTES) {
      throw new Error(`run ${run} grew the process by ${peak - settled} bytes, reading ${bytes.length}`);
    }
  }
  return { runs, slowestMs, grownBytes: process.resourceUsage().maxRSS * 1024 - settled };
}

function mutated(
  from: Uint8Array,
  other: () => Uint8Array,
  pieces: readonly Uint8Array[],
  below: (bound: number) => number,
  most: number,
): Uint8Array {
  let bytes = from.slice(0, below(6) === 0 ? below(from.length + 1) : from.length);
  for (let i = below(5); i >= 0 && bytes.length > 16; i--) {
    // Headers are small and decide most: every third change hits the beginning.
    const at = below(below(3) === 0 ? Math.min(bytes.length, 1024) : bytes.length);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    const hostile = below(3) === 0 ? HOSTILE_LARGE : HOSTILE;
    const value = hostile[below(hostile.length)] as number;
    const word = Math.min(at & ~3, (bytes.length - 8) & ~3);
    switch (below(9)) {
      case 0:
      case 1:
        bytes[at] = (bytes[at] as number) ^ (1 << below(8));
        break;
      case 2:
        bytes[at] = below(256);
        break;
      case 3:
        view.setUint32(below(2) === 0 ? word : Math.min(at, bytes.length - 4), value, below(4) !== 0);
        break;
      case 4:
        view.setBigUint64(word, below(2) === 0 ? BigInt(value) : (1n << BigInt(below(64))) - 1n, below(4) !== 0);
        break;
      case 5:
        bytes.copyWithin(at, below(bytes.length), below(bytes.length));
        break;
      case 6:
        bytes = spliced(bytes, at, below(2) === 0 ? 0 : below(64), other(), below, most);
        break;
      case 7:
        if (pieces.length > 0) bytes = joined(bytes, at, below(8), pieces[below(pieces.length)] as Uint8Array);
        break;
      default:
        bytes = joined(bytes, at, below(200), new Uint8Array(0));
    }
  }
  return bytes;
}

/** A part of `other` in place of `cut` bytes at `at`. */
function spliced(
  bytes: Uint8Array,
  at: number,
  cut: number,
  other: Uint8Array,
  below: (bound: number) => number,
  most: number,
): Uint8Array<ArrayBuffer> {
  const begin = below(other.length + 1);
  const part = other.subarray(begin, begin + below(4096));
  return joined(bytes, at, cut, bytes.length + part.length > most ? part.subarray(0, 16) : part);
}

function joined(bytes: Uint8Array, at: number, cut: number, part: Uint8Array): Uint8Array<ArrayBuffer> {
  const rest = bytes.subarray(Math.min(bytes.length, at + cut));
  const whole = new Uint8Array(at + part.length + rest.length);
  whole.set(bytes.subarray(0, at));
  whole.set(part, at);
  whole.set(rest, at + part.length);
  return whole;
}
