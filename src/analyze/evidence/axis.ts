/** Durations between placed instants: the one place where two instants are subtracted. */
import type { Boot, Duration } from "../../base/time.js";
import type { ClockLink, Placed } from "../../model/collected.js";

/** Each boot's nanosecond that becomes zero: one and the same if the link is joint. */
export type Zero = Readonly<Record<Boot, number>>;

export interface Axis {
  readonly link: ClockLink;
  /** Nanoseconds from `begin` to `end`; null if they are of different boots and no link joins these. */
  between(begin: Placed, end: Placed): Duration | null;
  /** ± of `between`: the link's ± if it crosses the kexec, and the rate's over the whole length. */
  uncertainty(begin: Placed, end: Placed): Duration | null;
}

export function axisOf(link: ClockLink): Axis {
  const comparable = (a: Placed, b: Placed): boolean => link.joint || a.boot === b.boot;
  return {
    link,
    between: (begin, end) => (comparable(begin, end) ? end.ns - begin.ns : null),
    uncertainty: (begin, end) => {
      if (!comparable(begin, end)) return null;
      const rate = Math.ceil((Math.abs(end.ns - begin.ns) * link.ratePpm) / 1e6);
      const own = (begin.uncertaintyNs ?? 0) + (end.uncertaintyNs ?? 0);
      return rate + own + (begin.boot === end.boot ? STAMP_NS : (link.uncertaintyNs ?? 0));
    },
  };
}

/** Two stamps of one clock: each is truncated or rounded to a microsecond at worst (ftrace text, ns2usecs). */
const STAMP_NS = 1_000;
