/**
 * Raw pages against the kernel's own text of the same buffer, line by line and byte by byte, in every capture that
 * holds both. What may differ, and why:
 *
 * - old ring, task names: the kernel that prints knows the pids of its own boot, not those of the one before
 *   (trace_find_cmdline), so the name's column is left out of the comparison; the names in the pages' own boot are
 * right.
 * - old ring, addresses: the printing kernel moves them to where the same code lies in itself (trace_adjust_address),
 * so
 *   the number in parentheses behind a symbol is greater by the difference of the two kernels' load addresses: the same
 *   for every number, which the test checks.
 * - the boots ran different builds: the text shows other events and symbols than were recorded. Nothing is compared.
 * - the ring was on a clock that the new kernel had to restore: it reset the boot CPU's buffer and shows none of the
 *   rest (reference 5.5 of the recordings). The text holds no line at all.
 */

import assert from "node:assert/strict";
import { basename } from "node:path";
import { test } from "node:test";
import type { DefectInput } from "../../base/defect.js";
import type { Boot } from "../../base/time.js";
import { singleCaptures } from "../../testing/places.js";
import { type Capture, readCapture, sameBuild } from "../capture/capture.js";
import { openCaptureFiles } from "../capture/capture-files.js";
import type { CaptureFiles } from "../files/files.js";
import { eventSourceOf } from "../readers/sources.js";
import { durationColumn, KernelLines, type TraceLayout } from "./kernel-lines.js";
import { RecordChunk } from "./record-chunk.js";

/** The lines of a trace file but for its header; the last one's newline ends the file. */
function kernelLines(files: CaptureFiles, path: string): { readonly layout: TraceLayout; readonly lines: string[] } {
  const bytes = files.bytes(path, 1 << 30, { defect: (defect) => assert.fail(defect.message) });
  assert.ok(bytes !== null);
  const text = new TextDecoder("latin1").decode(bytes);
  const layout = text.startsWith("# tracer: function_graph") ? "function_graph" : "nop";
  const lines = text
    .replace(/\n$/, "")
    .split("\n")
    .filter((line) => !line.startsWith("#"));
  return { layout, lines: lines.length === 1 && lines[0] === "" ? [] : lines };
}

function ownLines(boot: Boot, capture: Capture, files: CaptureFiles, layout: TraceLayout): string[] {
  const defects: DefectInput[] = [];
  const source = eventSourceOf(boot, capture, files, { defect: (defect) => defects.push(defect) });
  assert.ok(source !== null && source.dialect === "ring-buffer");
  const lines: string[] = [];
  const printer = new KernelLines({ layout, clock: source.clock, previousBoot: boot === "old", cpus: 2 }, (line) =>
    lines.push(...(line.includes("\n") ? line.split("\n") : [line])),
  );
  source.read({
    defect: (defect) => defects.push(defect),
    chunk: (chunk) => {
      assert.ok(chunk instanceof RecordChunk);
      printer.chunk(chunk);
    },
  });
  printer.finish();
  // Some captures have lost events, which are reported; nothing else may be undecoded.
  assert.deepEqual(
    defects.filter(({ code }) => code !== "ring-cpu-missing" && code !== "ring-overwritten"),
    [],
  );
  // The kernel's file is bytes: a name that is not UTF-8 is compared as bytes.
  return lines.map((line) => Buffer.from(line, "utf8").toString("latin1"));
}

const TASK_COLUMN = 16;
const MOVED = /(\+0x[0-9a-f]+\/0x[0-9a-f]+ \()(-?\d+)\)/g;

function assertSameButMoved(own: readonly string[], kernel: readonly string[]): void {
  const shifts = new Set<bigint>();
  assert.equal(own.length, kernel.length);
  for (const [i, line] of own.entries()) {
    const printed = kernel[i] as string;
    const numbers = [...printed.matchAll(MOVED)].map((match) => BigInt(match[2] as string));
    for (const [n, match] of [...line.matchAll(MOVED)].entries()) {
      shifts.add(BigInt.asIntN(64, (numbers[n] ?? 0n) - BigInt(match[2] as string)));
    }
    const bare = (text: string): string => text.slice(TASK_COLUMN).replace(MOVED, "$1)");
    assert.equal(bare(line), bare(printed), `line ${i + 1}`);
  }
  assert.ok(shifts.size <= 1, `addresses are moved by ${[...shifts].join(", ")}`);
  // KASLR moves a kernel by multiples of CONFIG_PHYSICAL_ALIGN, 2 MiB here.
  for (const shift of shifts) assert.equal(shift % (1n << 21n), 0n);
}

for (const path of singleCaptures()) {
  test(`${basename(path)}: the pages print as the kernel printed them`, async (context) => {
    const files = await openCaptureFiles(path);
    assert.ok(files.ok);
    try {
      const capture = readCapture(files.value);
      assert.ok(capture.ok);
      let compared = 0;
      for (const boot of ["old", "new"] as const) {
        const buffer = capture.value.boots[boot]?.buffer;
        if (buffer?.text == null || !buffer.cpus.some(({ pages }) => pages !== null)) continue;
        const { layout, lines } = kernelLines(files.value, buffer.text);
        if (boot === "old" && (!sameBuild(capture.value) || lines.length === 0)) continue;
        const own = ownLines(boot, capture.value, files.value, layout);
        if (boot === "old") assertSameButMoved(own, lines);
        else assert.deepEqual(own, lines);
        compared += lines.length;
      }
      context.diagnostic(`${compared} lines compared`);
      if (!/^(?:panic|.*tsc-persistent.*|v7\d-v7\d.*)$/.test(basename(path))) assert.ok(compared > 0);
    } finally {
      files.value.close();
    }
  });
}

test("durations are printed in seven figures with their mark", () => {
  assert.equal(durationColumn(7n), "  0.007 us    |  ");
  assert.equal(durationColumn(10_001n), "+ 10.001 us   |  ");
  assert.equal(durationColumn(1_234_567n), "# 1234.567 us |  ");
  assert.equal(durationColumn(123_456_789n), "@ 123456.7 us |  ");
  assert.equal(durationColumn(12_345_678_901n), "$ 12345678 us |  ");
});
