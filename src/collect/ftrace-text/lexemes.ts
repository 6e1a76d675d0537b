/** What parts of a line can be: predicates over bytes, each of one form that the kernel prints. */
import {
  bytesOf,
  CLOSE_BRACE,
  CLOSE_PAREN,
  COLON,
  find,
  GREATER,
  MINUS,
  OPEN_BRACE,
  OPEN_BRACKET,
  OPEN_PAREN,
  SEMICOLON,
  SLASH,
  SPACE,
  STAR,
  skipSpaces,
  startsWith,
  trimRight,
} from "../files/bytes.js";

/** Names of events are at most 64 bytes (MAX_EVENT_NAME_LEN); anything longer is not a name. */
export const MAX_NAME = 128;
/** A task name is at most 15 bytes (TASK_COMM_LEN); trace-cmd puts an instance's name before it. */
export const MAX_HEADER = 256;
export const SYS = bytesOf("sys_");
export const COMPAT_SYS = bytesOf("compat_sys_");
const PROBE_FIELD = bytesOf("__probe_");
const PLUS_HEX = bytesOf("+0x");
const decoder = new TextDecoder();

/** The bytes as text; for the few lines that are not events. */
export function decode(buffer: Uint8Array, begin: number, end: number): string {
  return decoder.decode(buffer.subarray(begin, end));
}

/** A syscall's name as the kernel prints it. */
export function isSyscall(buffer: Uint8Array, begin: number, end: number): boolean {
  return startsWith(buffer, begin, end, SYS) || startsWith(buffer, begin, end, COMPAT_SYS);
}

/** `(func+0x4/0x60) …` or `__probe_ip=…`: only probes print these, and they may be newer than the formats. */
export function isProbe(buffer: Uint8Array, begin: number, end: number): boolean {
  if (startsWith(buffer, begin, end, PROBE_FIELD)) return true;
  return (
    buffer[begin] === OPEN_PAREN &&
    begin + 1 < end &&
    find(buffer, begin, Math.min(end, begin + MAX_HEADER), PLUS_HEX) > 0
  );
}

/** `name` or `name [module]` before the first parenthesis. */
export function isFunction(buffer: Uint8Array, begin: number, end: number): boolean {
  for (let at = begin; at <= end; at++) {
    const byte = buffer[at] as number;
    if (byte === OPEN_PAREN) return at > begin;
    if (byte === SPACE && buffer[at + 1] !== OPEN_BRACKET) return false;
    if (byte < SPACE || byte === COLON || byte === GREATER) return false;
  }
  return false;
}

/** ` -----…`: the rule around a task switch. */
export function isRule(buffer: Uint8Array, begin: number, end: number): boolean {
  const to = trimRight(buffer, begin, end);
  if (to - begin < 10) return false;
  for (let at = begin; at < to; at++) if (buffer[at] !== MINUS) return false;
  return true;
}

/** trace-cmd: `instance:   comm`. */
export function afterInstance(buffer: Uint8Array, begin: number, end: number): number {
  for (let at = begin; at + 1 < end; at++) {
    if (buffer[at] === COLON && buffer[at + 1] === SPACE) return skipSpaces(buffer, at + 1, end);
  }
  return begin;
}

const QUOTE = 0x22;
const APOSTROPHE = 0x27;
const EQUALS = 0x3d;
const COMMA = 0x2c;

/**
 * Whether the arguments of an event end inside a string, so that its next line belongs to it: an open quote or
 * character of a probe, or the value of a name (a task's name may hold a newline).
 */
export function endsInString(buffer: Uint8Array, begin: number, end: number): boolean {
  let equals = end - 1;
  while (equals > begin && buffer[equals] !== EQUALS) equals--;
  if (buffer[begin] === OPEN_PAREN) {
    let quotes = 0;
    for (let at = begin; at < end; at++) if (buffer[at] === QUOTE) quotes++;
    // `ch='`, `charr={'m','`: the character itself is the newline.
    const before = buffer[end - 2];
    const opens = before === EQUALS || before === COMMA || before === OPEN_BRACE;
    return quotes % 2 === 1 || (buffer[end - 1] === APOSTROPHE && opens);
  }
  // `comm=a`, `next_comm=a`, `name=a`, `filename=a`.
  return startsWith(buffer, equals - 4, equals, COMM) || startsWith(buffer, equals - 4, equals, NAME);
}
const COMM = bytesOf("comm");
const NAME = bytesOf("name");

/**
 * The end of a function's line without what trace-cmd and the kernel put behind it: comments, `(ret=0x5)`, `(1)`,
 * `(Overruns: 3)`.
 */
export function withoutRemarks(buffer: Uint8Array, begin: number, end: number): number {
  let to = end;
  for (;;) {
    const last = buffer[to - 1];
    let open = to - 2;
    if (last === SLASH && buffer[to - 2] === STAR) {
      open--;
      while (open > begin && !(buffer[open] === SLASH && buffer[open + 1] === STAR)) open--;
    } else if (last === CLOSE_PAREN) {
      while (open > begin && buffer[open] !== OPEN_PAREN) open--;
      // The arguments of the function itself stand behind its name, without a space.
      if (open > begin && buffer[open - 1] !== SPACE) return to;
      const before = trimRight(buffer, begin, open);
      const mark = buffer[before - 1];
      if (mark !== OPEN_BRACE && mark !== CLOSE_BRACE && mark !== SEMICOLON && mark !== SLASH) return to;
    } else return to;
    if (open <= begin) return to;
    to = trimRight(buffer, begin, open);
  }
}
