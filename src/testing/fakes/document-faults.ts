/** What must be true of every live update's document, whatever its source. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Ajv } from "ajv";
import type { LiveUpdateDocument } from "../../model/live-update.js";
import { projectRoot } from "../places.js";

const schema = JSON.parse(readFileSync(join(projectRoot, "docs/live-update.schema.json"), "utf8"));
const validate = new Ajv({ allErrors: true, allowUnionTypes: true }).compile(schema);

/** Places of numbers that are not integers, or too large to be exact. */
function unsafeNumbers(value: unknown, place: string): readonly string[] {
  if (typeof value === "number")
    return Number.isSafeInteger(value) ? [] : [`${place}: ${value} is not an exact integer`];
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]) => unsafeNumbers(inner, `${place}/${key}`));
}

/** Dialects whose every line is counted once. */
const BY_LINES = new Set(["ftrace-text", "pstore", "qemu-log"]);

/** Each violation as text; empty if the document is sound. */
export function documentFaults(document: LiveUpdateDocument): readonly string[] {
  const printed: unknown = JSON.parse(JSON.stringify(document));
  validate(printed);
  const faults = (validate.errors ?? []).map(({ instancePath, message }) => `schema: ${instancePath} ${message}`);
  faults.push(...unsafeNumbers(printed, ""));
  for (const source of document.sources) {
    const { lines, events, continuations, structural, undecoded, boot, dialect } = source;
    if (BY_LINES.has(dialect) && lines !== events + continuations + structural + undecoded) {
      faults.push(`${boot}: ${lines} lines are not ${events} + ${continuations} + ${structural} + ${undecoded}`);
    }
    const told = document.defects.filter(
      ({ code, boot: of }) => of === boot && /^(?:text|ring|pstore|qemu-log)-/.test(code),
    );
    const count = told.reduce((sum, defect) => sum + defect.count, 0);
    if (count < undecoded) faults.push(`${boot}: ${undecoded} undecoded, but ${count} defects`);
  }
  for (const { name, beginNs, endNs, durationNs, axis, beginRangeNs, endRangeNs } of document.phases) {
    if (axis !== null && beginNs !== null && endNs !== null && durationNs !== endNs - beginNs) {
      faults.push(`${name}: its duration is not its end less its begin`);
    }
    if ((beginNs === null) !== (beginRangeNs !== null)) faults.push(`${name}: begin and its range`);
    if ((endNs === null) !== (endRangeNs !== null)) faults.push(`${name}: end and its range`);
    for (const [earliest, latest] of [beginRangeNs, endRangeNs].filter((range) => range !== null)) {
      if (earliest !== null && latest !== null && earliest > latest) faults.push(`${name}: an empty range`);
    }
  }
  const { beginNs, endNs, durationNs } = document.blackout;
  if (durationNs !== null && (beginNs !== 0 || endNs !== durationNs))
    faults.push("the blackout does not begin at zero");
  if (document.clock.method === "none" && [durationNs, document.seam.durationNs].some((ns) => ns !== null)) {
    faults.push("a duration crosses the kexec without a clock link");
  }
  return faults;
}
