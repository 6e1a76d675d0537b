/**
 * Seeded pseudo-random numbers, so that every permutation test, bootstrap and simulation gives the same answer on
 * every machine. Not for secrets.
 */

/** A stream of pseudo-random numbers; each call draws the next. */
export interface Random {
  /** A uniform integer, 0 … 2^32 − 1. */
  readonly uint32: () => number;
  /** A uniform double in [0, 1), a multiple of 2^-53. */
  readonly uniform: () => number;
  /** A uniform integer in [0, `bound`), without modulo bias. `bound`: an integer, 1 … 2^32. */
  readonly below: (bound: number) => number;
  /** A standard normal deviate: the polar method of Marsaglia and Bray (1964). */
  readonly normal: () => number;
}

const TWO_TO_32 = 0x1_0000_0000;

/**
 * xoshiro128** 1.1 (Blackman and Vigna 2021, "Scrambled linear pseudorandom number generators", ACM TOMS 47(4)) from
 * four words of state, not all of them zero: period 2^128 − 1, and 32-bit arithmetic only, which is what Math.imul has.
 */
export function randomFromState(state: readonly [number, number, number, number]): Random {
  let [a, b, c, d] = state.map((word) => word | 0) as [number, number, number, number];

  const uint32 = (): number => {
    const scaled = Math.imul(b, 5);
    const result = Math.imul((scaled << 7) | (scaled >>> 25), 9) >>> 0;
    const shifted = b << 9;
    c ^= a;
    d ^= b;
    b ^= c;
    a ^= d;
    c ^= shifted;
    d = (d << 11) | (d >>> 21);
    return result;
  };
  const uniform = (): number => {
    const high = uint32() >>> 5;
    const low = uint32() >>> 6;
    return (high * 0x400_0000 + low) / 0x20_0000_0000_0000;
  };
  const below = (bound: number): number => {
    // The last, incomplete run of `bound` values is drawn again, so that every value is as likely.
    const unbiased = TWO_TO_32 - (TWO_TO_32 % bound);
    let drawn = uint32();
    while (drawn >= unbiased) drawn = uint32();
    return drawn % bound;
  };
  const normal = (): number => {
    for (;;) {
      const u = 2 * uniform() - 1;
      const v = 2 * uniform() - 1;
      const square = u * u + v * v;
      if (square > 0 && square < 1) return u * Math.sqrt((-2 * Math.log(square)) / square);
    }
  };
  return { uint32, uniform, below, normal };
}

/**
 * The stream of a seed (any finite number; its low 32 bits count). The state is filled by SplitMix32, as the authors
 * of xoshiro advise, so that neighbouring seeds give unrelated streams and no seed gives the all-zero state.
 */
export function seededRandom(seed: number): Random {
  let state = seed | 0;
  const next = (): number => {
    state = (state + 0x9e3779b9) | 0;
    let mixed = Math.imul(state ^ (state >>> 16), 0x21f0aaad);
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97);
    return mixed ^ (mixed >>> 15);
  };
  return randomFromState([next(), next(), next(), next()]);
}

/** Shuffles `values` from `begin` up to `end` (exclusive) in place: Fisher and Yates, every order equally likely. */
export function shuffle(values: { [index: number]: number }, begin: number, end: number, random: Random): void {
  for (let last = end - 1; last > begin; last -= 1) {
    const other = begin + random.below(last - begin + 1);
    const kept = values[last]!;
    values[last] = values[other]!;
    values[other] = kept;
  }
}
