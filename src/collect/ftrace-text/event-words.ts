/** How the word before a payload's first colon is read, and the one name that each syscall's events have. */
import { startsWith } from "../files/bytes.js";
import { COMPAT_SYS, MAX_NAME, SYS } from "./lexemes.js";
import type { NameCache } from "./name-cache.js";

export const Word = {
  event: 1,
  /** `tracing_mark_write`: what follows is a marker. */
  marker: 2,
  /** trace-cmd's `print: function: text` and `bprint: function: text`. */
  print: 3,
  /** trace-cmd's `funcgraph_entry:`, `funcgraph_exit:`. */
  graph: 4,
  /** Not among the known formats: a marker, unless it is plainly a probe's. */
  unlisted: 5,
  /** No formats known: a marker if a marker's prefix follows. */
  unsure: 6,
  /** trace-cmd's `kernel_stack: <stack trace >`, whose callers stand on the next lines. */
  stack: 7,
} as const;
export type Word = (typeof Word)[keyof typeof Word];

export class EventWords {
  readonly #names: NameCache;
  readonly #eventNames: ReadonlySet<string> | null;
  readonly #console: number;
  readonly #words: Word[] = [];
  readonly #enter: number[] = [];
  readonly #exit: number[] = [];
  readonly #scratch = new Uint8Array(MAX_NAME + 16);

  constructor(names: NameCache, eventNames: ReadonlySet<string> | null) {
    this.#names = names;
    this.#eventNames = eventNames;
    this.#console = names.strings.idOf("console");
  }

  /** How the word with this id is read; worked out once for each. */
  of(id: number): Word {
    return this.#words[id] ?? this.#classify(id);
  }

  /** Whether the word is printk's tracepoint. */
  isConsole(id: number): boolean {
    return id === this.#console;
  }

  #classify(id: number): Word {
    const word = wordOf(this.#names.strings.stringOf(id), this.#eventNames);
    if (id !== 0) this.#words[id] = word;
    return word;
  }

  /** `sys_ioctl` or `compat_sys_ioctl` in [begin, end) to the id of `sys_enter_ioctl`. */
  syscallEnter(buffer: Uint8Array, begin: number, end: number): number {
    return this.#syscall(this.#enter, "sys_enter_", buffer, begin, end);
  }

  /** `sys_ioctl` or `compat_sys_ioctl` in [begin, end) to the id of `sys_exit_ioctl`. */
  syscallExit(buffer: Uint8Array, begin: number, end: number): number {
    return this.#syscall(this.#exit, "sys_exit_", buffer, begin, end);
  }

  #syscall(known: number[], prefix: string, buffer: Uint8Array, begin: number, end: number): number {
    const printed = this.#names.idOf(buffer, begin, end);
    const found = known[printed];
    if (found !== undefined) return found;
    const plain = begin + (startsWith(buffer, begin, end, COMPAT_SYS) ? COMPAT_SYS : SYS).length;
    const scratch = this.#scratch;
    for (let i = 0; i < prefix.length; i++) scratch[i] = prefix.charCodeAt(i);
    for (let i = plain; i < end; i++) scratch[prefix.length + i - plain] = buffer[i] as number;
    const id = this.#names.idOf(scratch, 0, prefix.length + end - plain);
    if (printed !== 0) known[printed] = id;
    return id;
  }
}

function wordOf(name: string, eventNames: ReadonlySet<string> | null): Word {
  // bpf_trace_printk once named an address, or 0.
  if (name === "tracing_mark_write" || /^(?:0x[0-9a-f]{1,16}|0)$/.test(name)) return Word.marker;
  if (name === "kernel_stack" || name === "user_stack") return Word.stack;
  // A kernel message may begin as a marker does.
  if (name === "console") return Word.event;
  if (name === "print" || name === "bprint" || name === "bputs") return Word.print;
  if (name.startsWith("funcgraph_")) return Word.graph;
  if (eventNames === null) return Word.unsure;
  return eventNames.has(name) ? Word.event : Word.unlisted;
}
