/**
 * The drawing order of spans: by begin, and for equal begins the longer first, so that the enclosing span comes first.
 */

const DIGIT = 11;
const BUCKETS = 1 << DIGIT;
const KEY_BITS = 32;

/**
 * Row numbers of `begin` and `end` in drawing order. Radix sort, because comparing millions of rows is too slow; a
 * table already in order costs one pass. Keys are times of 32 bits; equal keys are compared.
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
  const scale = Math.min(1, (2 ** KEY_BITS - 1) / (high - low));
  let keys = new Uint32Array(count);
  for (let row = 0; row < count; row++) keys[row] = ((begin[row] as number) - low) * scale;
  let otherRows = new Uint32Array(count);
  let otherKeys = new Uint32Array(count);
  const starts = new Uint32Array(BUCKETS + 1);
  const range = (high - low) * scale;
  for (let shift = 0; shift < KEY_BITS && range >= 2 ** shift; shift += DIGIT) {
    starts.fill(0);
    for (let i = 0; i < count; i++) {
      const after = (((keys[i] as number) >>> shift) & (BUCKETS - 1)) + 1;
      starts[after] = (starts[after] as number) + 1;
    }
    for (let digit = 0; digit < BUCKETS; digit++) {
      starts[digit + 1] = (starts[digit + 1] as number) + (starts[digit] as number);
    }
    for (let i = 0; i < count; i++) {
      const key = keys[i] as number;
      const digit = (key >>> shift) & (BUCKETS - 1);
      const at = starts[digit] as number;
      otherKeys[at] = key;
      otherRows[at] = rows[i] as number;
      starts[digit] = at + 1;
    }
    [rows, otherRows] = [otherRows, rows];
    [keys, otherKeys] = [otherKeys, keys];
  }
  orderTies(begin, end, rows, keys);
  return rows;
}

function isOrdered(begin: Float64Array, end: Float64Array, count: number): boolean {
  for (let row = 1; row < count; row++) {
    const by = (begin[row] as number) - (begin[row - 1] as number);
    if (by < 0 || (by === 0 && (end[row] as number) > (end[row - 1] as number))) return false;
  }
  return true;
}

/** Rows of one key are few and mostly in order: compared in pairs, and sorted only if needed. */
function orderTies(begin: Float64Array, end: Float64Array, rows: Uint32Array, keys: Uint32Array): void {
  const compare = (a: number, b: number) =>
    (begin[a] as number) - (begin[b] as number) || (end[b] as number) - (end[a] as number) || a - b;
  for (let from = 0; from < rows.length; ) {
    let to = from + 1;
    let ordered = true;
    while (to < rows.length && keys[to] === keys[from]) {
      ordered &&= compare(rows[to - 1] as number, rows[to] as number) <= 0;
      to++;
    }
    if (!ordered) rows.subarray(from, to).sort(compare);
    from = to;
  }
}
