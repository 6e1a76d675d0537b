import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { memorySource } from "../../base/bytes/byte-source.js";
import { openCaptureFiles } from "../../collect/capture/capture-files.js";
import type { BoundFilter } from "../../collect/event-filter/event-filter.js";
import { readTrace } from "../../collect/readers/trace-file.js";
import { writePerfettoEvents } from "../../export/perfetto/perfetto-events.js";
import type { EventChunk } from "../../model/collected.js";
import type { TraceFile } from "../../model/traces/trace-file.js";
import { writeTraceDat6, writeTraceDat7 } from "../../testing/fakes/trace-dat-writer.js";
import { recordedTraceDat } from "../../testing/oracles/recorded-trace-dat.js";
import { traces } from "../../testing/places.js";
import { filterFrom, filterOfTrace } from "./event-filter-option.js";

function boundTo(text: string): BoundFilter {
  const asked = filterFrom({ filter: text, name: [] });
  assert.ok(asked.ok, asked.ok ? "" : asked.error);
  const bound = filterOfTrace(asked.value, "local");
  assert.ok(bound.ok && bound.value !== null);
  return bound.value;
}

const content = await recordedTraceDat();

/** Every row that a trace gives, as text, with all columns; `filter` null: all. */
function rowsOf(trace: TraceFile, filter: string | null, pushed: boolean): string[] {
  const rows: string[] = [];
  for (const part of trace.parts) {
    const bound = filter === null ? null : boundTo(filter);
    part.source(pushed ? bound?.records : undefined).read({
      defect: () => {},
      chunk: (chunk) => {
        for (let row = 0; row < chunk.count; row++) {
          if (bound === null || bound.matches(chunk, row, Number.NaN)) rows.push(rowText(chunk, row));
        }
      },
    });
  }
  return rows;
}

function rowText(chunk: EventChunk, row: number): string {
  const of = (column: { readonly [row: number]: number }): string => chunk.strings.stringOf(column[row] as number);
  const time = chunk.base + BigInt(Math.round(chunk.time[row] as number));
  return [chunk.cpu[row], chunk.pid[row], of(chunk.comm), of(chunk.name), time, chunk.kind[row], chunk.text(row)].join(
    "|",
  );
}

const FILTERS = [
  "event=sched_*",
  "event!=sched_*",
  "event=sched_switch,irq_handler_*",
  "event=print,funcgraph_*",
  "cpu=1",
  "!cpu=1",
  "pid=144",
  "pid!=0",
  "pid=100..200 cpu=0",
  "pid>=15 pid<144",
  "time=6.5..6.6",
  "time>=6.6",
  "time<5.9",
  "time=..5.9 || time=6.6..",
  "!(time>5.9 && time<6.6)",
  "time=6.5966..6.597 event=sched_* cpu=0",
  "(cpu=0 && event=sched_switch) || (cpu=1 && pid=15)",
  "!(event=sched_* || cpu=0)",
  ".next_pid=15",
  ".next_comm=rcu* || .prev_comm=rcu*",
  "task='<idle>'",
  "event=nothing_*",
];

async function ringText(): Promise<Uint8Array> {
  const files = await openCaptureFiles(join(traces, "plain.tar.gz"));
  assert.ok(files.ok);
  const bytes = files.value.bytes("ring/trace", 1 << 28, { defect: () => {} });
  files.value.close();
  assert.ok(bytes !== null);
  return bytes;
}

function perfettoOf(dat: Uint8Array): Uint8Array {
  const trace = opened("trace.dat", dat);
  const parts: Uint8Array[] = [];
  writePerfettoEvents(
    (sink) => {
      trace.parts[0]?.source().read({
        defect: () => {},
        chunk: (chunk) =>
          sink(
            chunk,
            Float64Array.from(chunk.time.subarray(0, chunk.count), (at) => Number(chunk.base) + at),
          ),
      });
    },
    { name: "x", release: null, machine: null, clockNote: null },
    (bytes) => parts.push(Uint8Array.from(bytes)),
  );
  return Buffer.concat(parts);
}

function opened(name: string, bytes: Uint8Array): TraceFile {
  const found = readTrace(memorySource(name, bytes), { defect: () => {} });
  assert.ok(found.ok, found.ok ? "" : found.error);
  return found.value;
}

const dat6 = writeTraceDat6(content);
const inputs: Readonly<Record<string, Uint8Array>> = {
  "trace.dat version 6": dat6,
  "trace.dat version 7, zlib": writeTraceDat7(content, "zlib"),
  "trace.dat, shifted": writeTraceDat6({
    ...content,
    options: [{ id: 7, data: new TextEncoder().encode("-1000000000\0") }],
  }),
  "ftrace text": await ringText(),
  "Perfetto trace": perfettoOf(dat6),
};

for (const [name, bytes] of Object.entries(inputs)) {
  test(`${name}: a reader that has the filter leaves out no event that matches`, () => {
    const trace = opened(name, bytes);
    const all = rowsOf(trace, null, false).length;
    let some = 0;
    for (const filter of FILTERS) {
      const expected = rowsOf(trace, filter, false);
      assert.deepEqual(rowsOf(trace, filter, true), expected, filter);
      if (expected.length > 0 && expected.length < all) some += 1;
    }
    assert.ok(some >= FILTERS.length / 2, `${some} of ${FILTERS.length} filters choose some of ${all}`);
  });
}

test("a filter of six decimals takes what the kernel prints so", () => {
  const trace = opened("trace.dat", dat6);
  const [first = ""] = rowsOf(trace, null, false);
  const ns = BigInt(first.split("|")[4] ?? "");
  const us = (ns + 500n) / 1000n;
  const printed = `${us / 1_000_000n}.${String(us % 1_000_000n).padStart(6, "0")}`;
  assert.ok(rowsOf(trace, `time=${printed}`, true).includes(first));
  assert.ok(!rowsOf(trace, `time>${printed}`, true).includes(first));
  assert.ok(rowsOf(trace, `time=${ns}ns`, true).includes(first));
});
