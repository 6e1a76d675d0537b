/** Nothing is dropped silently: on every recording there is, what goes in is counted out again. */

import assert from "node:assert/strict";
import { basename } from "node:path";
import test from "node:test";
import type { DefectInput } from "../base/defect.js";
import { EventKind, type FieldValue } from "../model/collected.js";
import { documentFaults } from "../testing/fakes/document-faults.js";
import { shippedCohort, singleCaptures } from "../testing/places.js";
import { hiding, updateOfCapture, withFiles } from "../testing/samples/captures.js";
import { type CaptureBoot, readCapture } from "./capture/capture.js";
import { symbolName } from "./events/symbols.js";
import type { CaptureFiles } from "./files/files.js";
import { ftraceTextSource } from "./ftrace-text/ftrace-text.js";
import { eventSourceOf } from "./readers/sources.js";

const NEWLINE = 0x0a;

/** Lines of a file, the last one with or without a newline. */
function lineCount(files: CaptureFiles, path: string): number {
  const source = files.open(path);
  assert.ok(source !== null);
  const chunk = new Uint8Array(1 << 20);
  let lines = 0;
  let last = NEWLINE;
  for (let at = 0; ; ) {
    const got = source.read(chunk, at);
    if (got === 0) return last === NEWLINE ? lines : lines + 1;
    for (let i = chunk.indexOf(NEWLINE); i >= 0 && i < got; i = chunk.indexOf(NEWLINE, i + 1)) lines += 1;
    last = chunk[got - 1] as number;
    at += got;
  }
}

function textCounts(files: CaptureFiles, path: string): void {
  const source = files.open(path);
  assert.ok(source !== null);
  let rows = 0;
  let told = 0;
  const counts = ftraceTextSource({ boot: "old", source, clock: "local", eventNames: null }).read({
    chunk: ({ count }) => {
      rows += count;
    },
    defect: ({ code, count }) => {
      if (code === "text-undecoded") told += count ?? 1;
    },
  });
  const { lines, events, continuations, structural, undecoded } = counts;
  assert.equal(lines, lineCount(files, path), `${path}: lines read`);
  assert.equal(events + continuations + structural + undecoded, lines, `${path}: every line is in one of four`);
  assert.equal(rows, events, `${path}: events delivered`);
  assert.equal(told, undecoded, `${path}: each that cannot be decoded is a defect`);
}

function pagesHoldTheKernelsCount(own: CaptureBoot, files: CaptureFiles): void {
  const cpus = (own.buffer?.cpus ?? []).filter(({ pages, stats }) => pages !== null && stats?.entries != null);
  if (cpus.length === 0) return;
  const capture = readCapture(files);
  assert.ok(capture.ok);
  const source = eventSourceOf(own.boot, capture.value, files, { defect: () => {} });
  assert.equal(source?.dialect, "ring-buffer");
  const perCpu = new Map<number, number>();
  const counts = source?.read({
    chunk: ({ count, cpu }) => {
      for (let i = 0; i < count; i++) perCpu.set(cpu[i] as number, (perCpu.get(cpu[i] as number) ?? 0) + 1);
    },
    defect: () => {},
  });
  assert.equal(counts?.undecoded, 0);
  for (const { cpu, stats } of cpus) assert.equal(perCpu.get(cpu) ?? 0, stats?.entries, `${own.boot} cpu${cpu}`);
}

for (const path of [...singleCaptures(), ...shippedCohort("base"), ...shippedCohort("devices")]) {
  test(`what goes in comes out: ${path.includes("cohorts") ? path.split("/").slice(-2).join("/") : basename(path)}`, () =>
    withFiles(path, (files) => {
      const { capture, update } = updateOfCapture(files);
      assert.deepEqual(documentFaults(update.document), []);
      for (const text of files.paths.filter((each) => /(?:^|\/)trace$/.test(each))) textCounts(files, text);
      for (const own of Object.values(capture.boots)) if (own !== null) pagesHoldTheKernelsCount(own, files);
    }));
}

interface Row {
  time: bigint;
  cpu: number;
  pid: number;
  comm: string;
  name: string;
  kind: number;
  fields: Map<string, FieldValue>;
}

function oldRows(files: CaptureFiles): readonly Row[] {
  const capture = readCapture(files);
  assert.ok(capture.ok);
  const rows: Row[] = [];
  const defects: DefectInput[] = [];
  eventSourceOf("old", capture.value, files, { defect: (found) => defects.push(found) })?.read({
    chunk: (chunk) => {
      for (let i = 0; i < chunk.count; i++) {
        rows.push({
          time: chunk.base + BigInt(chunk.time[i] as number),
          cpu: chunk.cpu[i] as number,
          pid: chunk.pid[i] as number,
          comm: chunk.strings.stringOf(chunk.comm[i] as number),
          name: chunk.strings.stringOf(chunk.name[i] as number),
          kind: chunk.kind[i] as number,
          fields: new Map(chunk.fields(i)),
        });
      }
    },
    defect: (found) => defects.push(found),
  });
  assert.deepEqual(defects, []);
  return rows;
}

/** As the kernel prints it: an entry whose exit is its CPU's next event becomes one line. */
function folded(rows: readonly Row[]): readonly Row[] {
  const last = new Map<number, Row>();
  return rows.filter((row) => {
    const before = last.get(row.cpu);
    last.set(row.cpu, row);
    const closes =
      before?.kind === EventKind.graphEntry &&
      row.kind === EventKind.graphExit &&
      before.pid === row.pid &&
      before.fields.get("depth") === row.fields.get("depth");
    if (closes) before.kind = EventKind.graphLeaf;
    return !closes;
  });
}

function sameValue(name: string, a: FieldValue | undefined, b: FieldValue | undefined): boolean {
  if (name === "func") return symbolName(String(a)) === symbolName(String(b));
  return String(a).trimEnd() === String(b).trimEnd();
}

test("in `plain` the ring's pages and its text give the same events, times and fields", () =>
  withFiles(singleCaptures().find((path) => path.endsWith("plain.tar.gz")) as string, (files) => {
    const pages = folded(oldRows(files));
    const text = oldRows(hiding(files, /^ring\/.*trace_pipe_raw$/));
    assert.equal(pages.length, text.length);
    assert.ok(text.length > 3_000);
    let compared = 0;
    text.forEach((printed, i) => {
      const row = pages[i] as Row;
      const where = `${i}: ${row.name} ${printed.name}`;
      assert.deepEqual(
        [row.name, row.kind, row.cpu, row.pid, row.comm],
        [printed.name, printed.kind, printed.cpu, printed.pid, printed.comm],
        where,
      );
      const off = row.time - printed.time;
      assert.ok(off > -1_000n && off < 1_000n, `${where}: ${off} ns`);
      for (const [name, value] of printed.fields) {
        assert.ok(sameValue(name, row.fields.get(name), value), `${where}.${name}: ${row.fields.get(name)} ${value}`);
        compared += 1;
      }
    });
    assert.ok(compared > 10_000);
  }));
