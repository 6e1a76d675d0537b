/**
 * Reads one line of a file of analysed updates: an update sample (`blackout cohort --json`) or a live-update document
 * (`blackout analyze --json`). The file comes from another machine: its declaration is what it is checked by.
 */
import { err, ok, type Result } from "../../base/result.js";
import { readerOf } from "../../base/schema-read.js";
import { quotedValue } from "../../base/text/quote.js";
import { withTrustedDurations } from "../../model/trusted-durations.js";
import {
  sampledDocumentSchema,
  sampleOfDocument,
  type UpdateSample,
  updateSampleSchema,
} from "../../model/update-sample.js";

/** What is wrong with a line: where in it, what was found, and what was expected. */
export type LineProblem = string;

const readSample = readerOf(updateSampleSchema);
const readDocument = readerOf(sampledDocumentSchema);

/** The sample on a line of JSON. `source` is its name in messages, `FILE:LINE`. */
export function parseUpdateLine(line: string, source: string): Result<UpdateSample, LineProblem> {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return err(`found ${quotedValue(line)}, expected one JSON document`);
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    return err(`the line: found ${quotedValue(value)}, expected an object`);
  }
  const { format, version } = value as Readonly<Record<string, unknown>>;
  const isSample = format === "blackout-update-sample";
  if (!isSample && format !== "blackout-live-update") {
    return err(
      `found format ${quotedValue(format)}, expected "blackout-update-sample" (blackout cohort --json) or "blackout-live-update" (blackout analyze --json)`,
    );
  }
  if (version !== 1) {
    return err(`version: found ${quotedValue(version)}, expected 1: it was written by another version of blackout`);
  }
  if (!isSample) {
    const document = readDocument(value);
    return document.ok ? ok(withTrustedDurations(sampleOfDocument(document.value, source))) : document;
  }
  const read = readSample(value);
  if (!read.ok) return read;
  const { format: _format, version: _version, ...sample } = read.value;
  return ok(withTrustedDurations({ source, ...sample }));
}
