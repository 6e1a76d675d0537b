/** /proc/kallsyms: addresses to symbols. Parsed once, from bytes; looked up by binary search. */

export interface SymbolTable {
  readonly count: number;
  /** `name+0x4/0x60`, and ` [module]` of a module's, as %pS prints it; null below the first symbol, or far beyond one. */
  symbol(address: bigint): string | null;
  /** `name`, and ` [module]` of a module's, as %ps prints it. */
  name(address: bigint): string | null;
}

const MAX_SYMBOLS = 4_000_000;
/** Beyond this an address belongs to no function any more (the largest kernel functions are some 100 KiB). */
const MAX_OFFSET = 1n << 20n;
/** KSYM_NAME_LEN (512), MODULE_NAME_LEN (64) and what stands around them: a longer line has no symbol. */
const MAX_NAMES_BYTES = 512 + 64 + 8;
/** Looked-up addresses that are kept; more are looked up again. */
const MAX_KNOWN = 1 << 16;
const SPACE = 0x20;
const NEWLINE = 0x0a;
const TAB = 0x09;
const OPEN_BRACKET = 0x5b;

interface Found {
  readonly symbol: string;
  readonly name: string;
}

/** Null if the addresses are hidden (kptr_restrict prints zeros) or there are none. */
export function parseKallsyms(bytes: Uint8Array): SymbolTable | null {
  const addresses = parseAddresses(bytes);
  if (addresses === null) return null;
  const known = new Map<bigint, Found | null>();
  const resolve = (address: bigint): Found | null => {
    const cached = known.get(address);
    if (cached !== undefined) return cached;
    if (known.size >= MAX_KNOWN) known.clear();
    const found = resolved(bytes, addresses, address);
    known.set(address, found);
    return found;
  };
  return {
    count: addresses.count,
    symbol: (address) => resolve(address)?.symbol ?? null,
    name: (address) => resolve(address)?.name ?? null,
  };
}

function resolved(bytes: Uint8Array, addresses: Addresses, address: bigint): Found | null {
  const next = addresses.firstFrom(address + 1n);
  if (next === 0) return null;
  const base = addresses.at(next - 1);
  const offset = address - base;
  if (offset >= MAX_OFFSET) return null;
  // Of symbols at one address the first in the file is the one that %pS prints.
  const begin = addresses.nameBegin(addresses.firstFrom(base));
  const size = next < addresses.count ? addresses.at(next) - base : 0n;
  const name = textAt(bytes, begin);
  const module = moduleAt(bytes, begin);
  return { name: `${name}${module}`, symbol: `${name}+0x${offset.toString(16)}/0x${size.toString(16)}${module}` };
}

/** Addresses in ascending order, those of one address in the file's: 16 bytes a symbol, however many there are. */
class Addresses {
  constructor(
    readonly count: number,
    readonly high: Uint32Array,
    readonly low: Uint32Array,
    readonly begins: Uint32Array,
    readonly order: Uint32Array,
  ) {}

  at(row: number): bigint {
    const entry = this.order[row] as number;
    return (BigInt(this.high[entry] as number) << 32n) | BigInt(this.low[entry] as number);
  }

  nameBegin(row: number): number {
    return this.begins[this.order[row] as number] as number;
  }

  /** The first row whose address is not below `address`. */
  firstFrom(address: bigint): number {
    let first = 0;
    let end = this.count;
    while (first < end) {
      const middle = (first + end) >>> 1;
      if (this.at(middle) < address) first = middle + 1;
      else end = middle;
    }
    return first;
  }
}

function parseAddresses(bytes: Uint8Array): Addresses | null {
  const most = countLines(bytes);
  const high = new Uint32Array(most);
  const low = new Uint32Array(most);
  const begins = new Uint32Array(most);
  let count = 0;
  let isHidden = true;
  /** How many entries from the first are in order: the kernel's own are, those of modules follow in any. */
  let sorted = 0;
  for (let at = 0; at < bytes.length && count < most; ) {
    let end = bytes.indexOf(NEWLINE, at);
    if (end < 0) end = bytes.length;
    const begin = parseEntry(bytes, at, end, high, low, count);
    if (begin > 0) {
      begins[count] = begin;
      const [ownHigh, ownLow] = [high[count] as number, low[count] as number];
      if (ownHigh !== 0 || ownLow !== 0) isHidden = false;
      if (count > 0) {
        const aboveHigh = high[count - 1] as number;
        const isAbove = ownHigh > aboveHigh || (ownHigh === aboveHigh && ownLow >= (low[count - 1] as number));
        if (isAbove && sorted === count - 1) sorted = count;
      }
      count += 1;
    }
    at = end + 1;
  }
  if (isHidden) return null;
  const order = Uint32Array.from({ length: count }, (_, entry) => entry);
  if (count > 0 && sorted < count - 1) {
    const tail = sortedBy([low, high], order.slice(sorted + 1));
    order.set(merged([high, low], order.slice(0, sorted + 1), tail));
  }
  return new Addresses(count, high, low, begins, order);
}

/** Two sorted lists as one; of equal addresses those of the first list come first. */
function merged([high, low]: readonly [Uint32Array, Uint32Array], a: Uint32Array, b: Uint32Array): Uint32Array {
  const all = new Uint32Array(a.length + b.length);
  const isBefore = (x: number, y: number): boolean =>
    (high[x] as number) < (high[y] as number) || (high[x] === high[y] && (low[x] as number) < (low[y] as number));
  for (let at = 0, i = 0, k = 0; at < all.length; at++) {
    const fromB = i === a.length || (k < b.length && isBefore(b[k] as number, a[i] as number));
    all[at] = (fromB ? b[k++] : a[i++]) as number;
  }
  return all;
}

function countLines(bytes: Uint8Array): number {
  let lines = 1;
  for (let at = bytes.indexOf(NEWLINE); at >= 0 && lines < MAX_SYMBOLS; at = bytes.indexOf(NEWLINE, at + 1)) lines += 1;
  return lines;
}

/** Sorts by numbers whose words are given from the lowest to the highest: stable, and linear for whatever order. */
function sortedBy(words: readonly Uint32Array[], order: Uint32Array): Uint32Array {
  let from: Uint32Array = order;
  let into: Uint32Array = new Uint32Array(order.length);
  for (const word of words) {
    for (const shift of [0, 16]) {
      const places = new Uint32Array(65_537);
      for (const entry of from) {
        const digit = ((word[entry] as number) >>> shift) & 0xffff;
        places[digit + 1] = (places[digit + 1] as number) + 1;
      }
      for (let digit = 0; digit < 65_536; digit++) {
        places[digit + 1] = (places[digit + 1] as number) + (places[digit] as number);
      }
      for (const entry of from) {
        const digit = ((word[entry] as number) >>> shift) & 0xffff;
        const place = places[digit] as number;
        into[place] = entry;
        places[digit] = place + 1;
      }
      [from, into] = [into, from];
    }
  }
  return from;
}

/** `ffffffff81000000 T _text [module]`: the address into `row`; returns where the name begins, 0 without a symbol. */
function parseEntry(
  bytes: Uint8Array,
  at: number,
  end: number,
  highs: Uint32Array,
  lows: Uint32Array,
  row: number,
): number {
  let high = 0;
  let low = 0;
  let space = at;
  for (; space < end && bytes[space] !== SPACE; space++) {
    const digit = hexOf(bytes[space] as number);
    if (digit < 0) return 0;
    high = ((high << 4) | (low >>> 28)) >>> 0;
    low = ((low << 4) | digit) >>> 0;
  }
  if (space === at || space > end - 4 || space - at > 16 || end - space > MAX_NAMES_BYTES) return 0;
  highs[row] = high;
  lows[row] = low;
  return space + 3;
}

function hexOf(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const lower = byte | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
}

/** ` [module]` if that follows the name that begins at `begin`, else nothing. */
function moduleAt(bytes: Uint8Array, begin: number): string {
  let at = begin;
  while (at < bytes.length && (bytes[at] as number) > SPACE) at += 1;
  return bytes[at] === TAB && bytes[at + 1] === OPEN_BRACKET ? ` ${textAt(bytes, at + 1)}` : "";
}

function textAt(bytes: Uint8Array, begin: number): string {
  let end = begin;
  while (end < bytes.length && (bytes[end] as number) > SPACE) end += 1;
  return latin1.decode(bytes.subarray(begin, end));
}

const latin1 = new TextDecoder("latin1");
