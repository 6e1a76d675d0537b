/** What parts of a line can be: predicates over bytes, each of one form that the kernel prints. */
import {
  bytesOf,
  COLON,
  find,
  GREATER,
  MINUS,
  OPEN_BRACKET,
  OPEN_PAREN,
  SPACE,
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
