import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";
import { deflateSync } from "node:zlib";
import fc from "fast-check";
import { build, type Histogram, HistogramLogReader } from "hdr-histogram-js";
import { durationHistogram } from "../analyze/cohort/histograms.js";
import { HISTOGRAM_HIGHEST_NS } from "../analyze/statistics/distributions/histogram-layout.js";
import { MEASURES } from "../model/documents/percentiles.js";
import { type HlogEntry, type HlogOrigin, readHlog, writeHlog } from "./hlog.js";

const ORIGIN: HlogOrigin = {
  cohort: { probeLevel: "probes", workload: "memfd", basis: "vm-marks", differences: [] },
  excluded: 2,
};

function entry(tag: string, values: readonly number[]): HlogEntry {
  const histogram = durationHistogram();
  for (const value of values) histogram.recordValue(value);
  return { tag, histogram, totalNs: values.reduce((sum, value) => sum + value, 0) };
}

/** Every bucket's value and count, by the percentiles at which the buckets end. */
function contents(histogram: Histogram): readonly number[] {
  const n = histogram.totalCount;
  return [n, ...Array.from({ length: n }, (_, i) => histogram.getValueAtPercentile((100 * (i + 1)) / n))];
}

const values = fc.array(fc.oneof(fc.nat(5000), fc.nat(HISTOGRAM_HIGHEST_NS)), { minLength: 1, maxLength: 40 });
const anyText = fc.oneof(fc.constant(null), fc.string({ unit: "grapheme" }), fc.constant('"]\n#[\u2028\\'));

test("what is written is read back, whatever the values and labels", () => {
  fc.assert(
    fc.property(fc.array(values, { minLength: 1, maxLength: 6 }), anyText, anyText, (samples, level, workload) => {
      const origin = { ...ORIGIN, cohort: { ...ORIGIN.cohort, probeLevel: level, workload } };
      const entries = samples.map((sample, i) => entry(MEASURES[i] as string, sample));
      const text = writeHlog(entries, origin);
      assert.match(text, /^[\x20-\x7e\n]*$/);
      assert.equal(text.split("\n").length, 5 + entries.length, "one line each, and no line from a label");
      const log = readHlog(text);
      assert.ok(log.ok, log.ok ? "" : log.error);
      assert.deepEqual(log.value.origin, origin);
      assert.deepEqual(
        log.value.tags.map(({ tag, intervals }) => [tag, intervals]),
        entries.map(({ tag }) => [tag, 1]),
      );
      for (const [i, { histogram }] of log.value.tags.entries()) {
        assert.deepEqual(contents(histogram), contents(entries[i]?.histogram as Histogram));
      }
    }),
    { numRuns: 30 },
  );
});

test("hdr-histogram-js reads the same tags, times and counts", () => {
  const entries = [entry("blackout", [4_000_000_000, 5_410_652_159]), entry("freeze", [0, 1, 600_000])];
  const reader = new HistogramLogReader(writeHlog(entries, ORIGIN));
  for (const { tag, histogram, totalNs } of entries) {
    const read = reader.nextIntervalHistogram();
    assert.ok(read !== null);
    assert.equal(read.tag, tag);
    assert.equal(read.startTimeStampMsec, 0);
    assert.ok(Math.abs(read.endTimeStampMsec - totalNs / 1e6) < 1);
    assert.deepEqual(contents(read), contents(histogram));
  }
  assert.equal(reader.nextIntervalHistogram(), null);
});

test("intervals of one tag add up; other layouts, blanks, carriage returns and untagged lines are read", () => {
  const coarse = build({ lowestDiscernibleValue: 1000, highestTrackableValue: 3_600_000_000, bitBucketSize: 32 });
  coarse.recordValueWithCount(1_234_567, 70_000);
  const [a, b] = [entry("kexec", [10, 20]), entry("kexec", [30])].map(
    (each) => writeHlog([each], ORIGIN).split("\n")[4],
  );
  const [, payload] = /,([^,]+)$/.exec(writeHlog([{ tag: "x", histogram: coarse, totalNs: 0 }], ORIGIN).trim()) ?? [];
  const log = readHlog(`# a comment\r\n\r\n${a}\r\n"StartTimestamp","Interval_Length"\n1.5 2.25 1e3 ${payload}\n${b}`);
  assert.ok(log.ok, log.ok ? "" : log.error);
  assert.equal(log.value.origin, null);
  const [kexec, untagged] = log.value.tags;
  assert.deepEqual([kexec?.tag, kexec?.intervals, kexec?.histogram.totalCount], ["kexec", 2, 3]);
  assert.deepEqual([untagged?.tag, untagged?.histogram.totalCount], [null, 70_000]);
  assert.equal(untagged?.histogram.getValueAtPercentile(50), coarse.getValueAtPercentile(50));
});

const JAR = "/usr/share/java/hdrhistogram.jar";
const hasJava = existsSync(JAR) && spawnSync("java", ["-version"]).status === 0;

test("Java's HistogramLogProcessor reads it", { skip: hasJava ? false : "no java or no HdrHistogram" }, () => {
  const folder = mkdtempSync(join(tmpdir(), "blackout-hlog-"));
  try {
    const path = join(folder, "updates.hlog");
    const entries = [
      entry("blackout", [4_349_000_000, 4_382_000_000, 4_382_000_001, 5_410_000_000]),
      entry("finish", [782_700]),
    ];
    writeFileSync(path, writeHlog(entries, ORIGIN));
    const processor = (...args: readonly string[]): string => {
      const run = spawnSync("java", ["-cp", JAR, "org.HdrHistogram.HistogramLogProcessor", "-i", path, ...args], {
        encoding: "utf8",
      });
      assert.equal(run.stderr, "");
      return run.stdout;
    };
    assert.deepEqual(processor("-listtags").trim().split("\n").slice(1), ["blackout", "finish"]);
    for (const { tag, histogram } of entries) {
      const rows = processor("-tag", tag, "-csv", "-outputValueUnitRatio", "1").trim().split("\n").slice(1);
      assert.ok(rows.length >= 2);
      for (const row of rows) {
        const [value, quantile, count] = row.split(",").map(Number) as [number, number, number];
        // Java prints the upper end of the lowest bucket too; this library gives its lower end at 0 %.
        assert.equal(histogram.getValueAtPercentile(Math.max(100 * quantile, 1e-9)), value);
        assert.ok(count <= histogram.totalCount);
      }
      assert.equal(Number(rows.at(-1)?.split(",")[2]), histogram.totalCount);
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("a tag with a delimiter is the caller's bug", () => {
  for (const tag of ["a,b", "a b", "a\nb", "", "#a"])
    assert.throws(() => writeHlog([entry(tag, [1])], ORIGIN), RangeError);
});

/** A V2 histogram around raw counts. */
function encoded(
  counts: readonly number[],
  { digits = 3, lowest = 1n, highest = 1000n, length = counts.length } = {},
): string {
  const payload = Buffer.alloc(40 + counts.length);
  payload.writeUInt32BE(0x1c849313, 0);
  payload.writeUInt32BE(length, 4);
  payload.writeInt32BE(digits, 12);
  payload.writeBigInt64BE(lowest, 16);
  payload.writeBigInt64BE(highest, 24);
  payload.writeDoubleBE(1, 32);
  payload.set(counts, 40);
  return compressed(payload);
}

function compressed(payload: Uint8Array, cookie = 0x1c849314): string {
  const deflated = deflateSync(payload);
  const header = Buffer.alloc(8);
  header.writeUInt32BE(cookie, 0);
  header.writeUInt32BE(deflated.length, 4);
  return Buffer.concat([header, deflated]).toString("base64");
}

const damaged: readonly (readonly [string, string, RegExp])[] = [
  ["too few fields", "Tag=a,0.0,1.0", /^line 2: found 2 fields, expected/],
  [
    "a malformed number",
    `Tag=a,zero,0,0,${encoded([2])}`,
    /^line 2: StartTimestamp is "zero", expected a decimal number/,
  ],
  ["no base64", "Tag=a,0,0,0,HIST=FAAA", /^line 2: the histogram is not base64/],
  ["cut base64", "Tag=a,0,0,0,AAAA", /^line 2: the histogram is cut/],
  [
    "an older encoding",
    `Tag=a,0,0,0,${compressed(Buffer.alloc(9), 0x1c849302)}`,
    /begins with 0x1c849302, expected 0x1c849314/,
  ],
  [
    "a cut histogram",
    `0,0,0,${Buffer.from(encoded([2]), "base64")
      .subarray(0, -6)
      .toString("base64")}`,
    /its header states \d+ compressed bytes/,
  ],
  [
    "bytes that do not inflate",
    `0,0,0,${Buffer.from("1c84931400000004deadbeef", "hex").toString("base64")}`,
    /cannot be inflated/,
  ],
  ["a bomb", `0,0,0,${compressed(Buffer.alloc(65 << 20))}`, /inflate to more than 67108864 bytes/],
  ["no histogram inside", `0,0,0,${compressed(Buffer.alloc(64))}`, /are not a V2 histogram/],
  ["a wrong length", `0,0,0,${encoded([2], { length: 9 })}`, /states 9 bytes of counts, 1 are there/],
  ["digits beyond reason", `0,0,0,${encoded([2], { digits: 77 })}`, /has 77 significant digits/],
  ["an upside-down range", `0,0,0,${encoded([2], { lowest: 900n })}`, /the histogram's range is 900 to 1000/],
  ["a range beyond 2^53", `0,0,0,${encoded([2], { highest: 1n << 62n })}`, /the histogram's range is 1 to/],
  ["a word without end", `0,0,0,${encoded(Array(12).fill(0xff))}`, /has a count of 2\^48 or more/],
  ["a cut word", `0,0,0,${encoded([0x80])}`, /last count is cut/],
  [
    "a run of zeros beyond the range",
    `0,0,0,${encoded([0xff, 0xff, 0xff, 0xff, 0x7f, 2])}`,
    /buckets, but its range has 2048/,
  ],
  [
    "two precisions under one tag",
    `0,0,0,${encoded([2])}\n0,0,0,${encoded([2], { digits: 2 })}`,
    /^line 3: .*another precision/,
  ],
  ["a damaged comment", '#[Blackout: {"cohort":{}}]', /^line 2: blackout's own comment is damaged/],
];

for (const [what, lines, expected] of damaged) {
  test(`an error names the line and what is wrong: ${what}`, () => {
    const log = readHlog(`# first\n${lines}\n`);
    assert.ok(!log.ok);
    assert.match(log.error, expected);
    assert.ok(log.error.length < 300);
  });
}

test("any text is read or refused with a message", () => {
  const good = writeHlog([entry("blackout", [1, 1_000_000]), entry("kexec", [7])], ORIGIN);
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.nat(good.length - 1), fc.integer({ min: 0x20, max: 0x7e })), { minLength: 1, maxLength: 4 }),
      fc.nat(good.length),
      (changes, cut) => {
        const bytes = Buffer.from(good, "latin1");
        for (const [at, byte] of changes) bytes[at] = byte;
        const log = readHlog(bytes.subarray(0, cut).toString("latin1"));
        if (!log.ok) assert.match(log.error, /^line \d+: \S/);
      },
    ),
    { numRuns: 300 },
  );
});
