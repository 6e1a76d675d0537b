/**
 * A large update made from a real one: its spans repeated, each copy squeezed into a slot of the same time with its own
 * tasks and CPUs, so that lanes, nesting and the mix of kinds are those of a recording.
 */

/** Copies side by side in time, each with its own pids and CPUs. */
const SIDE_BY_SIDE = 25;
/** These exist once for the whole update. */
const ONCE = new Set(["phase", "blackout", "seam"]);

export function enlarged(update, wanted, kinds) {
  const { spans } = update;
  const copied = [...Array(spans.count).keys()].filter((row) => !ONCE.has(kinds[spans.kind[row]]));
  const copies = Math.max(1, Math.ceil(wanted / copied.length));
  const slots = Math.ceil(copies / SIDE_BY_SIDE);
  let low = Number.POSITIVE_INFINITY;
  let high = Number.NEGATIVE_INFINITY;
  for (const row of copied) {
    low = Math.min(low, spans.beginNs[row]);
    high = Math.max(high, spans.endNs[row]);
  }
  const count = wanted;
  const place = new Map(copied.map((row, i) => [row, i]));
  const table = { count, strings: spans.strings };
  for (const [name, column] of Object.entries(spans)) {
    if (ArrayBuffer.isView(column)) table[name] = new column.constructor(count);
  }
  const slot = (high - low) / slots;
  for (let row = 0; row < count; row++) {
    const copy = Math.floor(row / copied.length);
    const from = copied[row % copied.length];
    const lane = copy % SIDE_BY_SIDE;
    const at = low + Math.floor(copy / SIDE_BY_SIDE) * slot;
    for (const name of ["kind", "name", "id", "action", "detail", "boot", "task", "evidence", "flags"]) {
      table[name][row] = spans[name][from];
    }
    table.beginNs[row] = Math.round(at + (spans.beginNs[from] - low) / slots);
    table.endNs[row] = Math.round(at + (spans.endNs[from] - low) / slots);
    table.pid[row] = spans.pid[from] < 0 ? -1 : spans.pid[from] + lane * 10_000;
    table.cpu[row] = spans.cpu[from] < 0 ? -1 : spans.cpu[from] + lane * 2;
    const parent = place.get(spans.parent[from]);
    table.parent[row] = parent === undefined ? -1 : copy * copied.length + parent;
  }
  return { document: update.document, printk: update.printk, spans: table };
}

/** `count` list entries drawn from real ones, each slightly different; every run gives the same. */
export function manyUpdates(updates, count) {
  let seed = 7;
  const random = () => {
    seed = (Math.imul(seed, 1_103_515_245) + 12_345) & 0x7fffffff;
    return seed / 0x7fffffff;
  };
  return Array.from({ length: count }, (_, i) => {
    const entry = updates[i % updates.length];
    const factor = 0.9 + 0.2 * random() + (random() < 0.02 ? random() : 0);
    const scaled = (ns) => (ns === null ? null : Math.round(ns * factor));
    return {
      ...entry,
      name: `${entry.name}-${i + 1}`,
      blackoutNs: scaled(entry.blackoutNs),
      phaseNs: entry.phaseNs.map(scaled),
      ...(entry.causes === undefined
        ? {}
        : { causes: entry.causes.map((cause) => ({ ...cause, ns: scaled(cause.ns) })) }),
    };
  });
}
