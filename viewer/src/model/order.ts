/** The order spans are drawn in: by begin, of equal begins the longer first, so that what encloses comes first. */

const DIGIT = 16;
const BUCKETS = 1 << DIGIT;

/**
 * Row numbers of `begin` and `end` in drawing order. Sorted by radix, since millions of rows are compared too slowly;
 * a table already in order costs one pass. Times are integers; fractions of a nanosecond are not told apart.
 */
export function drawingOrder(begin: Float64Array, end: Float64Array, count: number): Uint32Array {
  let rows = new Uint32Array(count);
  for (let row = 0; row < count; row++) rows[row] = row;
  if (isOrdered(begin, end, count)) return rows;
  let low = Number.POSITIVE_INFINITY;
  let high = Number.NEGATIVE_INFINITY;
  for (let row = 0; row < count; row++) {
    const at = begin[row] as number;
    if (at < low) low = at;
    if (at > high) high = at;
  }
  let other = new Uint32Array(count);
  const starts = new Uint32Array(BUCKETS + 1);
  for (let scale = 1; high - low >= scale; scale *= BUCKETS) {
    starts.fill(0);
    for (let i = 0; i < count; i++) {
      const digit = Math.floor(((begin[i] as number) - low) / scale) % BUCKETS;
      starts[digit + 1] = (starts[digit + 1] as number) + 1;
    }
    for (let digit = 0; digit < BUCKETS; digit++) {
      starts[digit + 1] = (starts[digit + 1] as number) + (starts[digit] as number);
    }
    for (let i = 0; i < count; i++) {
      const row = rows[i] as number;
      const digit = Math.floor(((begin[row] as number) - low) / scale) % BUCKETS;
      const at = starts[digit] as number;
      other[at] = row;
      starts[digit] = at + 1;
    }
    [rows, other] = [other, rows];
  }
  orderTies(begin, end, rows);
  return rows;
}

function isOrdered(begin: Float64Array, end: Float64Array, count: number): boolean {
  for (let row = 1; row < count; row++) {
    const by = (begin[row] as number) - (begin[row - 1] as number);
    if (by < 0 || (by === 0 && (end[row] as number) > (end[row - 1] as number))) return false;
  }
  return true;
}

function orderTies(begin: Float64Array, end: Float64Array, rows: Uint32Array): void {
  for (let from = 0; from < rows.length; ) {
    let to = from + 1;
    const at = begin[rows[from] as number] as number;
    while (to < rows.length && begin[rows[to] as number] === at) to++;
    if (to - from > 1) {
      rows.subarray(from, to).sort((a, b) => (end[b] as number) - (end[a] as number) || a - b);
    }
    from = to;
  }
}
