/** QEMU's log: of a guest that one QEMU 7.2 saved and another loaded, and lines of newer ones by QEMU's source. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import fc from "fast-check";
import { memorySource } from "../../base/bytes/byte-source.js";
import type { DefectInput } from "../../base/defect.js";
import { traces } from "../../testing/places.js";
import { MAX_LINE_BYTES } from "../files/line-blocks.js";
import { stampedTextSource } from "../kernel-log/stamped-text.js";
import { readTrace } from "../readers/trace-file.js";
import { qemuFields, qemuLogLines, qemuLogName, readQemuLog } from "./qemu-log.js";
import type { VmmFacts } from "./vmm-log.js";

const sample = (boot: "old" | "new"): Uint8Array => readFileSync(join(traces, `dialects/qemu/qemu.${boot}.log`));
const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);

function logOf(
  text: string | Uint8Array,
  boot: "old" | "new",
): { readonly log: VmmFacts; readonly codes: readonly string[] } {
  const defects: DefectInput[] = [];
  const source = memorySource("qemu.log", typeof text === "string" ? bytesOf(text) : text);
  const log = readQemuLog(source, boot, { defect: (found) => defects.push(found) });
  return { log, codes: defects.map(({ code }) => code) };
}

interface Row {
  readonly ns: bigint | null;
  readonly pid: number;
  readonly name: string;
  readonly text: string;
  readonly line: number;
}

function rowsOf(bytes: Uint8Array): { readonly rows: readonly Row[]; readonly codes: readonly string[] } {
  const rows: Row[] = [];
  const codes: string[] = [];
  const found = readTrace(memorySource("qemu.log", bytes), { defect: () => {} });
  assert.ok(found.ok, found.ok ? "" : found.error);
  assert.deepEqual([found.value.what, found.value.parts[0]?.clock], ["QEMU log", "realtime"]);
  const source = found.value.parts[0]?.source();
  assert.ok(source !== undefined);
  source.read({
    defect: ({ code }) => codes.push(code),
    chunk(chunk) {
      for (let row = 0; row < chunk.count; row++) {
        const since = chunk.time[row] as number;
        rows.push({
          ns: Number.isNaN(since) ? null : chunk.base + BigInt(since),
          pid: chunk.pid[row] as number,
          name: chunk.strings.stringOf(chunk.name[row] as number),
          text: chunk.text(row),
          line: chunk.place[row] as number,
        });
      }
    },
  });
  return { rows, codes };
}

test("logs are identified by their names", () => {
  assert.deepEqual(qemuLogName("qemu.old.log"), { vm: null, boot: "old" });
  assert.deepEqual(qemuLogName("qemu-web1.new.log"), { vm: "web1", boot: "new" });
  assert.deepEqual(qemuLogName("qemu-a.old.new.log"), { vm: "a.old", boot: "new" });
  for (const other of ["qemu.log", "qemu-.old.log", "qemu-/x.old.log", "qemu.old.log.gz"])
    assert.equal(qemuLogName(other), null);
});

test("every line of the recorded logs is an event, as a regular expression reads it", () => {
  for (const boot of ["old", "new"] as const) {
    const lines = new TextDecoder().decode(sample(boot)).trimEnd().split("\n");
    const { rows, codes } = rowsOf(sample(boot));
    assert.deepEqual(codes, []);
    assert.deepEqual(
      rows,
      lines.map((line, i) => {
        const [, pid, seconds, micros, name, text] = /^(\d+)@(\d+)\.(\d{6}):(\w+) ?(.*)$/.exec(line) ?? [];
        const ns = BigInt(`${seconds}${micros}000`);
        return { ns, pid: Number(pid), name, text, line: i + 1 };
      }),
    );
  }
});

test("in the old kernel the VM stops once and for all; each save is the device's", () => {
  const { log, codes } = logOf(sample("old"), "old");
  assert.deepEqual(codes, []);
  const { transition, spans } = log;
  assert.deepEqual(
    [transition?.what, transition?.event, transition?.line],
    ["stopped", "runstate_set running → paused", 3],
  );
  const text = new TextDecoder().decode(sample("old"));
  const starts = [...text.matchAll(/savevm_section_start (.*), section_id/g)].map((match) => match[1]);
  assert.deepEqual(
    spans.map(({ device }) => device),
    starts,
  );
  assert.ok(spans.every(({ action, inferred, beginNs, endNs }) => action === "save" && !inferred && beginNs <= endNs));
  const e1000 = spans.find(({ device }) => device.endsWith("/e1000"));
  const at = (event: string): bigint => {
    const [, seconds, micros] = new RegExp(`@(\\d+)\\.(\\d{6}):${event} \\S+/e1000, section_id`).exec(text) ?? [];
    return BigInt(`${seconds}${micros}000`);
  };
  assert.deepEqual([e1000?.beginNs, e1000?.endNs], [at("savevm_section_start"), at("savevm_section_end")]);
});

test("in the new kernel the VM runs again; loads end with their last state, else where the next section begins", () => {
  const { log, codes } = logOf(sample("new"), "new");
  assert.deepEqual(codes, []);
  assert.deepEqual([log.transition?.what, log.transition?.event], ["resumed", "runstate_set paused → running"]);
  const saved = new Set(logOf(sample("old"), "old").log.spans.map(({ device }) => device));
  const loaded = new Set(log.spans.map(({ device }) => device));
  assert.deepEqual([...loaded].sort(), [...saved].sort(), "the same devices");
  const ram = log.spans.filter(({ device }) => device === "ram");
  assert.ok(ram.length > 1 && ram.every(({ inferred }) => inferred), "RAM has no states");
  const e1000 = log.spans.find(({ device }) => device.endsWith("/e1000"));
  assert.equal(e1000?.inferred, false);
  for (let i = 1; i < log.spans.length; i++) {
    assert.ok((log.spans[i]?.beginNs ?? 0n) >= (log.spans[i - 1]?.endNs ?? 0n), "one after the other");
  }
});

/** As printed in a mail to qemu-devel on vmstate_downtime_save; QEMU 8.2 and later. */
const DOWNTIME_SAVE = `252812@1721976657.700972:vmstate_downtime_checkpoint src-downtime-start
252812@1721976657.829180:vmstate_downtime_checkpoint src-vm-stopped
252812@1721976657.967987:vmstate_downtime_save type=iterable idstr=ram instance_id=0 downtime=138005
252812@1721976658.093218:vmstate_downtime_save type=iterable idstr=0000:00:02.0/vfio instance_id=0 downtime=125188
252812@1721976658.318125:vmstate_downtime_checkpoint src-iterable-saved
`;

test("a newer QEMU logs how long each device took, and when the VM stopped", () => {
  const { log } = logOf(DOWNTIME_SAVE, "old");
  assert.deepEqual(
    log.spans.map(({ device, beginNs, endNs }) => [device, endNs - beginNs, endNs]),
    [
      ["ram", 138_005_000n, 1_721_976_657_967_987_000n],
      ["0000:00:02.0/vfio", 125_188_000n, 1_721_976_658_093_218_000n],
    ],
  );
  assert.deepEqual(
    [log.transition?.event, log.transition?.realtimeNs],
    ["vmstate_downtime_checkpoint src-vm-stopped", 1_721_976_657_829_180_000n],
  );
  const stamp = "7@100.000010:";
  const loaded = logOf(
    `${stamp}qemu_loadvm_state_section_startfull 4(0000:00:02.0/vfio) 0 1\n7@100.000900:vmstate_load 0000:00:02.0/vfio, (old)\n7@100.001020:vmstate_downtime_load type=non-iterable idstr=0000:00:02.0/vfio instance_id=0 downtime=1000\n7@100.002000:qemu_loadvm_state_section 4\n7@100.003000:vmstate_downtime_checkpoint dst-precopy-bh-vm-started\n`,
    "new",
  ).log;
  assert.deepEqual(
    loaded.spans.map(({ device, beginNs, endNs, inferred }) => [device, beginNs, endNs, inferred]),
    [["0000:00:02.0/vfio", 100_000_010_000n, 100_001_020_000n, false]],
    "once, although both its section and its downtime show it",
  );
  assert.equal(loaded.transition?.event, "vmstate_downtime_checkpoint dst-precopy-bh-vm-started");
});

test("a VM that ran again in the old kernel is not stopped; of the new one's runs the first counts", () => {
  const states = (...pairs: readonly (readonly [string, string])[]): string =>
    pairs
      .map(([from, to], i) => `1@${i + 1}.000000:runstate_set current_run_state 0 (${from}) new_state 0 (${to})\n`)
      .join("");
  assert.equal(logOf(states(["running", "paused"], ["paused", "running"]), "old").log.transition, null);
  assert.equal(
    logOf(states(["running", "paused"], ["paused", "running"], ["running", "finish-migrate"]), "old").log.transition
      ?.line,
    3,
  );
  assert.equal(
    logOf(states(["paused", "running"], ["running", "paused"], ["paused", "running"]), "new").log.transition?.line,
    1,
  );
});

test("stamps of newer QEMUs, and none at all", () => {
  const iso =
    "2026-11-29T19:47:01.919843Z runstate_set current_run_state 9 (running) new_state 4 (paused)\n2026-11-29T19:47:02Z vm_state_notify running 0 reason 4 (paused)\n2026-11-29T19:47:03.000001Z Invalid read at addr 0x0\n";
  const { rows, codes } = rowsOf(bytesOf(iso));
  const ms = BigInt(Date.UTC(2026, 10, 29, 19, 47, 1));
  assert.deepEqual(
    rows.map(({ ns, pid, name }) => [ns, pid, name]),
    [
      [ms * 1_000_000n + 919_843_000n, -1, "runstate_set"],
      [(ms + 1_000n) * 1_000_000n, -1, "vm_state_notify"],
    ],
  );
  assert.deepEqual(codes, []);
  const bare = "runstate_set current_run_state 9 (running) new_state 4 (paused)\n";
  assert.equal(qemuLogLines(bare.split("\n")), 1);
  assert.deepEqual([rowsOf(bytesOf(bare)).rows[0]?.ns, logOf(bare, "old").log.transition], [null, null]);
  assert.deepEqual(logOf(bare, "old").codes, ["qemu-log-no-time"]);
});

test("lines that are not events are reported, and the rest is read", () => {
  const line = "1@2.000003:vm_state_notify running 0 reason 4 (paused)\n";
  const odd = `${line}IN: \n99999999999@1.000000:a_b\n1@2.5:a_b\n${"x".repeat(MAX_LINE_BYTES + 1)}\n${line}`;
  const { rows, codes } = rowsOf(bytesOf(odd));
  assert.deepEqual(
    rows.map(({ line }) => line),
    [1, 6],
  );
  assert.deepEqual(codes, Array(4).fill("qemu-log-undecoded"));
});

test("fields of events that are understood, and of others", () => {
  const fields = (name: string, text: string) => Object.fromEntries(qemuFields(name, text));
  assert.deepEqual(fields("savevm_section_end", "0000:00:02.0/e1000, section_id 30 -> 0"), {
    idstr: "0000:00:02.0/e1000",
    section: 30,
    ret: 0,
  });
  assert.deepEqual(fields("runstate_set", "current_run_state 9 (running) new_state 4 (paused)"), {
    from: "running",
    to: "paused",
  });
  assert.deepEqual(fields("savevm_state_header", ""), {});
  assert.deepEqual(fields("vfio_region_write", "a b=c"), { text: "a b=c" });
});

test("the rows do not depend on how the file is cut into blocks, and every line is counted once", () => {
  const old = sample("old").subarray(0, 3_000);
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 500 }), fc.array(fc.nat(2_999), { maxLength: 5 }), (block, cuts) => {
      const bytes = old.slice();
      for (const at of cuts) bytes[at] = 0x0a;
      const read = (blockBytes: number) => {
        const texts: string[] = [];
        const source = stampedTextSource({
          ...{ boot: "old", source: memorySource("x", bytes), blockBytes },
          dialect: {
            name: "qemu-log",
            eventName: "line",
            parse(_, begin, end, line) {
              line.begin = begin;
              line.end = end;
              line.seconds = 1;
              return "event";
            },
            fields: () => new Map(),
            undecoded: { code: "x", severity: "note", message: "x", advice: "x" },
            untimed: { code: "x", severity: "note", message: "x", advice: "x" },
          },
        });
        const counts = source.read({
          defect: () => {},
          chunk(chunk) {
            for (let row = 0; row < chunk.count; row++) texts.push(chunk.text(row));
          },
        });
        assert.equal(counts.lines, counts.events + counts.structural + counts.undecoded);
        return texts;
      };
      assert.deepEqual(read(block), read(1 << 20));
    }),
    { numRuns: 200 },
  );
});
