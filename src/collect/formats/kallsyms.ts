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
const SPACE = 0x20;
const NEWLINE = 0x0a;
const TAB = 0x09;
const OPEN_BRACKET = 0x5b;

/** Null where the addresses are hidden (kptr_restrict prints zeros) or there are none. */
export function parseKallsyms(bytes: Uint8Array): SymbolTable | null {
  const addresses: bigint[] = [];
  const begins: number[] = [];
  for (let at = 0; at < bytes.length && addresses.length < MAX_SYMBOLS; ) {
    let end = bytes.indexOf(NEWLINE, at);
    if (end < 0) end = bytes.length;
    const entry = entryOf(bytes, at, end);
    if (entry !== null) {
      addresses.push(entry.address);
      begins.push(entry.nameAt);
    }
    at = end + 1;
  }
  if (addresses.length === 0 || addresses.every((address) => address === 0n)) return null;
  const order = Array.from(addresses.keys()).sort((a, b) => {
    const difference = (addresses[a] as bigint) - (addresses[b] as bigint);
    return difference < 0n ? -1 : difference > 0n ? 1 : a - b;
  });
  const sorted = BigUint64Array.from(order, (i) => addresses[i] as bigint);
  const find = (address: bigint): number => {
    let low = 0;
    let high = sorted.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((sorted[middle] as bigint) <= address) low = middle + 1;
      else high = middle;
    }
    // Of symbols at one address the first in the file is the one that %pS prints.
    let row = low - 1;
    while (row > 0 && sorted[row - 1] === sorted[row]) row -= 1;
    return row;
  };
  const nameAt = (row: number): string => textAt(bytes, begins[order[row] as number] as number);
  const sizeOf = (row: number): bigint => {
    let next = row + 1;
    while (next < sorted.length && sorted[next] === sorted[row]) next += 1;
    return next < sorted.length ? (sorted[next] as bigint) - (sorted[row] as bigint) : 0n;
  };
  const known = new Map<bigint, { readonly symbol: string; readonly name: string } | null>();
  const resolve = (address: bigint) => {
    const cached = known.get(address);
    if (cached !== undefined) return cached;
    const row = find(address);
    const offset = row < 0 ? MAX_OFFSET : address - (sorted[row] as bigint);
    const name = row < 0 ? "" : nameAt(row);
    const size = row < 0 ? 0n : sizeOf(row);
    const module = row < 0 ? "" : moduleAt(bytes, begins[order[row] as number] as number);
    const symbol = `${name}+0x${offset.toString(16)}/0x${size.toString(16)}${module}`;
    const found = offset >= MAX_OFFSET ? null : { name: `${name}${module}`, symbol };
    known.set(address, found);
    return found;
  };
  return {
    count: sorted.length,
    symbol: (address) => resolve(address)?.symbol ?? null,
    name: (address) => resolve(address)?.name ?? null,
  };
}

/** `ffffffff81000000 T _text [module]`. */
function entryOf(bytes: Uint8Array, at: number, end: number): { address: bigint; nameAt: number } | null {
  const space = bytes.indexOf(SPACE, at);
  if (space <= at || space > end - 4 || space - at > 16) return null;
  let high = 0;
  let low = 0;
  for (let i = at; i < space; i++) {
    const digit = hexOf(bytes[i] as number);
    if (digit < 0) return null;
    high = ((high << 4) | (low >>> 28)) >>> 0;
    low = ((low << 4) | digit) >>> 0;
  }
  return { address: (BigInt(high) << 32n) | BigInt(low), nameAt: space + 3 };
}

function hexOf(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const lower = byte | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
}

/** ` [module]` where that follows the name that begins at `begin`, else nothing. */
function moduleAt(bytes: Uint8Array, begin: number): string {
  let at = begin;
  while (at < bytes.length && (bytes[at] as number) > SPACE) at += 1;
  return bytes[at] === TAB && bytes[at + 1] === OPEN_BRACKET ? ` ${textAt(bytes, at + 1)}` : "";
}

function textAt(bytes: Uint8Array, begin: number): string {
  let end = begin;
  while (end < bytes.length && (bytes[end] as number) > SPACE) end += 1;
  return new TextDecoder("latin1").decode(bytes.subarray(begin, end));
}
