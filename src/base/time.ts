/**
 * Typed time. A reading of a clock is an `Instant` of that clock's domain: it is opaque to the compiler, so readings
 * of two clocks, or of the two boots of one live update, can be neither subtracted nor compared without a clock link.
 */

/** One kernel's part in a live update. */
export type Boot = "old" | "new";

/** The clocks a boot stamps its records with. `trace` is whichever clock its trace buffer runs on. */
export type ClockDomain = `${Boot}:${"trace" | "printk" | "tsc" | "realtime"}`;

declare const domain: unique symbol;

/** A reading of the clock `D`, in that clock's own counts (nanoseconds, or TSC cycles); at run time a bigint. */
export interface Instant<D extends ClockDomain> {
  /** Both argument and result, so that `D` is invariant: two domains never widen to their union. */
  readonly [domain]: (of: D) => D;
}

/** Integer nanoseconds between two instants on one axis. Exact up to 2^53 ns (104 days). */
export type Duration = number;

/** Brands a raw clock count. The only way to make an Instant: the caller vouches for the clock. */
export function instant<D extends ClockDomain>(_domain: D, count: bigint): Instant<D> {
  return count as unknown as Instant<D>;
}

/** The raw count behind an instant, for arithmetic inside clock code. */
export function countOf<D extends ClockDomain>(time: Instant<D>): bigint {
  return time as unknown as bigint;
}
