/** A series in one line of a terminal. Pure. */
const BARS = [..."▁▂▃▄▅▆▇█"];

/** One bar a value, the least the lowest and the greatest the highest; a gap for null. All equal: the middle. */
export function sparkline(values: readonly (number | null)[]): string {
  const known = values.flatMap((value) => value ?? []);
  const low = known.reduce((least, value) => Math.min(least, value), Number.POSITIVE_INFINITY);
  const high = known.reduce((most, value) => Math.max(most, value), Number.NEGATIVE_INFINITY);
  return values
    .map((value) => {
      if (value === null) return " ";
      if (high === low) return BARS[3];
      return BARS[Math.min(BARS.length - 1, Math.floor(((value - low) / (high - low)) * BARS.length))];
    })
    .join("");
}

/** As many values as there are columns, each the greatest of its neighbours that share one: a peak is never lost. */
export function fittedToColumns(values: readonly (number | null)[], columns: number): readonly (number | null)[] {
  if (values.length <= columns) return values;
  return Array.from({ length: columns }, (_, i) => {
    const from = Math.floor((i * values.length) / columns);
    const to = Math.max(from + 1, Math.floor(((i + 1) * values.length) / columns));
    return values
      .slice(from, to)
      .reduce<number | null>((most, value) => (value === null ? most : Math.max(most ?? value, value)), null);
  });
}
