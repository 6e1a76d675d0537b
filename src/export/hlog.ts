/**
 * Histogram logs (.hlog): one line per tag with a compressed HDR histogram, as Java's HistogramLogWriter writes and its
 * HistogramLogProcessor reads them. docs/hlog.md lists the rules of that format that are kept, and why.
 */

import { deflateSync, inflateSync } from "node:zlib";
import { build, encodeIntoCompressedBase64, type Histogram } from "hdr-histogram-js";
import type { CohortKey } from "../analyze/cohort/cohort-key.js";
import { unzigzag, VarintReader } from "../base/bytes/wire.js";
import { err, ok, type Result } from "../base/result.js";
import { quoted } from "../base/text/quote.js";
import type { CohortDifference } from "../model/documents/percentiles.js";

/** blackout's own data in a log, in a comment that other readers skip. */
export interface HlogOrigin {
  readonly cohort: CohortKey & { readonly differences: readonly CohortDifference[] };
  /** Updates that were left out of the log. */
  readonly excluded: number;
}

/** A histogram to be written; its values are nanoseconds. */
export interface HlogEntry {
  readonly tag: string;
  readonly histogram: Histogram;
  /** The sum of its values, as exact as known: the line's interval length. */
  readonly totalNs: number;
}

const LEGEND = '"StartTimestamp","Interval_Length","Interval_Max","Interval_Compressed_Histogram"';
/** Interval_Max is in milliseconds if values are nanoseconds: the Java writer's own default ratio. */
const MAX_VALUE_UNIT_RATIO = 1e6;
const ORIGIN = "#[Blackout: ";

/** The log's text. A tag must not contain the format's delimiters (RangeError: a bug in the caller, not in input). */
export function writeHlog(entries: readonly HlogEntry[], origin: HlogOrigin): string {
  const lines = [
    "#[Written by blackout: durations of live updates in nanoseconds, one line per phase and for the blackout]",
    `${ORIGIN}${asciiJson(origin)}]`,
    "#[Histogram log format version 1.3]",
    LEGEND,
    ...entries.map(({ tag, histogram, totalNs }) => {
      if (!/^[^\s,#"]+$/.test(tag)) throw new RangeError(`tag ${JSON.stringify(tag)} holds a delimiter`);
      const max = histogram.totalCount === 0 ? 0 : histogram.getValueAtPercentile(100);
      const numbers = [0, totalNs / 1e9, max / MAX_VALUE_UNIT_RATIO].map((value) => value.toFixed(3));
      return `Tag=${tag},${numbers.join(",")},${encodeHistogram(histogram)}`;
    }),
  ];
  return `${lines.join("\n")}\n`;
}

/**
 * The library's encoding, with two fields corrected to what Java writes. The library states a shift of the counts by
 * one bucket, which is wrong, and writes the conversion ratio 1.0 as an integer, which reads as 5e-324.
 */
function encodeHistogram(histogram: Histogram): string {
  const encoded = Buffer.from(encodeIntoCompressedBase64(histogram), "base64");
  const payload = inflateSync(encoded.subarray(8));
  payload.writeInt32BE(0, 8);
  payload.writeDoubleBE(1, 32);
  const compressed = deflateSync(payload, { level: 9 });
  const header = Buffer.from(encoded.subarray(0, 8));
  header.writeUInt32BE(compressed.length, 4);
  return Buffer.concat([header, compressed]).toString("base64");
}

/** Labels come from a capture: nothing in them may end the line or trouble a reader that expects ASCII. */
function asciiJson(value: unknown): string {
  return JSON.stringify(value).replace(
    /[^\x20-\x7e]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

/** All intervals of one tag, added up. */
export interface HlogTag {
  /** Null: lines without a tag. */
  readonly tag: string | null;
  readonly intervals: number;
  readonly histogram: Histogram;
}

export interface Hlog {
  /** Null in a log that blackout did not write. */
  readonly origin: HlogOrigin | null;
  /** In the order of their first line. */
  readonly tags: readonly HlogTag[];
}

/** Limits on what is read, far above any log of durations of live updates. */
export const HLOG_LIMITS = {
  /** Of the file. */
  bytes: 64 << 20,
  lines: 1_000_000,
  tags: 4096,
  /** Of all histograms together, inflated. */
  inflatedBytes: 64 << 20,
  /** Counts of all tags' histograms together: 128 MiB. */
  counts: 1 << 24,
} as const;

/**
 * Reads a log; intervals of one tag are added up. The error is a sentence with the line's number. For any text, memory
 * stays within HLOG_LIMITS.
 */
export function readHlog(text: string): Result<Hlog, string> {
  if (text.length > HLOG_LIMITS.bytes) {
    return err(`it holds ${text.length} characters, more than the ${HLOG_LIMITS.bytes} that are read`);
  }
  const tags = new Map<string | null, TagSum>();
  let origin: HlogOrigin | null = null;
  let counts = 0;
  let inflatedBytes = 0;
  let line = 0;
  for (let at = 0; at < text.length; ) {
    const newline = text.indexOf("\n", at);
    const end = newline < 0 ? text.length : newline;
    const content = text.slice(at, end).replace(/\r$/, "");
    at = end + 1;
    line += 1;
    const fail = (what: string): Result<Hlog, string> => err(`line ${line}: ${what}`);
    if (line > HLOG_LIMITS.lines) return fail(`more than ${HLOG_LIMITS.lines} lines`);
    if (content.startsWith(ORIGIN)) {
      const found = parseOrigin(content);
      if (found === null) return fail("blackout's own comment is damaged: write the log again");
      if (origin !== null) return fail("a second comment of blackout: give the logs one by one, not joined");
      origin = found;
      continue;
    }
    if (content.trim() === "" || content.startsWith("#") || /^"(?:Start)?Timestamp"/.test(content)) continue;
    const interval = parseInterval(content, HLOG_LIMITS.inflatedBytes - inflatedBytes);
    if (!interval.ok) return fail(interval.error);
    inflatedBytes += interval.value.histogram.inflatedBytes;
    const { tag, histogram } = interval.value;
    let sum = tags.get(tag);
    if (sum === undefined) {
      if (tags.size === HLOG_LIMITS.tags) return fail(`more than ${HLOG_LIMITS.tags} tags`);
      sum = { intervals: 0, layout: histogram.layout, countsLength: 0, histogram: emptyOf(histogram.layout) };
      tags.set(tag, sum);
    }
    const { digits, lowest } = sum.layout;
    if (histogram.layout.digits !== digits || histogram.layout.lowest !== lowest) {
      return fail("its histogram has another precision or unit than the tag's first: they cannot be added up");
    }
    const length = Math.max(sum.countsLength, countsLengthOf(histogram.layout));
    counts += length - sum.countsLength;
    sum.countsLength = length;
    if (counts > HLOG_LIMITS.counts) {
      return fail(`the log's histograms take more than ${HLOG_LIMITS.counts} counts: record with fewer digits`);
    }
    if (sum.histogram.totalCount + histogram.total > Number.MAX_SAFE_INTEGER) {
      return fail("the counts of this tag add up to more than 2^53");
    }
    for (const [value, count] of histogram.counts) sum.histogram.recordValueWithCount(value, count);
    sum.intervals += 1;
  }
  return ok({
    origin,
    tags: [...tags].map(([tag, { intervals, histogram }]) => ({ tag, intervals, histogram })),
  });
}

interface TagSum {
  intervals: number;
  readonly layout: Layout;
  countsLength: number;
  readonly histogram: Histogram;
}

/** Lowest discernible and highest trackable value, and significant digits: what a histogram's buckets follow from. */
interface Layout {
  readonly lowest: number;
  readonly highest: number;
  readonly digits: number;
}

interface DecodedHistogram {
  readonly layout: Layout;
  readonly inflatedBytes: number;
  readonly total: number;
  /** Each bucket's lowest value, and its count. */
  readonly counts: readonly (readonly [number, number])[];
}

function emptyOf({ lowest, highest, digits }: Layout): Histogram {
  return build({
    bitBucketSize: 64,
    autoResize: true,
    lowestDiscernibleValue: lowest,
    highestTrackableValue: highest,
    numberOfSignificantValueDigits: digits as 1 | 2 | 3 | 4 | 5,
  });
}

function parseOrigin(line: string): HlogOrigin | null {
  if (!line.endsWith("]")) return null;
  try {
    const value: unknown = JSON.parse(line.slice(ORIGIN.length, -1));
    return isOrigin(value) ? value : null;
  } catch {
    return null;
  }
}

function isOrigin(value: unknown): value is HlogOrigin {
  const isText = (found: unknown): boolean => found === null || typeof found === "string";
  const { cohort, excluded } = (value ?? {}) as Partial<HlogOrigin>;
  if (typeof cohort !== "object" || cohort === null || !Number.isSafeInteger(excluded)) return false;
  const { probeLevel, workload, basis, differences } = cohort;
  if (!isText(probeLevel) || !isText(workload) || !isText(basis) || !Array.isArray(differences)) return false;
  return differences.every(
    (difference: Partial<CohortDifference> | null) =>
      ["probeLevel", "workload", "basis"].includes(difference?.property ?? "") &&
      Array.isArray(difference?.values) &&
      difference.values.every(
        (each) => isText(each?.value) && Number.isSafeInteger(each?.members) && typeof each?.first === "string",
      ),
  );
}

/**
 * `[Tag=NAME,]start,length,max,histogram`, the fields delimited by a comma or a blank, as Java's scanner takes them.
 */
function parseInterval(
  line: string,
  inflatable: number,
): Result<{ readonly tag: string | null; readonly histogram: DecodedHistogram }, string> {
  const fields = line.split(/[, ]/, 8);
  const tag = fields[0]?.startsWith("Tag=") === true ? (fields.shift() as string).slice("Tag=".length) : null;
  if (fields.length !== 4) {
    return err(`found ${fields.length} fields, expected [Tag=NAME,]start,length,max,histogram`);
  }
  const names = ["StartTimestamp", "Interval_Length", "Interval_Max"] as const;
  for (const [i, name] of names.entries()) {
    if (!/^-?\d{1,20}(?:\.\d{0,20})?(?:[eE][+-]?\d{1,3})?$/.test(fields[i] as string)) {
      return err(`${name} is ${quoted(fields[i] as string, 40)}, expected a decimal number`);
    }
  }
  const histogram = decodeHistogram(fields[3] as string, inflatable);
  return histogram.ok ? ok({ tag, histogram: histogram.value }) : histogram;
}

/** Cookies of the V2 encoding (Java AbstractHistogram); bits 4 to 7 are a word size that V2 ignores. */
const V2_COOKIE = 0x1c849303;
const V2_COMPRESSED_COOKIE = 0x1c849304;
const HEADER_BYTES = 40;
const cookieBase = (cookie: number): number => (cookie & ~0xf0) >>> 0;

function decodeHistogram(base64: string, inflatable: number): Result<DecodedHistogram, string> {
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(base64) || base64.length % 4 !== 0) {
    return err(`the histogram is not base64: ${quoted(base64, 40)}`);
  }
  const bytes = Buffer.from(base64, "base64");
  if (bytes.length < 8) return err(`the histogram is cut: ${bytes.length} bytes`);
  if (cookieBase(bytes.readUInt32BE(0)) !== V2_COMPRESSED_COOKIE) {
    return err(
      `the histogram begins with 0x${bytes.readUInt32BE(0).toString(16)}, expected 0x1c849314: a compressed integer histogram, encoding V2 (HdrHistogram 2.1 or later)`,
    );
  }
  const length = bytes.readUInt32BE(4);
  if (length !== bytes.length - 8) {
    return err(`the histogram is cut: its header states ${length} compressed bytes, ${bytes.length - 8} are there`);
  }
  let payload: Buffer;
  try {
    payload = inflateSync(bytes.subarray(8), { maxOutputLength: Math.max(1, inflatable) });
  } catch (error) {
    const tooLong = (error as NodeJS.ErrnoException).code === "ERR_BUFFER_TOO_LARGE";
    return err(
      tooLong
        ? `the log's histograms inflate to more than ${HLOG_LIMITS.inflatedBytes} bytes`
        : `the histogram cannot be inflated: ${(error as Error).message}`,
    );
  }
  return decodePayload(payload);
}

function decodePayload(payload: Buffer): Result<DecodedHistogram, string> {
  if (payload.length < HEADER_BYTES || cookieBase(payload.readUInt32BE(0)) !== V2_COOKIE) {
    return err("the histogram's inflated bytes are not a V2 histogram");
  }
  // The normalizing index offset (byte 8) describes the writer's memory; the written counts are in order.
  const [length, digits] = [payload.readUInt32BE(4), payload.readInt32BE(12)];
  const [lowest, highest] = [Number(payload.readBigInt64BE(16)), Number(payload.readBigInt64BE(24))];
  if (length !== payload.length - HEADER_BYTES) {
    return err(`the histogram states ${length} bytes of counts, ${payload.length - HEADER_BYTES} are there`);
  }
  if (digits < 1 || digits > 5) return err(`the histogram has ${digits} significant digits, expected 1 to 5`);
  if (lowest < 1 || highest < 2 * lowest || highest > Number.MAX_SAFE_INTEGER) {
    return err(`the histogram's range is ${lowest} to ${highest}, expected 1 or more to at most 2^53`);
  }
  const layout = { lowest, highest, digits };
  const counts = readCounts(payload, layout);
  if (typeof counts === "string") return err(counts);
  const total = counts.reduce((sum, [, count]) => sum + count, 0);
  return total > Number.MAX_SAFE_INTEGER
    ? err("the histogram's counts add up to more than 2^53")
    : ok({ layout, inflatedBytes: payload.length, total, counts });
}

/** Words of ZigZag LEB128: a count, or minus the number of empty buckets. Seven bytes hold counts below 2^48. */
const WORD_BYTES = 7;

function readCounts(payload: Buffer, layout: Layout): readonly (readonly [number, number])[] | string {
  const limit = countsLengthOf(layout);
  const counts: (readonly [number, number])[] = [];
  let index = 0;
  const words = new VarintReader(payload, HEADER_BYTES);
  while (words.at < payload.length) {
    const begin = words.at;
    const word = words.varint();
    if (words.at - begin > WORD_BYTES) return "the histogram has a count of 2^48 or more";
    if (word < 0) return "the histogram's last count is cut";
    const count = unzigzag(word);
    if (count < 0) index -= count;
    else {
      if (count > 0 && index < limit) counts.push([valueAtIndex(index, layout), count]);
      index += 1;
    }
    if (index > limit) return `the histogram has ${index} buckets, but its range has ${limit}`;
  }
  return counts;
}

/** Buckets of 2 x 10^digits values, rounded up to a power of two; above the first only their upper half is used. */
function subBucketHalf(digits: number): number {
  return 2 ** (Math.ceil(Math.log2(2 * 10 ** digits)) - 1);
}

function countsLengthOf({ lowest, highest, digits }: Layout): number {
  const half = subBucketHalf(digits);
  let buckets = 1;
  for (let covered = 2 * half * 2 ** Math.floor(Math.log2(lowest)); covered <= highest; covered *= 2) buckets += 1;
  return (buckets + 1) * half;
}

function valueAtIndex(index: number, { lowest, digits }: Layout): number {
  const half = subBucketHalf(digits);
  const bucket = Math.max(0, Math.floor(index / half) - 1);
  return (index - bucket * half) * 2 ** (bucket + Math.floor(Math.log2(lowest)));
}
