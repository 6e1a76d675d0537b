/**
 * What the kernel prints for a record, after the columns: by the event's own printer if kernel code has one (the
 * ftrace system, syscalls, probes), else by its `print fmt`, else, if that needs what only the kernel has, as a list
 * of fields. Sources: kernel/trace/trace_output.c, trace_syscalls.c, trace_probe.c, trace_kprobe.c, trace_events_*.c.
 */
import type { EventFormat, FieldFormat, ParsedFormats } from "../formats/event-format.js";
import { binaryPrintText } from "./binary-print.js";
import { flagsText } from "./evaluate.js";
import { fieldListText } from "./field-list.js";
import type { KernelFacts } from "./kernel-facts.js";
import { compilePrintFormat } from "./print-format.js";
import { padded } from "./printf.js";
import { locatedAt, type RecordBytes, textAt, unsignedAt } from "./record.js";

/** A record's text, and whether the kernel puts `name: ` before it. */
export interface EventBody {
  readonly named: boolean;
  /** Without the newline at its end; a marker's or a stack's may hold others. */
  readonly text: string;
}

type Printer = (record: RecordBytes) => EventBody | null;

export class EventText {
  readonly #printers = new Map<number, Printer>();
  readonly #reasons = new Map<number, string>();

  constructor(
    readonly formats: ParsedFormats,
    readonly facts: KernelFacts,
    readonly comms: ReadonlyMap<number, string>,
  ) {}

  /** Why the record's event is printed as a list of fields; null if it is not. */
  reason(id: number): string | null {
    return this.#reasons.get(id) ?? null;
  }

  /** `name: …` or what stands in its place, without a newline at the end. Null for an id without a format. */
  text(id: number, record: RecordBytes): string | null {
    const format = this.formats.byId.get(id);
    if (format === undefined) return null;
    const body = this.body(format, record);
    return body.named ? `${format.name}: ${body.text}` : body.text;
  }

  /** `name: a=0x1 (1) …`, as for a previous boot. */
  fieldList(id: number, record: RecordBytes): string | null {
    const format = this.formats.byId.get(id);
    return format === undefined ? null : `${format.name}:${fieldListText(record, format, this.facts)}`;
  }

  /** Whether a previous boot's buffer shows this event as a list of fields: all but those with a printer of their own. */
  isListed(id: number): boolean {
    const format = this.formats.byId.get(id);
    return format !== undefined && format.system !== "syscalls" && format.system !== "ftrace";
  }

  /** A marker's text without the function that wrote it, as function_graph shows it in a comment. */
  messageOnly(id: number, record: RecordBytes): string {
    const format = this.formats.byId.get(id);
    const field = format?.fields.find(({ name }) => name === (format.name === "print" ? "buf" : "str"));
    return field === undefined ? "" : withoutNewline(textAt(record, field.offset, record.length));
  }

  body(format: EventFormat, record: RecordBytes): EventBody {
    let printer = this.#printers.get(format.id);
    if (printer === undefined) {
      printer = this.#printerOf(format);
      this.#printers.set(format.id, printer);
    }
    return printer(record) ?? { named: true, text: fieldListText(record, format, this.facts).slice(1) };
  }

  #printerOf(format: EventFormat): Printer {
    if (format.system === "ftrace") {
      const own = this.#ftracePrinter(format);
      if (own !== null) return own;
    }
    if (format.system === "syscalls") {
      if (format.name.startsWith("sys_enter_")) return this.#syscallEnter(format);
      if (format.name.startsWith("sys_exit_")) return this.#syscallExit(format);
    }
    const head = this.#probeHead(format);
    const compiled = compilePrintFormat(format, this.facts, head === null ? 0 : head.conversions);
    if (!compiled.ok) {
      this.#reasons.set(format.id, compiled.error);
      return () => null;
    }
    const print = compiled.value;
    if (head === null) {
      return (record) => {
        const text = print.text(record);
        return text === null ? null : { named: true, text };
      };
    }
    // A string that could not be read is stored with length 0 and printed so (print_type_string, trace_probe.c).
    const strings = format.fields.filter((field) => field.shape === "data-loc" && field.isText);
    return (record) => {
      const text = print.text(record);
      if (text === null) return null;
      let whole = head.text(record) + text;
      for (const field of strings) {
        const place = locatedAt(record, field.offset, false);
        if (place !== null && place.to === place.from)
          whole = whole.replace(`${field.name}=""`, `${field.name}=(fault)`);
      }
      return { named: true, text: whole };
    };
  }

  /** `(function+0x0/0x60)` of an entry probe, `(caller+0x1/0x2 <- function)` of a return probe. */
  #probeHead(format: EventFormat): { readonly conversions: number; text(record: RecordBytes): string } | null {
    const address = (record: RecordBytes, name: string): bigint =>
      unsignedAt(record, this.#offset(format, name), this.#size(format, name)) ?? 0n;
    const named = (name: string): boolean => format.fields.some((field) => field.name === name);
    if (named("__probe_func")) {
      return {
        conversions: 2,
        text: (record) =>
          `(${this.#probed(address(record, "__probe_ret_ip"), true)} <- ${this.#probed(address(record, "__probe_func"), false)})`,
      };
    }
    if (named("__probe_ip")) {
      return { conversions: 1, text: (record) => `(${this.#probed(address(record, "__probe_ip"), true)})` };
    }
    return null;
  }

  #offset(format: EventFormat, name: string): number {
    return format.fields.find((field) => field.name === name)?.offset ?? -1;
  }

  #size(format: EventFormat, name: string): number {
    return format.fields.find((field) => field.name === name)?.size ?? 0;
  }

  /** As #symbol, but code of user space is printed without zeros before it (trace_uprobe.c, print_uprobe_event). */
  #probed(address: bigint, offset: boolean): string {
    return address !== 0n && address < 0x1000_0000n ? `0x${address.toString(16)}` : this.#symbol(address, offset);
  }

  /** The symbol of an address that a field holds, as seq_print_ip_sym prints it. */
  symbolOf({ offset, size }: FieldFormat, record: RecordBytes, withOffset: boolean): string {
    return this.#symbol(unsignedAt(record, offset, size) ?? 0n, withOffset);
  }

  /** seq_print_ip_sym. */
  #symbol(address: bigint, offset: boolean): string {
    if (address === 0n) return "0";
    const table = this.facts.symbols();
    const found = offset ? table?.symbol(address) : table?.name(address);
    return found ?? `0x${address.toString(16).padStart(8, "0")}`;
  }

  #ftracePrinter(format: EventFormat): Printer | null {
    const { facts } = this;
    const number = (record: RecordBytes, name: string): bigint =>
      unsignedAt(record, this.#offset(format, name), this.#size(format, name)) ?? 0n;
    const bare = (text: string): EventBody => ({ named: false, text });
    const rest = (name: string): ((record: RecordBytes) => string) => {
      const at = this.#offset(format, name);
      return (record) => textAt(record, at, record.length);
    };
    switch (format.name) {
      case "function":
        return (record) => {
          const parent = number(record, "parent_ip");
          const caller = parent === 0n ? "" : ` <-${this.#symbol(parent, false)}`;
          return bare(`${this.#symbol(number(record, "ip"), false)}${caller}`);
        };
      case "print":
      case "bputs": {
        const text = rest(format.name === "print" ? "buf" : "str");
        return (record) => bare(`${this.#symbol(number(record, "ip"), false)}: ${withoutNewline(text(record))}`);
      }
      case "bprint": {
        const at = this.#offset(format, "buf");
        return (record) => {
          const string = facts.strings.get(number(record, "fmt"));
          const text = string === undefined ? null : binaryPrintText(record, string, at, facts);
          return text === null ? null : bare(`${this.#symbol(number(record, "ip"), false)}: ${withoutNewline(text)}`);
        };
      }
      case "kernel_stack":
      case "user_stack": {
        const at = this.#offset(format, "caller");
        const user = format.name === "user_stack";
        const end = (1n << BigInt(facts.longBytes * 8)) - 1n;
        return (record) => {
          let text = user ? "<user stack trace>" : "<stack trace>";
          for (let place = at; ; place += facts.longBytes) {
            const address = unsignedAt(record, place, facts.longBytes);
            if (address === null || address === end || (user && address === 0n)) break;
            // Addresses of user space have no symbols here: the kernel prints them so too, without sym-userobj.
            text += user
              ? `\n =>  <${address.toString(16).padStart(facts.longBytes * 2, "0")}>`
              : `\n => ${this.#symbol(address, false)}`;
          }
          return bare(text);
        };
      }
      case "context_switch":
      case "wakeup":
        return (record) => {
          const of = (name: string, width: number): string => padded(String(number(record, name)), width, false);
          const state = (name: string): string => "RSDTtXZPI"[Number(number(record, name))] ?? "?";
          const next = Number(number(record, "next_pid"));
          const delimiter = format.name === "wakeup" ? "  +" : "==>";
          const cpu = String(number(record, "next_cpu")).padStart(3, "0");
          return bare(
            ` ${of("prev_pid", 7)}:${of("prev_prio", 3)}:${state("prev_state")} ${delimiter} [${cpu}] ` +
              `${of("next_pid", 7)}:${of("next_prio", 3)}:${state("next_state")} ${this.comms.get(next) ?? "<...>"}`,
          );
        };
      case "raw_data": {
        const at = this.#offset(format, "buf");
        return (record) => {
          let text = `# ${number(record, "id").toString(16)} buf:`;
          for (let i = at; i < record.length; i++) {
            text += ` ${(record.bytes[record.begin + i] as number).toString(16).padStart(2, "0")}`;
          }
          return bare(text);
        };
      }
      case "hwlat":
        return (record) => {
          const count = number(record, "nmi_count");
          const nmi = count === 0n ? "" : ` nmi-total:${number(record, "nmi_total_ts")} nmi-count:${count}`;
          return bare(
            `#${padded(String(number(record, "seqnum")), 5, true)} inner/outer(us): ` +
              `${padded(String(number(record, "duration")), 4, false)}/${padded(String(number(record, "outer_duration")), 5, true)} ` +
              `ts:${number(record, "tv_sec")}.${String(number(record, "tv_nsec")).padStart(9, "0")} count:${number(record, "count")}${nmi}`,
          );
        };
      case "osnoise":
        return (record) => {
          const of = (name: string, width: number): string => padded(String(number(record, name)), width, false);
          const runtime = number(record, "runtime");
          if (runtime === 0n) return null;
          const ratio = ((runtime - number(record, "noise")) * 10_000_000n) / runtime;
          return bare(
            `${runtime} ${of("noise", 10)} ${padded(String(ratio / 100_000n), 3, false)}.` +
              `${String(ratio % 100_000n).padStart(5, "0")} ${of("max_sample", 7)} ${of("hw_count", 6)} ` +
              `${of("nmi_count", 6)} ${of("irq_count", 6)} ${of("softirq_count", 6)} ${of("thread_count", 6)}`,
          );
        };
      case "timerlat":
        return (record) =>
          bare(
            `#${padded(String(number(record, "seqnum")), 5, true)} context ` +
              `${padded(number(record, "context") === 0n ? "irq" : "thread", 6, false)} ` +
              `timer_latency ${padded(String(number(record, "timer_latency")), 9, false)} ns`,
          );
      default:
        return null;
    }
  }

  #syscallEnter(format: EventFormat): Printer {
    const call = `sys_${format.name.slice("sys_enter_".length)}`;
    const args = format.fields.filter(({ name }) => name !== "__syscall_nr" && name !== "nr" && !USER_DATA.test(name));
    const data = new Map(format.fields.filter(({ name }) => USER_DATA.test(name)).map((field) => [field.name, field]));
    // Since Linux 7.0 records hold what a syscall's pointers pointed to, and openat has a printer of its own.
    const openat = data.size > 0 && call === "sys_openat";
    // The bytes of a buffer are printed if the format has them in hexadecimal; else the data is a string.
    const isBuffer = new Set([...format.printFmt.matchAll(/__print_dynamic_array\((\w+)/g)].map((match) => match[1]));
    return (record) => {
      const parts: string[] = [];
      for (const field of args) {
        const value = unsignedAt(record, field.offset, field.size);
        if (value === null) return null;
        if (openat && field.name === "flags") {
          parts.push(`flags: ${openFlags(value)}`);
          if ((value & (O_CREAT | O_TMPFILE)) === 0n) break;
          continue;
        }
        if (openat && field.name === "mode") {
          parts.push(`mode: 0${(value & 0xffff_ffffn).toString(8).padStart(3, "0")}`);
          continue;
        }
        let part = `${field.name}: ${openat || value < 10n ? value : `0x${value.toString(16)}`}`;
        const user = data.get(`__${field.name}_val`);
        const place = user === undefined ? null : locatedAt(record, user.offset, false);
        if (place !== null) {
          part += isBuffer.has(`__${field.name}_val`)
            ? bufferText(record, place, sizeArgument(record, args))
            : ` "${textAt(record, place.from, place.to)}"`;
        }
        parts.push(part);
      }
      return { named: false, text: `${call}(${parts.join(", ")})` };
    };
  }

  #syscallExit(format: EventFormat): Printer {
    const call = `sys_${format.name.slice("sys_exit_".length)}`;
    const at = this.#offset(format, "ret");
    const size = this.#size(format, "ret");
    return (record) => {
      const value = unsignedAt(record, at, size);
      return value === null ? null : { named: false, text: `${call} -> 0x${value.toString(16)}` };
    };
  }
}

const USER_DATA = /^__\w+_val$/;

function withoutNewline(text: string): string {
  return text.endsWith("\n") ? text.slice(0, -1) : text;
}

/** include/uapi/asm-generic/fcntl.h. */
const O_CREAT = 0o100n;
const O_TMPFILE = 0o20200000n;
const OPEN_FLAGS: readonly { readonly value: bigint; readonly name: string }[] = [
  { value: O_TMPFILE, name: "O_TMPFILE" },
  { value: 0o1n, name: "O_WRONLY" },
  { value: 0o2n, name: "O_RDWR" },
  { value: 0o100n, name: "O_CREAT" },
  { value: 0o200n, name: "O_EXCL" },
  { value: 0o400n, name: "O_NOCTTY" },
  { value: 0o1000n, name: "O_TRUNC" },
  { value: 0o2000n, name: "O_APPEND" },
  { value: 0o4000n, name: "O_NONBLOCK" },
  { value: 0o10000n, name: "O_DSYNC" },
  { value: 0o40000n, name: "O_DIRECT" },
  { value: 0o100000n, name: "O_LARGEFILE" },
  { value: 0o200000n, name: "O_DIRECTORY" },
  { value: 0o400000n, name: "O_NOFOLLOW" },
  { value: 0o1000000n, name: "O_NOATIME" },
  { value: 0o2000000n, name: "O_CLOEXEC" },
];

function openFlags(value: bigint): string {
  const bits = BigInt.asUintN(32, value);
  if ((bits & 3n) !== 0n) return flagsText(bits, "|", OPEN_FLAGS);
  return bits === 0n ? "O_RDONLY" : `O_RDONLY|${flagsText(bits, "|", OPEN_FLAGS)}`;
}

/** The syscall's length of the buffer, if it has one: its last argument of that name. */
function sizeArgument(record: RecordBytes, args: EventFormat["fields"]): number {
  const field = args.find(({ name }) => /^(?:count|len|size|vlen|setlen|sigsetsize|new_len)$/.test(name));
  return field === undefined ? 0 : Number(BigInt.asIntN(32, unsignedAt(record, field.offset, field.size) ?? 0n));
}

/** ` (61:62, ...) "ab"...`: bytes, then as text if any of them is printable. */
function bufferText(record: RecordBytes, place: { from: number; to: number }, size: number): string {
  const bytes = [...record.bytes.subarray(record.begin + place.from, record.begin + place.to)];
  const cut = bytes.length < size;
  const printable = (byte: number): boolean => byte >= 0x20 && byte < 0x7f;
  const hex = bytes.map((byte) => byte.toString(16).padStart(2, "0")).join(":");
  const head = ` (${hex}${cut ? ", ..." : ""})`;
  if (!bytes.some(printable)) return head;
  const text = bytes.map((byte) => (printable(byte) ? String.fromCharCode(byte) : ".")).join("");
  return `${head} "${text}"${cut ? "..." : ""}`;
}
