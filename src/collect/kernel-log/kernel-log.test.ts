import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { memorySource } from "../../base/bytes/byte-source.js";
import type { DefectInput } from "../../base/defect.js";
import { traces } from "../../testing/places.js";
import { readTrace } from "../readers/trace-file.js";
import { kernelLogEvidence } from "./kernel-log.js";
import { readKmsg } from "./kmsg.js";
import { readPstoreLog } from "./pstore.js";

const read = (name: string): Uint8Array => readFileSync(join(traces, "dialects/pstore-crash", name));

/** Each row's time, text and place, and the defects. */
function rowsOf(bytes: Uint8Array) {
  const rows: (readonly [number, string, number])[] = [];
  const defects: DefectInput[] = [];
  const found = readTrace(memorySource("log", bytes), { defect: () => {} });
  assert.ok(found.ok, found.ok ? "" : found.error);
  assert.deepEqual([found.value.what, found.value.parts[0]?.clock], ["kernel log", "printk"]);
  const counts = found.value.parts[0]?.source().read({
    defect: (defect) => defects.push(defect),
    chunk(chunk) {
      for (let row = 0; row < chunk.count; row++) {
        assert.equal(chunk.strings.stringOf(chunk.name[row] as number), "printk");
        rows.push([Number(chunk.base) + (chunk.time[row] as number), chunk.text(row), chunk.place[row] as number]);
      }
    },
  });
  return { rows, defects, counts };
}

test("a log's lines are events on printk's clock: the same as the capture's reader finds", () => {
  const dmesg = rowsOf(read("dmesg"));
  const kmsg = readKmsg(memorySource("log", read("dmesg")), "old", { defect: () => {} });
  assert.deepEqual(
    dmesg.rows,
    kmsg.map(({ stampNs, text, line }) => [stampNs, text, line]),
  );
  assert.deepEqual(dmesg.defects, []);
  for (const [name, type] of [
    ["dmesg-ramoops-0", "dmesg"],
    ["console-ramoops-0", "console"],
  ] as const) {
    const kept = readPstoreLog(memorySource("log", read(name)), type);
    const { rows, counts } = rowsOf(read(name));
    assert.deepEqual(
      rows,
      kept.lines.map(({ stampNs, text, line }) => [stampNs, text, line]),
    );
    assert.equal(counts?.undecoded, kept.counts.undecoded);
  }
});

test("other text is not a kernel log", () => {
  const linesOf = (text: string): number => kernelLogEvidence(text.split("\n")).lines;
  for (const text of ["", "\n\n", "a\nb\n", "{}", "# tracer: nop\n", "Nov 30 10:00:00 host sshd[7]: kernel: no\n"]) {
    assert.equal(linesOf(text), 0, JSON.stringify(text));
  }
  assert.equal(linesOf("torn\n<4>[    1.000000] c\n"), 1);
});
