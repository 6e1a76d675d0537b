/**
 * Holm's (1979, "A simple sequentially rejective multiple test procedure", Scandinavian Journal of Statistics 6(2))
 * adjusted p-values, in the order given: rejecting those at or below a level keeps the chance of any false rejection
 * among all of them at that level, however the tests depend on each other. `pValues`: each in [0, 1].
 */
export function holm(pValues: readonly number[]): readonly number[] {
  const order = pValues.map((_, place) => place).sort((a, b) => pValues[a]! - pValues[b]!);
  const adjusted = new Array<number>(pValues.length);
  let largest = 0;
  for (const [rank, place] of order.entries()) {
    largest = Math.max(largest, Math.min(1, pValues[place]! * (pValues.length - rank)));
    adjusted[place] = largest;
  }
  return adjusted;
}
