/**
 * Every reader of what another machine wrote, on mutated inputs: it yields events, defects or an error, and never an
 * exception; in 2 s at most, and 4 times the input's memory and 64 MiB. 20,000 inputs each; FUZZ_RUNS for more (a
 * million
 * takes some minutes a reader: `FUZZ_RUNS=1000000 node --test --test-name-pattern='pages' dist/collect/fuzz.test.js`).
 */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { deflateSync, gzipSync } from "node:zlib";
import { memorySource } from "../base/bytes/byte-source.js";
import type { EventSource } from "../model/collected.js";
import { concat, ftrace, message, packed, packet } from "../testing/fakes/perfetto-packets.js";
import { payloadOf, writePages } from "../testing/fakes/ring-pages.js";
import { smallTraceDat, writeTraceDat6, writeTraceDat7 } from "../testing/fakes/trace-dat-writer.js";
import { FUZZ_RUNS, type Fuzzing, fuzz } from "../testing/fuzz.js";
import { projectRoot, traces } from "../testing/places.js";
import { readQemuLog } from "./agents/qemu-log.js";
import { parseFormatFiles } from "./formats/event-format.js";
import { ownerOf, readPstoreLog } from "./kernel-log/pstore.js";
import { readTrace } from "./readers/trace-file.js";
import { DEFAULT_LAYOUT, ringBufferSource } from "./ring-buffer/ring-buffer.js";

async function report(context: TestContext, fuzzing: Omit<Fuzzing, "runs" | "seed">): Promise<void> {
  const { runs, slowestMs, grownBytes } = await fuzz({ ...fuzzing, runs: FUZZ_RUNS, seed: 20_261 });
  const grown = `${(grownBytes / 2 ** 20).toFixed(0)} MiB`;
  context.diagnostic(`${runs.toLocaleString("en")} inputs, the slowest ${slowestMs.toFixed(0)} ms, grown by ${grown}`);
}

/** Reads all of a source, and prints a row of each chunk. */
function drain(source: EventSource): { rows: number; events: number } {
  let rows = 0;
  const { events } = source.read({
    defect: () => {},
    chunk(chunk) {
      rows += chunk.count;
      const at = chunk.count >> 1;
      chunk.text(at);
      chunk.fields(at);
      if ((chunk.name[at] as number) >= chunk.strings.size || (chunk.comm[at] as number) >= chunk.strings.size) {
        assert.fail("a name that is not in the table");
      }
    },
  });
  return { rows, events };
}

/** A file of any dialect. */
function readAny(bytes: Uint8Array): void {
  const found = readTrace(memorySource("fuzzed", bytes), { defect: () => {} });
  if (!found.ok) return;
  for (const part of found.value.parts) {
    const { rows, events } = drain(part.source());
    assert.equal(rows, events);
  }
}

const text = (value: string): Uint8Array => new TextEncoder().encode(value);
const words = (...values: readonly number[]): Uint8Array => new Uint8Array(Uint32Array.from(values).buffer);

test("raw pages", async (context) => {
  const line = (name: string, offset: number, size: number): string =>
    `\tfield:${name};\toffset:${offset};\tsize:${size};\tsigned:0;\n`;
  const formats = parseFormatFiles(
    [7, 8, 300].map((id) => ({
      system: "test",
      text: `name: event_${id}\nID: ${id}\nformat:\n${line("unsigned short common_type", 0, 2)}${line("int common_pid", 4, 4)}\n${line("__data_loc char[] what", 8, 4)}${line("u32 value", 12, 4)}\nprint fmt: "%s value=%u", __get_str(what), REC->value\n`,
    })),
    "formats",
    { defect: () => {} },
  );
  const records = Array.from({ length: 300 }, (_, i) => {
    const rest = new Uint8Array(12 + (i % 130));
    new DataView(rest.buffer).setUint32(0, (4 << 16) | 16, true);
    return {
      time: BigInt(i) << (i % 9 === 0 ? 30n : 12n),
      payload: payloadOf([7, 8, 300][i % 3] as number, i, rest, true),
    };
  });
  const sorted = [...records].sort((a, b) => Number(a.time - b.time));
  const seeds = [false, true].map((longAlways) =>
    writePages(sorted, { layout: DEFAULT_LAYOUT, littleEndian: true, longAlways, absolute: longAlways }),
  );
  const rowsOf = (bytes: Uint8Array): { rows: number; events: number } => {
    const half = Math.floor(bytes.length / 8192) * 4096;
    return drain(
      ringBufferSource({
        boot: "old",
        cpus: [bytes.subarray(0, half), bytes.subarray(half)].map((part, cpu) => ({
          cpu,
          source: memorySource(`cpu${cpu}`, part),
          entries: null,
        })),
        formats,
        layout: DEFAULT_LAYOUT,
        symbols: () => null,
        comms: new Map(),
        clock: "local",
      }),
    );
  };
  await report(context, {
    seeds,
    // Headers of every kind: padding, extended and absolute stamps, long records, and commits with and without losses.
    pieces: [words(29), words(61, 4), words(30, 0xffff_ffff), words(31, 1), words(0, 8, 7), words(0x8000_0010, 0)],
    read(bytes) {
      const found = rowsOf(bytes);
      assert.equal(found.rows, found.events);
      assert.ok(found.rows <= bytes.length / 4);
    },
  });
});

test("trace.dat, both versions, packed and not", async (context) => {
  await report(context, {
    seeds: [
      writeTraceDat6(smallTraceDat(true, 8)),
      writeTraceDat7(smallTraceDat(true, 8), "none"),
      writeTraceDat7(smallTraceDat(true, 8), "zlib"),
      writeTraceDat7(smallTraceDat(true, 8), "zstd"),
      writeTraceDat7(smallTraceDat(false, 4), "zlib"),
    ],
    pieces: [text("options  \0"), text("flyrecord\0"), text("latency  \0"), words(0xffff, 3), words(0x0010_0003)],
    read: readAny,
  });
});

test("Perfetto traces, packed and not", async (context) => {
  const descriptor = message([1, "X"], [2, message([1, "f"], [3, 1], [5, 9])]);
  const switched = message([1, "a"], [2, 1], [3, 120], [4, 1], [5, "b"], [6, 2], [7, 120]);
  const whole = concat(
    packet([10, 7], [13, 1], [12, message([26, message([1, 1], [2, "vfs_read"])])]),
    packet([
      1,
      message(
        [1, 0],
        [11, message([1, 65_536], [2, descriptor])],
        ftrace(1, 5, 65_536, message([1, "a"])),
        ftrace(2, 1, 4, switched),
      ),
    ]),
    packet([
      1,
      message(
        [1, 1],
        [4, message([5, "a"], [1, packed(1000, 50)], [2, packed(1, 2)], [3, packed(11, 12)], [6, packed(0, 0)])],
      ),
    ]),
    packet([50, deflateSync(packet([1, message([1, 0], ftrace(9, 1, 329, message([1, 5], [2, 7])))]))]),
  );
  await report(context, {
    seeds: [whole, whole, gzipSync(whole)],
    pieces: [
      Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1),
      Uint8Array.of(0x0a, 0xff, 0xff, 0xff, 0x7f),
      packet([50, deflateSync(new Uint8Array(100_000))]),
      packed(1 << 28, 5),
    ],
    read: readAny,
  });
});

test("ftrace's text", async (context) => {
  const samples = join(projectRoot, "src/collect/ftrace-text/samples");
  await report(context, {
    seeds: readdirSync(samples)
      .filter((name) => !name.includes(".golden."))
      .map((name) => readFileSync(join(samples, name)).subarray(0, 8192)),
    pieces: [
      "\n",
      " ",
      "|",
      "[000]",
      "99999999999999999999",
      ": ",
      "/*",
      "*/",
      " => ",
      "# ",
      "(",
      "{",
      "}",
      "\0",
      "=",
      "\u00e9",
    ].map(text),
    read: readAny,
  });
});

const logPieces = [
  "\n",
  " ",
  "[",
  "]",
  ".",
  "@",
  ":",
  "ECC: ",
  "Panic#1 Part1\n",
  "====1.1-C\n",
  "<4>",
  "\0",
  "\x1b[",
  "\u00e9",
];

test("what pstore kept, and kernel logs as traces", async (context) => {
  const crash = join(traces, "dialects/pstore-crash");
  await report(context, {
    seeds: readdirSync(crash).map((name) => readFileSync(join(crash, name)).subarray(-1024)),
    pieces: logPieces.map(text),
    read(bytes, run) {
      if (run % 2 === 0) {
        readAny(bytes);
        return;
      }
      const { lines, counts } = readPstoreLog(memorySource("fuzzed", bytes), "dmesg");
      assert.equal(lines.length, counts.events);
      ownerOf({ type: "console", lines }, { old: [], new: [], newBootReached: false });
    },
  });
});

test("QEMU's log", async (context) => {
  const folder = join(traces, "dialects/qemu");
  await report(context, {
    seeds: [
      ...readdirSync(folder).map((name) => readFileSync(join(folder, name)).subarray(0, 2048)),
      text("2026-11-29T19:47:01.919843Z runstate_set current_run_state 9 (running) new_state 4 (paused)\n"),
      text("7@100.001020:vmstate_downtime_load type=non-iterable idstr=a instance_id=0 downtime=1000\n"),
    ],
    pieces: [...logPieces, "qemu_loadvm_state_section 4\n", "idstr=", "downtime=-1", "9999999999"].map(text),
    read(bytes, run) {
      if (run % 4 === 0) readAny(bytes);
      const { spans } = readQemuLog(memorySource("fuzzed", bytes), run % 2 === 0 ? "old" : "new", { defect: () => {} });
      assert.ok(spans.every(({ beginNs, endNs }) => beginNs <= endNs));
    },
  });
});
