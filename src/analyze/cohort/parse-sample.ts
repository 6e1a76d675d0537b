/**
 * Reads one line of a file of analysed updates: an update sample (`blackout cohort --json`) or a live-update document
 * (`blackout analyze --json`). The file comes from another machine: nothing in it is believed before it is checked.
 */
import { err, ok, type Result } from "../../base/result.js";
import { type BlackoutDocument, CLOCK_METHODS, OUTCOMES, PHASES, type PhaseName } from "../../model/live-update.js";
import {
  CAUSE_KINDS,
  type CauseSample,
  countDefects,
  type DefectCount,
  type UpdateSample,
} from "../../model/update-sample.js";

/** What is wrong with a line: where in it, what was found, and what was expected. */
export type LineProblem = string;

const BASES: readonly BlackoutDocument["basis"][] = ["vm-marks", "vcpu", "kernel-observed", null];
/** Longer names are no names, and would fill every table. */
const MAX_TEXT = 4_096;
const MAX_ITEMS = 100_000;

/** Thrown inside this file only, caught by `parseUpdateLine`: a check that fails ends the whole line. */
class Refused extends Error {}

/** The sample on a line of JSON. `source` is its name in messages, `FILE:LINE`. */
export function parseUpdateLine(line: string, source: string): Result<UpdateSample, LineProblem> {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return err(`found ${quoted(line)}, expected one JSON document`);
  }
  try {
    const document = object(value, "the line");
    switch (document.format) {
      case "blackout-update-sample":
        version(document);
        return ok(readSample(document, source));
      case "blackout-live-update":
        version(document);
        return ok(readDocument(document, source));
      default:
        return err(
          `found format ${quoted(document.format)}, expected "blackout-update-sample" (blackout cohort --json) or "blackout-live-update" (blackout analyze --json)`,
        );
    }
  } catch (thrown) {
    if (thrown instanceof Refused) return err(thrown.message);
    throw thrown;
  }
}

type Fields = Readonly<Record<string, unknown>>;

function quoted(value: unknown): string {
  const text = typeof value === "string" ? value : value === undefined ? "nothing" : (JSON.stringify(value) ?? "?");
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}

function refuse(where: string, found: unknown, expected: string): never {
  throw new Refused(`${where}: found ${quoted(found)}, expected ${expected}`);
}

function object(value: unknown, where: string): Fields {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return refuse(where, value, "an object");
  return value as Fields;
}

function list(value: unknown, where: string): readonly unknown[] {
  if (!Array.isArray(value)) return refuse(where, value, "a list");
  if (value.length > MAX_ITEMS) return refuse(where, `${value.length} items`, `at most ${MAX_ITEMS}`);
  return value;
}

function text(value: unknown, where: string): string {
  if (typeof value !== "string") return refuse(where, value, "a text");
  return value.length > MAX_TEXT ? refuse(where, `${value.length} characters`, `at most ${MAX_TEXT}`) : value;
}

/** An integer that is exact. */
function integer(value: unknown, where: string): number {
  if (typeof value !== "number" || !Number.isSafeInteger(value) || value < 0) {
    return refuse(where, value, "a whole number from 0 to 2^53 - 1");
  }
  return value;
}

function orNull<T>(value: unknown, read: (value: unknown, where: string) => T, where: string): T | null {
  return value === null || value === undefined ? null : read(value, where);
}

function oneOf<T>(value: unknown, known: readonly T[], where: string): T {
  const found = known.find((one) => one === value);
  return found === undefined ? refuse(where, value, `one of ${known.join(", ")}`) : found;
}

function version(document: Fields): void {
  if (document.version !== 1) refuse("version", document.version, "1: it was written by another version of blackout");
}

function labelsOf(value: unknown, where: string): Readonly<Record<string, string>> {
  const labels = object(value, where);
  const entries = Object.entries(labels);
  if (entries.length > 1_000) refuse(where, `${entries.length} labels`, "at most 1000");
  return Object.fromEntries(entries.map(([key, label]) => [text(key, where), text(label, `${where}.${key}`)]));
}

function kernelOf(value: unknown): UpdateSample["kernel"] {
  const kernel = object(value, "kernel");
  return { old: orNull(kernel.old, text, "kernel.old"), new: orNull(kernel.new, text, "kernel.new") };
}

function blackoutOf(value: unknown): UpdateSample["blackout"] {
  const blackout = object(value, "blackout");
  return {
    basis: oneOf(blackout.basis, BASES, "blackout.basis"),
    durationNs: orNull(blackout.durationNs, integer, "blackout.durationNs"),
    uncertaintyNs: orNull(blackout.uncertaintyNs, integer, "blackout.uncertaintyNs"),
  };
}

function seamOf(value: unknown): UpdateSample["seam"] {
  const seam = object(value, "seam");
  return {
    durationNs: orNull(seam.durationNs, integer, "seam.durationNs"),
    uncertaintyNs: orNull(seam.uncertaintyNs, integer, "seam.uncertaintyNs"),
  };
}

function defectCountOf(value: unknown, index: number): DefectCount {
  const where = `defects[${index}]`;
  const { code, severity, count } = object(value, where);
  return {
    code: text(code, `${where}.code`),
    severity: oneOf(severity, ["error", "warning", "note"] as const, `${where}.severity`),
    count: integer(count, `${where}.count`),
  };
}

function vmsOf(value: unknown): UpdateSample["vms"] {
  return list(value, "vms").map((vm, i) => {
    const fields = object(vm, `vms[${i}]`);
    return {
      id: text(fields.id, `vms[${i}].id`),
      durationNs: orNull(fields.durationNs, integer, `vms[${i}].durationNs`),
    };
  });
}

function causeOf(value: unknown, where: string): CauseSample {
  const cause = object(value, where);
  return {
    kind: oneOf(cause.kind, CAUSE_KINDS, `${where}.kind`),
    id: text(cause.id, `${where}.id`),
    phase: orNull(cause.phase, (phase, at) => oneOf(phase, PHASES, at), `${where}.phase`),
    totalNs: integer(cause.totalNs, `${where}.totalNs`),
    count: integer(cause.count, `${where}.count`),
    parts: list(cause.parts ?? [], `${where}.parts`).map((part, i) => {
      const fields = object(part, `${where}.parts[${i}]`);
      return {
        name: text(fields.name, `${where}.parts[${i}].name`),
        totalNs: integer(fields.totalNs, `${where}.parts[${i}].totalNs`),
      };
    }),
    detail: text(cause.detail ?? "", `${where}.detail`),
  };
}

function readSample(document: Fields, source: string): UpdateSample {
  const phases = object(document.phases, "phases");
  const defects = object(document.defects, "defects");
  return {
    source,
    name: text(document.name, "name"),
    host: orNull(document.host, text, "host"),
    takenAtMs: orNull(document.takenAtMs, integer, "takenAtMs"),
    kernel: kernelOf(document.kernel),
    probeLevel: orNull(document.probeLevel, text, "probeLevel"),
    labels: labelsOf(document.labels, "labels"),
    memoryKiB: orNull(document.memoryKiB, integer, "memoryKiB"),
    outcome: oneOf(document.outcome, OUTCOMES, "outcome"),
    outcomeReason: text(document.outcomeReason, "outcomeReason"),
    blackout: blackoutOf(document.blackout),
    clockMethod: orNull(document.clockMethod, (method, at) => oneOf(method, CLOCK_METHODS, at), "clockMethod"),
    seam: seamOf(document.seam ?? {}),
    phases: phasesOf((name) => orNull(phases[name], integer, `phases.${name}`)),
    vms: vmsOf(document.vms),
    causes: orNull(document.causes, list, "causes")?.map((cause, i) => causeOf(cause, `causes[${i}]`)) ?? null,
    defects: {
      error: integer(defects.error, "defects.error"),
      warning: integer(defects.warning, "defects.warning"),
      note: integer(defects.note, "defects.note"),
    },
    defectCodes: orNull(document.defectCodes, list, "defectCodes")?.map(defectCountOf) ?? null,
  };
}

function phasesOf(durationOf: (name: PhaseName) => number | null): UpdateSample["phases"] {
  return Object.fromEntries(PHASES.map((name) => [name, durationOf(name)])) as UpdateSample["phases"];
}

function readDocument(document: Fields, source: string): UpdateSample {
  const capture = object(document.capture, "capture");
  const durations = new Map(
    list(document.phases, "phases").map((phase, i) => {
      const fields = object(phase, `phases[${i}]`);
      const name = oneOf(fields.name, PHASES, `phases[${i}].name`);
      return [name, orNull(fields.durationNs, integer, `phases[${i}].durationNs`)] as const;
    }),
  );
  const defects = { error: 0, warning: 0, note: 0 };
  const counts = list(document.defects, "defects").map((defect, i) => defectCountOf(defect, i));
  for (const { severity, count } of counts) defects[severity] += count;
  const labels = labelsOf(capture.labels, "capture.labels");
  const clock = object(document.clock ?? {}, "clock");
  return {
    source,
    name: text(capture.name, "capture.name"),
    host: labels.host ?? null,
    takenAtMs: null,
    kernel: kernelOf(capture.kernel),
    probeLevel: orNull(capture.probeLevel, text, "capture.probeLevel"),
    labels,
    memoryKiB: null,
    outcome: oneOf(document.outcome, OUTCOMES, "outcome"),
    outcomeReason: text(document.outcomeReason, "outcomeReason"),
    blackout: blackoutOf(document.blackout),
    clockMethod: orNull(clock.method, (method, at) => oneOf(method, CLOCK_METHODS, at), "clock.method"),
    seam: seamOf(document.seam ?? {}),
    phases: phasesOf((name) => durations.get(name) ?? null),
    vms: vmsOf(document.vms),
    causes: null,
    defects,
    defectCodes: countDefects(counts),
  };
}
