/** Marks: lines that user space writes into the trace, `luo: preserve_fd begin session=… token=0x100`. One row each. */
import type { EventFields, FieldValue } from "./collected.js";
import type { PhaseName } from "./live-update.js";
import { type Deed, functionRow } from "./luo.js";

export interface MarkRow {
  /** Its text, without `begin` or `end` and without `key=value` pairs. */
  readonly name: string;
  readonly deed: Deed | null;
  readonly phase: PhaseName | null;
}

const session = (action: string): Deed => ({ of: "session", action });
const file = (action: string): Deed => ({ of: "file", action });
const mark = (name: string, deed: Deed | null = null, phase: PhaseName | null = null): MarkRow => ({
  name,
  deed,
  phase,
});

export const MARKS = {
  pause: mark("luo: vm_pause"),
  resume: mark("luo: vm_resume"),
  prepare: mark("luo: prepare"),
  sessionCreate: mark("luo: session_create", session("create"), "prepare"),
  preserveFd: mark("luo: preserve_fd", file("preserve"), "prepare"),
  kexec: mark("luo: kexec"),
  restore: mark("luo: restore"),
  sessionRetrieve: mark("luo: session_retrieve", session("retrieve"), "restore"),
  retrieveFd: mark("luo: retrieve_fd", file("retrieve"), "restore"),
  finish: mark("luo: finish"),
  sessionFinish: mark("luo: session_finish", session("finish"), "finish"),
  /** What the recorder marks in the new kernel, if it arms there: a part of the blackout that the recorder causes. */
  recorderArm: mark("luo: recorder_arm"),
  /** Readings of the workload's wall clocks. */
  clock: mark("clock:"),
} as const satisfies Readonly<Record<string, MarkRow>>;

const MARK_BY_NAME: ReadonlyMap<string, MarkRow> = new Map(Object.values(MARKS).map((each) => [each.name, each]));

/** The row of a mark by its label; null for a mark that the tool does not name. */
export function markRow(label: string): MarkRow | null {
  return MARK_BY_NAME.get(label) ?? null;
}

/** Whether a mark's text is `name`, or begins with it and goes on after a blank: `luo: vm_pause vm=7`. */
export function isMark(text: string, name: string): boolean {
  return text.startsWith(name) && (text.length === name.length || text[name.length] === " ");
}

/** What a call of a function, or a mark of that label, does to a session or a file; null for all others. */
export function deedOf(record: string): Deed | null {
  return functionRow(record)?.deed ?? MARK_BY_NAME.get(record)?.deed ?? null;
}

export interface Mark {
  /** The text without its `begin` or `end` and its `key=value` pairs: `luo: preserve_fd`. */
  readonly label: string;
  readonly edge: "begin" | "end" | null;
  readonly fields: EventFields;
}

/** A mark's text as label, edge and fields. */
export function parseMark(text: string): Mark {
  const fields = new Map<string, FieldValue>();
  const words: string[] = [];
  let edge: Mark["edge"] = null;
  for (const word of text.split(/\s+/)) {
    const equals = word.indexOf("=");
    if (equals > 0) fields.set(word.slice(0, equals), word.slice(equals + 1));
    else if (edge === null && fields.size === 0 && (word === "begin" || word === "end")) edge = word;
    else if (word !== "") words.push(word);
  }
  return { label: words.join(" "), edge, fields };
}

/** Seconds and nanoseconds as date(1) prints them with `+%s.%N`. */
const CLOCK_READING = /^(\d{1,12})\.(\d{9})$/;

/** Nanoseconds of one clock that a `clock: realtime=S.NNNNNNNNN monotonic=…` mark reads; null if it does not. */
export function clockReading(
  text: string,
  fields: ReadonlyMap<string, unknown>,
  clock: "realtime" | "monotonic",
): bigint | null {
  if (!isMark(text, MARKS.clock.name)) return null;
  const match = CLOCK_READING.exec(String(fields.get(clock) ?? ""));
  return match === null ? null : BigInt(match[1] as string) * 1_000_000_000n + BigInt(match[2] as string);
}
