/** An update's document as the archive knows it: normal form, identity, and back. */
import { createHash } from "node:crypto";
import { err, ok, type Result } from "../../base/result.js";
import { recordNode } from "../../base/schema.js";
import { countDefects, documentOfSample, type UpdateSample, updateSampleSchema } from "../../model/update-sample.js";

/** A sample whose texts are valid Unicode (Parquet holds nothing else), and the id that follows from it. */
export interface IdentifiedUpdate {
  readonly id: string;
  readonly sample: UpdateSample;
}

/**
 * The update's normal form and id; the error says what makes it no update. Lone surrogates become U+FFFD, defects are
 * summed by code, keys are sorted; the id is the first 128 bits of the SHA-256 of that as UTF-8, so that one update has
 * one id wherever it is added.
 */
export function identify(sample: UpdateSample): Result<IdentifiedUpdate, string> {
  for (const [i, { totalNs, parts }] of (sample.causes ?? []).entries()) {
    if (parts.length === 0) continue;
    let sum = 0;
    for (const part of parts) sum += part.totalNs;
    if (sum !== totalNs) return err(`causes[${i}]: its parts add up to ${sum} ns, expected its totalNs, ${totalNs} ns`);
  }
  const codes = sample.defectCodes;
  const summed = codes === null || codes.length === 0 ? sample : { ...sample, defectCodes: countDefects(codes) };
  const json = canonicalJson(identityOf(summed));
  // JSON.stringify escapes lone surrogates, and nothing else that begins like one.
  if (!/\\ud[89a-f]/.test(json)) return ok({ id: hashOf(json), sample: summed });
  const formed = wellFormed(sample) as UpdateSample;
  const again = { ...formed, defectCodes: formed.defectCodes === null ? null : countDefects(formed.defectCodes) };
  return ok({ id: idOf(again), sample: again });
}

/** Of a sample in normal form. */
export function idOf(sample: UpdateSample): string {
  return hashOf(canonicalJson(identityOf(sample)));
}

/** Fields that came after archives were written, and when an id leaves each out. */
const AFTER_IDS = Object.entries(recordNode(updateSampleSchema.node).fields).flatMap(([name, { inId, fallback }]) =>
  inId === undefined ? [] : [{ name, inId, fallback: canonicalJson(fallback) }],
);

/** What an update's id is made of: its document without newer fields on which no id rests, or that hold nothing. */
function identityOf(sample: UpdateSample): Readonly<Record<string, unknown>> {
  const document: Record<string, unknown> = { ...documentOfSample(sample) };
  for (const { name, inId, fallback } of AFTER_IDS) {
    if (inId === "never" || canonicalJson(document[name]) === fallback) delete document[name];
  }
  return document;
}

function hashOf(json: string): string {
  return createHash("sha256").update(json).digest("hex").slice(0, 32);
}

/** JSON whose objects' keys are in the order of their UTF-16 units (RFC 8785's order), without blanks. */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(",")}]`;
  if (typeof value === "object" && value !== null) {
    const fields = value as Readonly<Record<string, unknown>>;
    const keys = Object.keys(fields).sort();
    return `{${keys.map((key) => `${JSON.stringify(key)}:${canonicalJson(fields[key])}`).join(",")}}`;
  }
  return JSON.stringify(value);
}

/** The same value if all its texts are well-formed, as nearly all are. */
function wellFormed(value: unknown): unknown {
  if (typeof value === "string") return value.isWellFormed() ? value : value.toWellFormed();
  if (Array.isArray(value)) {
    const formed = value.map(wellFormed);
    return formed.every((each, i) => each === value[i]) ? value : formed;
  }
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value);
  const formed = entries.map(([key, each]) => [wellFormed(key) as string, wellFormed(each)] as const);
  const same = formed.every(([key, each], i) => key === entries[i]?.[0] && each === entries[i][1]);
  return same ? value : Object.fromEntries(formed);
}
