import assert from "node:assert/strict";
import { test } from "node:test";
import { deflateSync, gzipSync } from "node:zlib";
import fc from "fast-check";
import { memorySource } from "../../base/bytes/byte-source.js";
import type { DefectInput } from "../../base/defect.js";
import { EventKind, type FieldValue, type ReadCounts } from "../../model/collected.js";
import { concat, ftrace, message, type PacketPart, packed, packet } from "../../testing/fakes/perfetto-packets.js";
import { USUAL_READER_LIMITS } from "../files/reader-limits.js";
import { readTrace } from "../readers/trace-file.js";
import { isPerfetto } from "./packets.js";
import { openPerfetto } from "./perfetto-trace.js";

interface Row {
  readonly time: bigint;
  readonly cpu: number;
  readonly task: string;
  readonly name: string;
  readonly kind: number;
  readonly fields: Readonly<Record<string, FieldValue>>;
}

/** `events`: as many are held before the times are read first. */
function read(
  bytes: Uint8Array,
  events?: number,
  limits = USUAL_READER_LIMITS,
  groups = 1 << 16,
): { rows: Row[]; defects: DefectInput[]; counts: ReadCounts; clock: string } {
  const found = openPerfetto(
    memorySource("x.pftrace", bytes),
    "old",
    limits,
    events === undefined ? undefined : { events, groups },
  );
  assert.ok(found.ok, found.ok ? "" : found.error);
  const rows: Row[] = [];
  const defects: DefectInput[] = [];
  const counts = found.value.source().read({
    defect: (defect) => defects.push(defect),
    chunk(chunk) {
      for (let row = 0; row < chunk.count; row++) {
        rows.push({
          time: chunk.base + BigInt(chunk.time[row] as number),
          cpu: chunk.cpu[row] as number,
          task: `${chunk.strings.stringOf(chunk.comm[row] as number)}-${chunk.pid[row]}`,
          name: chunk.strings.stringOf(chunk.name[row] as number),
          kind: chunk.kind[row] as number,
          fields: Object.fromEntries(chunk.fields(row)),
        });
      }
    },
  });
  return { rows, defects, counts, clock: found.value.clock };
}

const SWITCH = message([1, "init"], [2, 1], [3, 120], [4, 256], [5, "kworker/0:1"], [6, 33], [7, 100]);

test("typed events of several CPUs come in time order, with their tasks' names", () => {
  const { rows, defects, clock } = read(
    concat(
      packet([
        1,
        message([1, 1], ftrace(3000, 33, 24, message([1, 9])), ftrace(4000, 33, 25, message([1, 9])), [5, 3]),
      ]),
      packet([1, message([1, 0], ftrace(2000, 1, 4, SWITCH), ftrace(3500, 0, 37, message([1, 4], [2, 1])))]),
    ),
  );
  assert.deepEqual(defects, []);
  assert.equal(clock, "local");
  assert.deepEqual(
    rows.map(({ time, cpu, task, name }) => [time, cpu, task, name]),
    [
      [2000n, 0, "init-1", "sched_switch"],
      [3000n, 1, "kworker/0:1-33", "softirq_entry"],
      [3500n, 0, "<idle>-0", "irq_handler_exit"],
      [4000n, 1, "kworker/0:1-33", "softirq_exit"],
    ],
  );
  assert.deepEqual(rows[0]?.fields, {
    prev_comm: "init",
    prev_pid: 1,
    prev_prio: 120,
    prev_state: 256,
    next_comm: "kworker/0:1",
    next_pid: 33,
    next_prio: 100,
  });
});

test("generic events and those that describe themselves", () => {
  const generic = message(
    [1, "luo_open"],
    [2, message([1, "path"], [3, "/dev/x"])],
    [2, message([1, "ret"], [4, -22])],
  );
  const descriptor = message(
    [1, "InitcallStartFtraceEvent"],
    [2, message([1, "func"], [3, 1], [5, 9])],
    [2, message([1, "level"], [3, 2], [5, 3])],
  );
  const { rows, defects } = read(
    packet([
      1,
      message(
        [1, 0],
        [11, message([1, 65_536], [2, descriptor])],
        ftrace(1, 5, 327, generic),
        ftrace(2, 5, 65_536, message([1, "acpi_init"], [2, -3])),
      ),
    ]),
  );
  assert.deepEqual(defects, []);
  assert.deepEqual(
    rows.map(({ name, fields }) => [name, fields]),
    [
      ["luo_open", { path: "/dev/x", ret: -22 }],
      ["InitcallStart", { func: "acpi_init", level: -3 }],
    ],
  );
});

test("kernel symbols are those of the packet's sequence, until its state is cleared", () => {
  const intern = (iid: number, name: string): readonly [number, PacketPart] => [
    12,
    message([26, message([1, iid], [2, name])]),
  ];
  const bundle = (time: number): readonly [number, PacketPart] => [
    1,
    message(
      [1, 0],
      ftrace(time, 5, 437, message([1, 0], [2, 1])),
      ftrace(time + 1, 5, 438, message([1, time], [2, 0], [3, 1], [5, time + 1])),
    ),
  ];
  const { rows } = read(
    concat(
      packet([10, 7], [13, 1], intern(1, "vfs_read"), bundle(10)),
      packet([10, 8], [13, 2], bundle(20)),
      packet([10, 7], [13, 3], intern(1, "vfs_write"), bundle(30)),
    ),
  );
  assert.deepEqual(
    rows.map(({ kind, fields }) => [kind, fields.func, fields.duration]),
    [
      [EventKind.graphEntry, "vfs_read", undefined],
      [EventKind.graphExit, "vfs_read", 1],
      [EventKind.graphEntry, "0x1", undefined],
      [EventKind.graphExit, "0x1", 1],
      [EventKind.graphEntry, "vfs_write", undefined],
      [EventKind.graphExit, "vfs_write", 1],
    ],
  );
});

test("compact scheduling is spread out again", () => {
  const compact = message(
    [5, "a"],
    [5, "b"],
    [1, packed(1000, 50)],
    [2, packed(1, 2)],
    [3, packed(11, 12)],
    [4, packed(120, 100)],
    [6, packed(0, 1)],
    [7, packed(1020)],
    [8, packed(12)],
    [9, packed(3)],
    [10, packed(100)],
    [11, packed(1)],
  );
  const { rows } = read(packet([1, message([1, 2], [4, compact])]));
  assert.deepEqual(
    rows.map(({ time, name, task, fields }) => [
      time,
      name,
      task,
      fields.next_pid ?? fields.pid,
      fields.next_comm ?? fields.comm,
    ]),
    [
      // The task before a CPU's first switch is unknown.
      [1000n, "sched_switch", "--1", 11, "a"],
      [1020n, "sched_waking", "a-11", 12, "b"],
      [1050n, "sched_switch", "a-11", 12, "b"],
    ],
  );
});

test("packed packets and packed files hold the same", () => {
  const plain = concat(
    packet([1, message([1, 0], ftrace(2n ** 60n - 7n, 1, 4, SWITCH))]),
    packet([1, message([1, 0], ftrace(2n ** 60n, 33, 408, message([1, "hello"])))]),
  );
  const expected = read(plain).rows;
  assert.equal(expected.length, 2);
  assert.deepEqual(read(packet([50, deflateSync(plain)])).rows, expected);
  assert.deepEqual(read(gzipSync(plain)).rows, expected);
  assert.ok(isPerfetto(plain));
  const text = readTrace(memorySource("trace", new TextEncoder().encode("\n# tracer: nop\n")), { defect: () => {} });
  assert.equal(text.ok && text.value.what, "ftrace text");
});

test("lost, unknown or cut parts are reported, and the rest is read", () => {
  const good = packet([1, message([1, 0], ftrace(1, 1, 4, SWITCH))]);
  const told = (bytes: Uint8Array): [string[], number] => {
    const { defects, rows } = read(bytes);
    return [defects.map(({ code }) => code), rows.length];
  };
  assert.deepEqual(told(concat(good, packet([1, message([1, 0], [3, 1], ftrace(2, 1, 4, SWITCH))]))), [
    ["perfetto-lost-events"],
    2,
  ]);
  assert.deepEqual(told(concat(good, packet([1, message([1, 0], ftrace(2, 1, 999, SWITCH))]))), [
    ["perfetto-unknown-event"],
    1,
  ]);
  assert.deepEqual(told(concat(good, packet([1, message([1, 0], [2, message([2, 5])])]))), [["perfetto-damaged"], 1]);
  assert.deepEqual(told(concat(good, good.subarray(0, good.length - 3))), [["perfetto-truncated"], 1]);
  assert.deepEqual(told(concat(good, Uint8Array.of(7, 7, 7))), [["perfetto-truncated"], 1]);
  assert.deepEqual(told(concat(good, packet([50, Uint8Array.of(1, 2, 3)]))), [["perfetto-damaged"], 1]);
});

const switched = (next: string, pid: number): Uint8Array =>
  message([1, "init"], [2, 1], [3, 120], [4, 256], [5, next], [6, pid], [7, 100]);

/** Packets of bundles, each with some events from a time on; names change, some packets are packed. */
const someTrace = fc
  .array(
    fc.record({
      cpu: fc.nat({ max: 2 }),
      from: fc.nat({ max: 1_000 }),
      steps: fc.array(fc.nat({ max: 40 }), { maxLength: 6 }),
      packed: fc.boolean(),
      name: fc.constantFrom("kworker", "qemu", "luod"),
    }),
    { maxLength: 30 },
  )
  .map((bundles) =>
    concat(
      ...bundles.map(({ cpu, from, steps, packed: isPacked, name }) => {
        let time = 1_000_000 + from;
        const events = steps.map((step, i) => {
          time += step;
          return i % 2 === 0 ? ftrace(time, 33, 24, message([1, i])) : ftrace(time, 1, 4, switched(name, 33));
        });
        const one = packet([1, message([1, cpu], ...events)]);
        return isPacked ? packet([50, deflateSync(one)]) : one;
      }),
    ),
  );

test("property: however few events are held, they come as if all were sorted at once", () => {
  fc.assert(
    fc.property(
      someTrace,
      fc.integer({ min: 1, max: 60 }),
      fc.constantFrom(2, 4, 6, 1 << 16),
      (bytes, events, groups) => {
        if (bytes.length === 0) return;
        assert.deepEqual(read(bytes, events, USUAL_READER_LIMITS, groups), read(bytes));
      },
    ),
    { numRuns: 200 },
  );
});

test("a trace in order is read whatever its length: the limit is of what is held", () => {
  const packets = Array.from({ length: 1_000 }, (_, i) =>
    packet([1, message([1, i % 2], ...[0, 1, 2].map((j) => ftrace(10_000 + 10 * i + 7 * j, 33, 24, message([1, 9]))))]),
  );
  const limits = { ...USUAL_READER_LIMITS, "perfetto-events": 20 };
  const { rows, defects } = read(concat(...packets), 10, limits);
  assert.deepEqual(defects, []);
  assert.equal(rows.length, 3_000);
  // All of one CPU before all of the other: none can be handed on before the end.
  const apart = concat(...packets.filter((_, i) => i % 2 === 1), ...packets.filter((_, i) => i % 2 === 0));
  const cut = read(apart, 10, limits);
  assert.deepEqual([cut.rows.length, cut.defects[0]?.code], [20, "perfetto-too-many"]);
});
