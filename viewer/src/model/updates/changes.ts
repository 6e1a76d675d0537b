/**
 * Where, in the order of the report, updates begin to take more or less time: the test of `blackout history` on the
 * updates that a page lists. Seeded, so that the same updates give the same answer.
 */
import { DEFAULT_FLOORS, floorOf } from "../../../../src/analyze/compare/levels.js";
import { CHANGE_LEVEL, SHIFT_CONFIDENCE } from "../../../../src/analyze/history/history.js";
import { median } from "../../../../src/analyze/statistics/order-statistics.js";
import { sampleOf } from "../../../../src/analyze/statistics/sample.js";
import { eDivisive } from "../../../../src/analyze/statistics/tests/e-divisive.js";
import { hodgesLehmann } from "../../../../src/analyze/statistics/tests/hodges-lehmann.js";

/** A stretch of updates without a change in it. */
export interface SteadyStretch {
  /** Places in the list: from the first of the stretch to behind its last. */
  readonly from: number;
  readonly to: number;
  readonly medianNs: number;
}

export interface LevelChange {
  /** Place in the list of the first update after the change. */
  readonly at: number;
  /** By how much updates take longer after it (Hodges and Lehmann), and its interval if there are enough durations. */
  readonly shiftNs: number;
  readonly intervalNs: readonly [number, number] | null;
  /** Share of the median before. */
  readonly relative: number;
  readonly pValue: number;
  /** The change is shown, but too small to matter (the floors of `blackout compare`). */
  readonly belowFloor: boolean;
}

export interface Changes {
  readonly changes: readonly LevelChange[];
  /** One more than the number of changes; empty if no search was made. */
  readonly levels: readonly SteadyStretch[];
  /** How many neighbours each tested value is the median of: 1 unless there are very many. */
  readonly updatesPerPoint: number;
}

const NONE: Changes = { changes: [], levels: [], updatesPerPoint: 1 };
/** Fewer cannot show a change at the required level. */
export const LEAST_FOR_CHANGES = 10;
/** `history` tests 300 values; an interactive page fewer, because the search costs the square. */
const MOST_POINTS = 200;
const PERMUTATIONS = 999;

/** `valuesNs`: of each update in turn, null if unknown. */
export function changesOf(valuesNs: readonly (number | null)[]): Changes {
  const places = [...valuesNs.keys()].filter((i) => valuesNs[i] !== null);
  if (places.length < LEAST_FOR_CHANGES) return NONE;
  const known = Float64Array.from(places, (place) => valuesNs[place] as number);
  const each = Math.ceil(known.length / MOST_POINTS);
  const points: number[] = [];
  for (let i = 0; i < known.length; i += each) points.push(middle(known.subarray(i, i + each)));
  const found = eDivisive(points, { seed: 1, permutations: PERMUTATIONS, significance: CHANGE_LEVEL });
  if (!found.ok) return NONE;
  const cuts = [0, ...found.value.accepted.map(({ index }) => index), points.length];
  const levels = cuts.slice(1).map((end, i): SteadyStretch => {
    const [from, to] = [(cuts[i] as number) * each, Math.min(end * each, known.length)];
    return {
      from: places[from] as number,
      to: (places[to - 1] as number) + 1,
      medianNs: middle(known.subarray(from, to)),
    };
  });
  const changes = found.value.accepted.flatMap(({ index, p }, i): LevelChange[] => {
    const [before, after] = [sampleOf(points.slice(cuts[i], index)), sampleOf(points.slice(index, cuts[i + 2]))];
    if (!before.ok || !after.ok) return [];
    const { shift, interval } = hodgesLehmann(before.value, after.value, SHIFT_CONFIDENCE);
    const base = median(before.value);
    return [
      {
        at: places[index * each] as number,
        shiftNs: Math.round(shift),
        intervalNs: interval.kind === "known" ? [Math.floor(interval.lower), Math.ceil(interval.upper)] : null,
        relative: base === 0 ? 0 : shift / base,
        pValue: p,
        belowFloor: Math.abs(shift) < floorOf(DEFAULT_FLOORS, base),
      },
    ];
  });
  return { changes, levels, updatesPerPoint: each };
}

function middle(values: Float64Array): number {
  const sorted = values.slice().sort();
  const half = sorted.length >> 1;
  const upper = sorted[half] as number;
  return sorted.length % 2 === 1 ? upper : ((sorted[half - 1] as number) + upper) / 2;
}
