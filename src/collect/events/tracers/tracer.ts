/**
 * What one tracer's events mean, in one file each: a tracer names the events that it reads and keeps spans and key
 * events of them. A further tracer is a file here and a row in all-tracers.ts.
 */
import type { EventChunk, EventFields, FieldValue, KeyEvent } from "../../../model/collected.js";
import type { OpenSpan, SpanCollector } from "../span-collector.js";

/** Reads one row of the event table; valid only during the call. */
export type ReadRow = (chunk: EventChunk, row: number) => void;

export interface Tracer {
  /** By the event's name: what reads its rows. */
  readonly events: ReadonlyMap<string, ReadRow>;
  /** After the last row. */
  finish?(): void;
}

/** What all tracers of one boot write to. */
export interface Recording {
  readonly spans: SpanCollector;
  /** A span that this row begins or ends, of its own CPU and task. */
  span(
    chunk: EventChunk,
    row: number,
    kind: OpenSpan["kind"],
    name: string,
    detail: string,
    evidence: string,
  ): OpenSpan;
  /** Keeps a key event; `spanRow`: the span that it begins or ends, if there is one. */
  keep(chunk: EventChunk, row: number, part: KeyPart, spanRow?: number): void;
  /** Keeps the return of the key call that began `spanRow`, with what it was called with; -1: its call was not seen. */
  keepReturn(chunk: EventChunk, row: number, part: Omit<KeyPart, "what">, spanRow: number): void;
  /** Whether `spanRow` was begun by a key call that has not returned. */
  isKept(spanRow: number): boolean;
  /** A traced function is called: what its task ran until then and has no end of its own, ended before. */
  functionCalled(chunk: EventChunk, row: number): void;
}

export type KeyPart = Pick<KeyEvent, "what" | "name" | "fields" | "source">;

/**
 * One stack per kind of evidence and task; the idle tasks share pid 0, so theirs is per CPU. What an interrupt calls is
 * a CPU's own, too: whatever task it hit did not call it.
 */
export function stackOf(evidence: string, chunk: EventChunk, row: number): string {
  if (chunk.inInterrupt(row)) return `${evidence} interrupt cpu${chunk.cpu[row]}`;
  const pid = chunk.pid[row] as number;
  return pid > 0 ? `${evidence} ${pid}` : `${evidence} cpu${chunk.cpu[row]}`;
}

export const timeOf = (chunk: EventChunk, row: number): number => chunk.time[row] as number;

export const textField = (fields: EventFields, key: string): string => String(fields.get(key) ?? "");

/** A field as an integer: a number as it is, text in decimal or 0x-hexadecimal; null for anything else. */
export function integerField(value: FieldValue | undefined): number | null {
  if (typeof value === "number") return value;
  if (typeof value === "bigint") return Number(value);
  if (value === undefined || !/^-?(?:0x[0-9a-f]+|\d+)$/i.test(value)) return null;
  const magnitude = Number(value.replace("-", ""));
  return value.startsWith("-") ? -magnitude : magnitude;
}

/** `key=value` pairs of the fields that are not the probe's own addresses. */
export function detailOf(fields: EventFields): string {
  const parts: string[] = [];
  for (const [key, value] of fields) {
    if (!key.startsWith("__probe") && !key.startsWith("common_") && key !== "func") parts.push(`${key}=${value}`);
  }
  return parts.join(" ");
}
