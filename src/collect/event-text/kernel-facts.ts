/** What a boot's records refer to and do not hold: symbols, format strings, its word length and byte order. */
import type { SymbolTable } from "../formats/kallsyms.js";
import { unescaped } from "./c-expression.js";

export interface KernelFacts {
  /** Parsed when first asked for; null if the capture has no kallsyms, or hidden ones. */
  readonly symbols: () => SymbolTable | null;
  /** Address to string: formats of trace_printk, and tracepoint strings (`printk_formats`). */
  readonly strings: ReadonlyMap<bigint, string>;
  /** 8 on 64-bit kernels, 4 on 32-bit ones. */
  readonly longBytes: 4 | 8;
}

/** A generous number: a distribution kernel lists some 300. */
const MAX_STRINGS = 1_000_000;

/** `0xffffffff82d35d80 : "rcu_sched"`, with C escapes. */
export function parsePrintkFormats(text: string): ReadonlyMap<bigint, string> {
  const strings = new Map<bigint, string>();
  for (const line of text.split("\n", MAX_STRINGS)) {
    const match = /^0x([0-9a-f]{1,16})\s*:\s*"(.*)"\s*$/i.exec(line);
    if (match !== null) strings.set(BigInt(`0x${match[1]}`), unescaped(match[2] as string));
  }
  return strings;
}

/** `name+0x4/0x60` or `0x…`, as %pS prints an address. */
export function symbolWithOffset(facts: KernelFacts, address: bigint): string {
  return facts.symbols()?.symbol(address) ?? `0x${address.toString(16)}`;
}

/** `name` or `0x…`, as %ps prints an address. */
export function symbolAlone(facts: KernelFacts, address: bigint): string {
  return facts.symbols()?.name(address) ?? `0x${address.toString(16)}`;
}
