import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { memorySource } from "../../base/bytes/byte-source.js";
import type { DefectInput } from "../../base/defect.js";
import type { EventChunk, ReadCounts } from "../../model/collected.js";
import { payloadOf, type WrittenRecord, writePages } from "../../testing/fakes/ring-pages.js";
import { type ParsedFormats, parseFormats } from "../formats/event-format.js";
import {
  DEFAULT_LAYOUT,
  type PageLayout,
  parseHeaderPage,
  parseSavedCmdlines,
  type RingBufferInput,
  ringBufferSource,
} from "./ring-buffer.js";

const COMMON = [
  "field:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;",
  "field:unsigned char common_flags;\toffset:2;\tsize:1;\tsigned:0;",
  "field:unsigned char common_preempt_count;\toffset:3;\tsize:1;\tsigned:0;",
  "field:int common_pid;\toffset:4;\tsize:4;\tsigned:1;",
];

function formats(): ParsedFormats {
  const lines = [7, 8, 300].flatMap((id) => {
    const path = `./test/event_${id}/format:`;
    return [
      `${path}name: event_${id}`,
      `${path}ID: ${id}`,
      `${path}format:`,
      ...COMMON.map((field) => `${path}\t${field}`),
      path,
      `${path}\tfield:u32 value;\toffset:8;\tsize:4;\tsigned:0;`,
      `${path}`,
      `${path}print fmt: "value=%u", REC->value`,
    ];
  });
  const parsed = parseFormats(new TextEncoder().encode(lines.join("\n")), "formats", {
    defect: (defect) => assert.fail(defect.message),
  });
  assert.equal(parsed.byId.size, 3);
  return parsed;
}
const FORMATS = formats();

interface Row {
  readonly time: bigint;
  readonly cpu: number;
  readonly pid: number;
  readonly name: string;
  readonly text: string;
  readonly file: string;
}

function read(
  cpus: readonly { readonly cpu: number; readonly bytes: Uint8Array; readonly entries?: number }[],
  more: Partial<RingBufferInput> = {},
): { rows: Row[]; defects: DefectInput[]; counts: ReadCounts } {
  const rows: Row[] = [];
  const defects: DefectInput[] = [];
  const source = ringBufferSource({
    boot: "old",
    cpus: cpus.map(({ cpu, bytes, entries }) => ({
      cpu,
      source: memorySource(`cpu${cpu}`, bytes),
      entries: entries ?? null,
    })),
    formats: FORMATS,
    layout: DEFAULT_LAYOUT,
    symbols: () => null,
    comms: new Map([[0, "<idle>"]]),
    clock: "local",
    ...more,
  });
  const counts = source.read({
    defect: (defect) => defects.push(defect),
    chunk(chunk: EventChunk) {
      for (let row = 0; row < chunk.count; row++) {
        rows.push({
          time: chunk.base + BigInt(chunk.time[row] as number),
          cpu: chunk.cpu[row] as number,
          pid: chunk.pid[row] as number,
          name: chunk.strings.stringOf(chunk.name[row] as number),
          text: chunk.text(row),
          file: chunk.fileOf(row),
        });
      }
    },
  });
  return { rows, defects, counts };
}

function record(time: bigint, id: number, pid: number, value: number, littleEndian: boolean, tail = 0): WrittenRecord {
  const rest = new Uint8Array(4 + tail);
  new DataView(rest.buffer).setUint32(0, value, littleEndian);
  return { time, payload: payloadOf(id, pid, rest, littleEndian) };
}

const layouts: readonly PageLayout[] = [
  DEFAULT_LAYOUT,
  { pageBytes: 4096, dataOffset: 12, commitBytes: 4 },
  { pageBytes: 65_536, dataOffset: 16, commitBytes: 8 },
  { pageBytes: 256, dataOffset: 16, commitBytes: 8 },
];

/** Deltas from nothing to weeks; sizes either side of the longest short record (112 bytes). */
const arbitraryRecords = fc.array(
  fc.record({
    delta: fc.oneof(fc.nat(1000), fc.nat(1 << 28), fc.bigInt(0n, 1n << 50n).map(Number)),
    id: fc.constantFrom(7, 8, 300),
    pid: fc.integer({ min: 0, max: 4_000_000 }),
    value: fc.nat(0xffff_ffff),
    tail: fc.oneof(fc.nat(16), fc.nat(160)),
  }),
  { maxLength: 200 },
);

test("pages of every layout, word length and byte order return what was written into them", () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...layouts),
      fc.boolean(),
      fc.bigInt(1n, 1n << 58n),
      fc.array(arbitraryRecords, { minLength: 1, maxLength: 3 }),
      fc.boolean(),
      fc.boolean(),
      (layout, littleEndian, begin, perCpu, longAlways, discard) => {
        const cpus = perCpu.map((parts, cpu) => {
          let time = begin;
          const written = parts.map(({ delta, id, pid, value, tail }) => {
            // A discarded event moves time on by 1.
            time += BigInt(delta) + 1n;
            return record(time, id, pid, value, littleEndian, tail);
          });
          const discardAfter = new Set(discard ? written.keys() : []);
          return { cpu, written, bytes: writePages(written, { layout, littleEndian, longAlways, discardAfter }) };
        });
        const found = read(cpus, { layout, littleEndian });
        const expected = cpus
          .flatMap(({ cpu, written }) =>
            written.map(({ time, payload }, i): Row & { readonly i: number } => {
              const view = new DataView(payload.buffer);
              return {
                i,
                time,
                cpu,
                pid: view.getInt32(4, littleEndian),
                name: `event_${view.getUint16(0, littleEndian)}`,
                text: `value=${view.getUint32(8, littleEndian)}`,
                file: `cpu${cpu}`,
              };
            }),
          )
          .sort((a, b) => (a.time < b.time ? -1 : a.time > b.time ? 1 : a.cpu - b.cpu || a.i - b.i))
          .map(({ i: _i, ...row }) => row);
        assert.deepEqual(found.rows, expected);
        assert.equal(found.counts.events, expected.length);
        assert.deepEqual(
          found.defects.filter(({ code }) => code !== "ring-cpu-missing"),
          [],
        );
      },
    ),
    { numRuns: 300 },
  );
});

test("a row names the file that it was read from, also where two rings have pages of one CPU", () => {
  const ring = [record(10n, 7, 1, 1, true), record(30n, 7, 1, 3, true)];
  const marks = [record(20n, 8, 1, 2, true), record(40n, 8, 1, 4, true)];
  const files: string[] = [];
  const write = (name: string, written: readonly WrittenRecord[]) => ({
    cpu: 1,
    source: memorySource(name, writePages(written, { layout: DEFAULT_LAYOUT, littleEndian: true })),
    entries: null,
  });
  const source = ringBufferSource({
    boot: "old",
    cpus: [write("ring/per_cpu/cpu1/trace_pipe_raw", ring), write("marks/per_cpu/cpu1/trace_pipe_raw", marks)],
    formats: FORMATS,
    layout: DEFAULT_LAYOUT,
    symbols: () => null,
    comms: new Map(),
    clock: "local",
  });
  source.read({
    defect: ({ message }) => assert.fail(message),
    chunk: (chunk) => {
      for (let row = 0; row < chunk.count; row++) files.push(chunk.fileOf(row).split("/")[0] as string);
    },
  });
  assert.deepEqual(files, ["ring", "marks", "ring", "marks"]);
});

test("many CPUs whose events alternate, at equal times too, come in order of time and CPU", () => {
  let seed = 3;
  const random = (below: number): number => {
    seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0;
    return Math.floor((seed / 2 ** 32) * below);
  };
  const perCpu = Array.from({ length: 37 }, (_, cpu) => {
    let time = 5n;
    return Array.from({ length: random(600) }, (_, i) => {
      time += BigInt(random(3) === 0 ? 0 : random(5));
      return record(time, [7, 8, 300][random(3)] as number, cpu * 1000 + random(3), i, true, random(9) === 0 ? 120 : 0);
    });
  });
  const cpus = perCpu.map((written, cpu) => ({
    cpu,
    bytes: writePages(written, { layout: DEFAULT_LAYOUT, littleEndian: true }),
  }));
  const expected = perCpu
    .flatMap((written, cpu) => written.map(({ time }) => ({ time, cpu })))
    .sort((a, b) => (a.time < b.time ? -1 : a.time > b.time ? 1 : a.cpu - b.cpu));
  assert.deepEqual(
    read(cpus).rows.map(({ time, cpu }) => ({ time, cpu })),
    expected,
  );
});

test("an absolute stamp sets the time, its top five bits from the running one", () => {
  const begin = (3n << 59n) + 5_000n;
  const times = [begin, begin + (1n << 40n), begin + (1n << 41n)];
  const written = times.map((time) => record(time, 7, 1, 0, true));
  const bytes = writePages(written, { layout: DEFAULT_LAYOUT, littleEndian: true, absolute: true });
  assert.deepEqual(
    read([{ cpu: 0, bytes }]).rows.map(({ time }) => time),
    times,
  );
});

test("an absolute stamp before the running time is reported", () => {
  const times = [5_000n, 5_000n + (1n << 40n)];
  const bytes = writePages(
    times.map((time) => record(time, 7, 1, 0, true)),
    { layout: DEFAULT_LAYOUT, littleEndian: true, absolute: true },
  );
  assert.deepEqual(read([{ cpu: 0, bytes }]).defects, []);
  // The page's own stamp is then 7 ns after the last one's.
  new DataView(bytes.buffer).setBigUint64(0, 5_007n + (1n << 40n), true);
  assert.deepEqual(
    read([{ cpu: 0, bytes }]).defects.map(({ code }) => code),
    ["ring-time-backwards"],
  );
});

test("the byte order is read from the pages if nothing else gives it", () => {
  for (const layout of layouts) {
    for (const littleEndian of [true, false]) {
      const bytes = writePages([record(1000n, 300, 77, 5, littleEndian)], { layout, littleEndian });
      assert.deepEqual(read([{ cpu: 0, bytes }], { layout }).rows, [
        { time: 1000n, cpu: 0, pid: 77, name: "event_300", text: "value=5", file: "cpu0" },
      ]);
    }
  }
});

test("missed events are counted if the kernel counted them, and reported if it did not", () => {
  for (const littleEndian of [true, false]) {
    for (const layout of layouts) {
      const written = [1n, 2n, 3n, 4n].map((time) => record(time, 7, 1, 0, littleEndian));
      const bytes = writePages(written, {
        layout,
        littleEndian,
        lostBefore: new Map([
          [1, 1234],
          [3, null],
        ]),
      });
      const { counts, defects, rows } = read([{ cpu: 0, bytes }], { layout, littleEndian });
      assert.equal(rows.length, 4);
      assert.equal(counts.lostEvents, 1234);
      assert.deepEqual(
        defects.map(({ code, message }) => [code, /^[\d,]+|^An unknown/.exec(message)?.[0]]),
        [
          ["ring-lost-events", "1,234"],
          ["ring-lost-events", "An unknown"],
        ],
      );
    }
  }
});

test("a filter on time, task, event and CPU reads what reading all and then choosing gives", () => {
  const written = Array.from({ length: 4000 }, (_, i) =>
    record(BigInt(1000 + i * 10), [7, 8, 300][i % 3] as number, i % 5, i, true),
  );
  const bytes = writePages(written, { layout: DEFAULT_LAYOUT, littleEndian: true });
  const cpus = [0, 1].map((cpu) => ({ cpu, bytes }));
  const all = read(cpus).rows;
  const filters = [
    { from: 11_000n, to: 21_000n },
    { names: new Set(["event_300"]) },
    { pids: new Set([3]), names: new Set(["event_7", "event_8"]) },
    { cpus: new Set([1]), from: 40_990n },
    { from: 41_000n },
  ];
  for (const part of filters) {
    const filter = { names: null, pids: null, cpus: null, from: 0n, to: 1n << 63n, ...part };
    const expected = all.filter(
      (row) =>
        row.time >= filter.from &&
        row.time <= filter.to &&
        (filter.names === null || filter.names.has(row.name)) &&
        (filter.pids === null || filter.pids.has(row.pid)) &&
        (filter.cpus === null || filter.cpus.has(row.cpu)),
    );
    assert.deepEqual(read(cpus, { filter }).rows, expected);
  }
});

test("a sink that wants some kinds of events gets their rows, the count of all, and where each CPU begins and ends", () => {
  const cpus = [0, 3].map((cpu) => {
    const written = Array.from({ length: 5000 }, (_, i) =>
      record(
        BigInt(1000 + cpu + i * 10),
        i % 97 === 0 ? 300 : i % 5 === 0 ? 9 : 7 + (i % 2),
        1 + (i % 4),
        i,
        true,
        i % 130,
      ),
    );
    return { cpu, bytes: writePages(written, { layout: DEFAULT_LAYOUT, littleEndian: true }) };
  });
  const all = read(cpus);
  const told: unknown[] = [];
  const names: string[] = [];
  const source = ringBufferSource({
    boot: "old",
    cpus: cpus.map(({ cpu, bytes }) => ({ cpu, source: memorySource(`cpu${cpu}`, bytes), entries: null })),
    formats: FORMATS,
    layout: DEFAULT_LAYOUT,
    symbols: () => null,
    comms: new Map(),
    clock: "local",
  });
  const times: bigint[] = [];
  const counts = source.read({
    interest: {
      wants: (name, hasField) => name === "event_300" && hasField("value"),
      begins: (cpu, base, time) => told.push(["begins", cpu, base + BigInt(time)]),
      ends: (cpu, time, pid) => told.push(["ends", cpu, 1000n + BigInt(time), pid]),
    },
    defect: () => {},
    chunk(chunk) {
      for (let row = 0; row < chunk.count; row++) {
        times.push(chunk.base + BigInt(chunk.time[row] as number));
        names.push(chunk.strings.stringOf(chunk.name[row] as number));
      }
    },
  });
  assert.deepEqual(
    times,
    all.rows.flatMap(({ name, time }) => (name === "event_300" ? [time] : [])),
  );
  assert.ok(times.length > 50 && names.every((name) => name === "event_300"));
  assert.equal(counts.events, all.counts.events);
  assert.equal(counts.undecoded, all.counts.undecoded);
  const last = (cpu: number): Row => all.rows.findLast((row) => row.cpu === cpu) as Row;
  assert.deepEqual(told, [
    ["begins", 0, 1000n],
    ["begins", 3, 1003n],
    ["ends", 0, last(0).time, last(0).pid],
    ["ends", 3, last(3).time, last(3).pid],
  ]);
});

test("records that cannot be decoded are counted and reported, and the rest is read", () => {
  const good = writePages([record(5n, 7, 1, 1, true)], { layout: DEFAULT_LAYOUT, littleEndian: true });
  const codes = (bytes: Uint8Array): string[] => read([{ cpu: 0, bytes }]).defects.map(({ code }) => code);
  const twice = (change: (view: DataView) => void): Uint8Array => {
    const bytes = new Uint8Array(8192);
    bytes.set(good);
    bytes.set(good, 4096);
    change(new DataView(bytes.buffer));
    return bytes;
  };
  assert.deepEqual(codes(twice((view) => view.setUint16(20, 9, true))), ["ring-unknown-event"]);
  assert.deepEqual(codes(twice((view) => view.setUint32(16, 28, true))), ["ring-record-overrun"]);
  assert.deepEqual(codes(twice((view) => view.setUint32(8, 5000, true))), ["ring-page-overfull"]);
  assert.deepEqual(codes(good.subarray(0, 4000)), ["ring-page-partial"]);
  // The first page's only record, with a stamp 1,000 ns later than its time.
  const late = read([
    { cpu: 0, bytes: twice((view) => view.setUint32(16, view.getUint32(16, true) + (1_000 << 5), true)) },
  ]);
  assert.deepEqual(
    late.defects.map(({ code, message }) => [code, message]),
    [
      [
        "ring-time-backwards",
        "CPU 0: time goes back by 1.000 us: times from the page before on are wrong by up to as much.",
      ],
    ],
  );
  const damaged = read([{ cpu: 0, bytes: twice((view) => view.setUint32(8, 5000, true)) }]);
  assert.equal(damaged.rows.length, 1);
  assert.equal(damaged.counts.undecoded, 1);
  const short = read([{ cpu: 0, bytes: good, entries: 3 }]);
  assert.deepEqual(
    short.defects.map(({ code }) => code),
    ["ring-count-mismatch"],
  );
});

test("header_page and saved_cmdlines", () => {
  const text = (commit: number, data: string): string =>
    `\tfield: u64 timestamp;\toffset:0;\tsize:8;\tsigned:0;\n\tfield: local_t commit;\toffset:8;\tsize:${commit};\tsigned:1;\n` +
    `\tfield: int overwrite;\toffset:8;\tsize:1;\tsigned:1;\n\tfield: char data;\t${data}\tsigned:1;\n`;
  assert.deepEqual(parseHeaderPage(text(8, "offset:16;\tsize:4080;")), DEFAULT_LAYOUT);
  assert.deepEqual(parseHeaderPage(text(4, "offset:12;\tsize:4084;")), layouts[1]);
  assert.equal(parseHeaderPage(text(8, "offset:16;\tsize:99999999;")), null);
  assert.equal(parseHeaderPage(text(2, "offset:10;\tsize:4080;")), null);
  assert.equal(parseHeaderPage(""), null);
  assert.deepEqual(
    [...parseSavedCmdlines("12 two words\nnot a line\n7 a-b\n")],
    [
      [0, "<idle>"],
      [12, "two words"],
      [7, "a-b"],
    ],
  );
});
