/** The kernel's %p formats (Documentation/core-api/printk-formats.rst) of what a trace record can hold. */
import { errnoName } from "../../base/numbers/errno.js";
import { type KernelFacts, symbolAlone, symbolWithOffset } from "./kernel-facts.js";

/** What %p is given: an address, or the bytes that it points to if they are part of the record. */
export type PointerValue = bigint | Uint8Array;

/** Null if the format needs memory that a record does not hold (%pd, %pD, …). */
export function pointerText(
  extension: string,
  pointer: PointerValue,
  /** The argument of `%*ph` and `%*pb`. */
  width: number,
  facts: KernelFacts,
  littleEndian: boolean,
): string | null {
  const first = extension[0] ?? "";
  if (typeof pointer === "bigint") {
    switch (first) {
      case "S":
      case "F":
      case "B":
        return symbolWithOffset(facts, pointer);
      case "s":
      case "f":
        return symbolAlone(facts, pointer);
      case "":
      case "x":
      case "K":
        return plainPointer(pointer, facts);
      case "e": {
        const code = -Number(BigInt.asIntN(facts.longBytes * 8, pointer));
        return code > 0 && code <= 4095 ? `-${errnoName(code)}` : plainPointer(pointer, facts);
      }
      default:
        return null;
    }
  }
  switch (first) {
    case "I":
    case "i":
      return addressText(extension, pointer);
    case "M":
      return hexJoined(pointer.subarray(0, 6), extension[1] === "F" ? "-" : ":", extension[1] === "R");
    case "m":
      return hexJoined(pointer.subarray(0, 6), "", extension[1] === "R");
    case "U":
      return uuidText(extension, pointer);
    case "h": {
      const separator = { C: ":", D: "-", N: "" }[extension[1] ?? ""] ?? " ";
      return hexJoined(pointer.subarray(0, Math.min(64, Math.max(1, width))), separator, false);
    }
    case "b":
      return extension[1] === "l" ? bitList(pointer, width) : bitmapText(pointer, width, littleEndian);
    case "a": {
      const view = new DataView(pointer.buffer, pointer.byteOffset, pointer.byteLength);
      if (pointer.length < facts.longBytes) return null;
      const value =
        facts.longBytes === 8 ? view.getBigUint64(0, littleEndian) : BigInt(view.getUint32(0, littleEndian));
      return `0x${value.toString(16).padStart(facts.longBytes * 2, "0")}`;
    }
    default:
      return null;
  }
}

/**
 * %px, which is also what %p is if options/hash-ptr is off. By default the kernel prints a hash of the address
 * instead, keyed with a secret of that boot: no reader can print the same.
 */
function plainPointer(pointer: bigint, facts: KernelFacts): string {
  return BigInt.asUintN(facts.longBytes * 8, pointer)
    .toString(16)
    .padStart(facts.longBytes * 2, "0");
}

const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));

export function hexJoined(bytes: Uint8Array, separator: string, reversed: boolean): string {
  const parts = Array.from(bytes, (byte) => HEX[byte] as string);
  return (reversed ? parts.reverse() : parts).join(separator);
}

function addressText(extension: string, bytes: Uint8Array): string | null {
  const colons = extension[0] === "I";
  switch (extension[1]) {
    case "4":
      if (bytes.length < 4) return null;
      return Array.from(bytes.subarray(0, 4), (byte) => (colons ? String(byte) : String(byte).padStart(3, "0"))).join(
        ".",
      );
    case "6":
      if (bytes.length < 16) return null;
      return colons && extension[2] === "c" ? compressedIp6(bytes) : ip6(bytes, colons ? ":" : "");
    case "S":
      return sockaddrText(extension.slice(2), bytes);
    default:
      return null;
  }
}

function ip6(bytes: Uint8Array, separator: string): string {
  const groups: string[] = [];
  for (let i = 0; i < 16; i += 2) groups.push(`${HEX[bytes[i] as number]}${HEX[bytes[i + 1] as number]}`);
  return groups.join(separator);
}

/** ip6_compressed_string: the longest run of zero groups (of at least two) becomes `::`; mapped IPv4 in dots. */
function compressedIp6(bytes: Uint8Array): string {
  const words = Array.from({ length: 8 }, (_, i) => ((bytes[2 * i] as number) << 8) | (bytes[2 * i + 1] as number));
  const zeros = (to: number): boolean => words.slice(0, to).every((word) => word === 0);
  const mapped = zeros(5) && words[5] === 0xffff;
  // An ISATAP interface identifier ends in an IPv4 address too (RFC 5214).
  const isatap = ((words[4] as number) | 0x0200) === 0x0200 && words[5] === 0x5efe;
  const range = mapped || isatap ? 6 : 8;
  let best = { from: -1, length: 1 };
  for (let i = 0; i < range; i++) {
    let length = 0;
    while (i + length < range && words[i + length] === 0) length += 1;
    if (length > best.length) best = { from: i, length };
  }
  let text = "";
  let colon = false;
  for (let i = 0; i < range; i++) {
    if (i === best.from) {
      if (colon || i === 0) text += ":";
      text += ":";
      colon = false;
      i += best.length - 1;
      continue;
    }
    if (colon) text += ":";
    text += (words[i] as number).toString(16);
    colon = true;
  }
  if (range === 6) text += `${colon ? ":" : ""}${Array.from(bytes.subarray(12, 16)).join(".")}`;
  return text;
}

/** %pIS: a struct sockaddr of either family; `p` adds the port, `c` compresses. */
function sockaddrText(options: string, bytes: Uint8Array): string | null {
  if (bytes.length < 2) return null;
  const family = (bytes[0] as number) | ((bytes[1] as number) << 8);
  const port = ((bytes[2] ?? 0) << 8) | (bytes[3] ?? 0);
  const withPort = options.includes("p");
  if (family === 2 && bytes.length >= 8) {
    return `${Array.from(bytes.subarray(4, 8)).join(".")}${withPort ? `:${port}` : ""}`;
  }
  if (family === 10 && bytes.length >= 24) {
    const address = bytes.subarray(8, 24);
    const text = options.includes("c") ? compressedIp6(address) : ip6(address, ":");
    return withPort ? `[${text}]:${port}` : text;
  }
  return null;
}

function uuidText(extension: string, bytes: Uint8Array): string | null {
  if (bytes.length < 16) return null;
  const big = extension[1] !== "l" && extension[1] !== "L";
  const order = big
    ? [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]
    : [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15];
  const hex = order.map((i) => HEX[bytes[i] as number] as string).join("");
  const text = `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
  return extension[1] === "B" || extension[1] === "L" ? text.toUpperCase() : text;
}

function bits(bytes: Uint8Array, count: number): (bit: number) => boolean {
  return (bit) => bit < count && ((bytes[bit >> 3] ?? 0) & (1 << (bit & 7))) !== 0;
}

/** %*pb: 32-bit words from the top, joined by commas. */
export function bitmapText(bytes: Uint8Array, count: number, littleEndian: boolean): string {
  const total = Math.max(1, Math.min(count, bytes.length * 8));
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const words: string[] = [];
  for (let from = (Math.ceil(total / 32) - 1) * 32; from >= 0; from -= 32) {
    const size = Math.min(32, total - from);
    const at = from / 8;
    let word = 0;
    if (at + 4 <= bytes.length) word = view.getUint32(at, littleEndian);
    else for (let i = bytes.length - 1; i >= at; i--) word = word * 256 + (bytes[i] as number);
    if (size < 32) word %= 2 ** size;
    words.push(word.toString(16).padStart(Math.ceil(size / 4), "0"));
  }
  return words.join(",");
}

/** %*pbl: ranges, `0-3,8`. */
function bitList(bytes: Uint8Array, count: number): string {
  const set = bits(bytes, Math.min(count, bytes.length * 8));
  const ranges: string[] = [];
  for (let bit = 0; bit < count; bit++) {
    if (!set(bit)) continue;
    let last = bit;
    while (set(last + 1)) last += 1;
    ranges.push(last === bit ? String(bit) : `${bit}-${last}`);
    bit = last;
  }
  return ranges.join(",");
}
