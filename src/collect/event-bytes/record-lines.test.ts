import assert from "node:assert/strict";
import { test } from "node:test";
import { memorySource } from "../../base/bytes/byte-source.js";
import { seededRandom } from "../../base/numbers/random.js";
import { EVENT_KIND_NAMES } from "../../cli/trace/event-lines.js";
import { traceEventJson } from "../../cli/trace/trace-events.js";
import type { EventKind } from "../../model/collected.js";
import { writeTraceDat6 } from "../../testing/fakes/trace-dat-writer.js";
import { recordedTraceDat } from "../../testing/oracles/recorded-trace-dat.js";
import { readTrace } from "../readers/trace-file.js";
import { KernelLines } from "../ring-buffer/kernel-lines.js";
import { RecordChunk } from "../ring-buffer/record-chunk.js";
import { ByteWriter, writeDecimal, writeHex } from "./byte-writer.js";
import { JsonLines } from "./json-lines.js";
import { RecordLines } from "./record-lines.js";

const content = await recordedTraceDat();

/** The lines of all rows, as text and as bytes. */
function bothOf(bytes: Uint8Array, clock: string): { readonly asText: string; readonly asBytes: string } {
  const found = readTrace(memorySource("x", bytes), { defect: () => {} });
  assert.ok(found.ok);
  let asText = "";
  const blocks: Buffer[] = [];
  for (const part of found.value.parts) {
    const lines = new KernelLines({ layout: "nop", clock, previousBoot: false, cpus: 1 }, (line) => {
      asText += `${line}\n`;
    });
    const records = new RecordLines({ clock, safe: (line) => line, write: (block) => blocks.push(Buffer.from(block)) });
    part.source().read({
      defect: () => {},
      chunk(chunk) {
        assert.ok(chunk instanceof RecordChunk);
        lines.chunk(chunk);
        records.rows(chunk, null, Number.POSITIVE_INFINITY);
      },
    });
    lines.finish();
    records.finish();
  }
  return { asText, asBytes: Buffer.concat(blocks).toString("utf8") };
}

test("the bytes of a recording's lines are those of its text", () => {
  for (const clock of ["local", "x86-tsc"]) {
    const { asText, asBytes } = bothOf(writeTraceDat6(content), clock);
    assert.ok(asText.length > 100_000);
    assert.equal(asBytes, asText, clock);
  }
});

test("the bytes of damaged records are those of their text", () => {
  const random = seededRandom(7);
  for (let run = 0; run < 20; run++) {
    const bytes = Uint8Array.from(writeTraceDat6(content));
    const pages = content.buffers.flatMap(({ cpus }) => cpus).reduce((sum, { length }) => sum + length, 0);
    for (let i = 0; i < 2_000; i++) {
      bytes[bytes.length - 1 - Math.floor(random.uniform() * pages)] = Math.floor(random.uniform() * 256);
    }
    const { asText, asBytes } = bothOf(bytes, "local");
    assert.equal(asBytes, asText, `run ${run}`);
  }
});

/** The same of JSON; `slow` counts the rows that were made as text. */
function jsonOf(bytes: Uint8Array): { readonly asText: string; readonly asBytes: string; readonly slow: number } {
  const found = readTrace(memorySource("x", bytes), { defect: () => {} });
  assert.ok(found.ok);
  let [asText, slow] = ["", 0];
  const blocks: Buffer[] = [];
  for (const part of found.value.parts) {
    const line = traceEventJson(part);
    const records = new JsonLines({
      tail: `,"clock":${JSON.stringify(part.clock)},"instance":${JSON.stringify(part.name)}}`,
      kindOf: (kind) => EVENT_KIND_NAMES[kind as EventKind],
      slow: (chunk, row) => {
        slow += 1;
        return line(chunk, row, Number.NaN);
      },
      write: (block) => blocks.push(Buffer.from(block)),
    });
    part.source().read({
      defect: () => {},
      chunk(chunk) {
        assert.ok(chunk instanceof RecordChunk);
        for (let row = 0; row < chunk.count; row++) asText += `${line(chunk, row, Number.NaN)}\n`;
        records.rows(chunk, null, Number.POSITIVE_INFINITY);
      },
    });
    records.finish();
  }
  return { asText, asBytes: Buffer.concat(blocks).toString("utf8"), slow };
}

test("the bytes of JSON are those of its text, of whole and of damaged records", () => {
  const whole = jsonOf(writeTraceDat6(content));
  assert.equal(whole.asBytes, whole.asText);
  assert.ok(whole.slow * 4 < whole.asText.split("\n").length, `${whole.slow} rows were made as text`);
  const random = seededRandom(11);
  for (let run = 0; run < 10; run++) {
    const bytes = Uint8Array.from(writeTraceDat6(content));
    const pages = content.buffers.flatMap(({ cpus }) => cpus).reduce((sum, { length }) => sum + length, 0);
    for (let i = 0; i < 2_000; i++) {
      bytes[bytes.length - 1 - Math.floor(random.uniform() * pages)] = Math.floor(random.uniform() * 256);
    }
    const { asText, asBytes } = jsonOf(bytes);
    assert.equal(asBytes, asText, `run ${run}`);
  }
});

test("numbers are written as the kernel prints them", () => {
  const random = seededRandom(3);
  const bytes = new Uint8Array(64);
  const view = new DataView(bytes.buffer);
  const textTo = (end: number): string => Buffer.from(bytes.subarray(0, end)).toString("latin1");
  const edges = [0, 1, 9, 10, 99, 100, 999_999_999, 1e9, 2 ** 31 - 1, 2 ** 31, 2 ** 32, Number.MAX_SAFE_INTEGER];
  for (const value of [...edges, ...Array.from({ length: 2_000 }, () => Math.floor(random.uniform() ** 9 * 2 ** 53))]) {
    for (const width of [0, 3, 12, 20]) {
      assert.equal(textTo(writeDecimal(bytes, 0, value, width, 0x20)), String(value).padStart(width));
      assert.equal(textTo(writeDecimal(bytes, 0, value, width, 0x30)), String(value).padStart(width, "0"));
    }
    const [high, low] = [Math.floor(value / 2 ** 32) | 0, value | 0];
    for (const count of [1, 2, 7, 8, 9, 15, 16]) {
      const digits = value.toString(16).padStart(16, "0").slice(-count);
      assert.equal(textTo(writeHex(view, 0, high, low, count)), digits);
    }
  }
});

test("a writer grows without losing what it holds", () => {
  const out = new ByteWriter();
  let expected = "";
  for (let i = 0; i < 5_000; i++) {
    out.text(`${i} é\n`);
    expected += `${i} é\n`;
  }
  assert.equal(Buffer.from(out.bytes.subarray(0, out.at)).toString("utf8"), expected);
});
