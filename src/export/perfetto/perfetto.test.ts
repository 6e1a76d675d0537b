import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import fc from "fast-check";
import { EventKind } from "../../model/collected.js";
import type { LiveUpdate } from "../../model/live-update.js";
import { SPAN_KINDS, type Span, SpanFlag, spanAt } from "../../model/span-table.js";
import {
  chunkOf,
  type EventRow,
  fixtureDocument,
  fixturePrintk,
  fixtureUpdate,
  span,
  spans,
} from "../../testing/fakes/perfetto-fixture.js";
import {
  pathOf,
  protoFile,
  protoFolder,
  type ReadSlice,
  type ReadTrace,
  type ReadTrack,
  reread,
  tracksNamed,
} from "../../testing/oracles/perfetto-reread.js";
import { type PerfettoCounts, type PerfettoEventFeed, writePerfetto } from "./perfetto.js";

const NEW_TIDS = 4_194_304;

function written(
  update: LiveUpdate,
  events: PerfettoEventFeed | null = null,
): { bytes: Uint8Array; counts: PerfettoCounts; pieces: readonly Uint8Array[] } {
  const pieces: Uint8Array[] = [];
  const counts = writePerfetto(update, events, (piece) => pieces.push(piece));
  const bytes = Buffer.concat(pieces);
  assert.equal(counts.bytes, bytes.length);
  return { bytes, counts, pieces };
}

function read(update: LiveUpdate, events: PerfettoEventFeed | null = null): ReadTrace & { counts: PerfettoCounts } {
  const { bytes, counts } = written(update, events);
  const trace = reread(bytes);
  assert.equal(counts.packets, trace.packets);
  const all = [...trace.tracks.values()];
  assert.equal(
    counts.slices,
    all.reduce((sum, { slices }) => sum + slices.length, 0),
  );
  assert.equal(
    counts.instants,
    all.reduce((sum, { instants }) => sum + instants.length, 0),
  );
  return { ...trace, counts };
}

const zeroOf = (trace: ReadTrace): number => trace.attributes.get("blackout.axis_zero_ns") as number;

/** The children of a track by rank. */
function children(trace: ReadTrace, parent: ReadTrack): readonly ReadTrack[] {
  return [...trace.tracks.values()]
    .filter((track) => track.parent === parent.uuid)
    .sort((a, b) => (a.rank ?? 0) - (b.rank ?? 0));
}

/** A span as the trace has it, without what only the track shows. */
function comparable(row: Span): string {
  const onThread = ["function", "userspace", "syscall"].includes(row.kind);
  return JSON.stringify([
    row.kind,
    row.name,
    row.beginNs,
    row.endNs,
    row.cpu < 0 ? null : row.cpu,
    row.detail,
    onThread || row.pid < 0 ? null : row.pid,
    onThread ? "" : row.task,
    row.evidence,
    row.action,
    (row.flags & SpanFlag.beginUnseen) !== 0,
    (row.flags & SpanFlag.endUnseen) !== 0,
    (row.flags & SpanFlag.inferred) !== 0,
  ]);
}

function comparableSlice(slice: ReadSlice, zero: number): string {
  const { cpu, detail, pid, task, evidence, action, object, begin_unseen, end_unseen, inferred } = slice.annotations;
  return JSON.stringify([
    slice.category,
    object ?? slice.name,
    slice.beginNs - zero,
    (slice.endNs ?? Number.NaN) - zero,
    cpu ?? null,
    detail ?? "",
    pid ?? null,
    task ?? "",
    evidence ?? "",
    action ?? "",
    begin_unseen ?? false,
    end_unseen ?? false,
    inferred ?? false,
  ]);
}

const DOCUMENT_KINDS = ["blackout", "phase", "seam"];

/** Every span of the table is in the trace once, and nothing else of a span's category. */
function assertSpansReread(update: LiveUpdate, trace: ReadTrace): void {
  const { spans: table } = update;
  const wanted = Array.from({ length: table.count }, (_, row) => spanAt(table, row)).filter(
    ({ kind }) => !DOCUMENT_KINDS.includes(kind),
  );
  const found = [...trace.tracks.values()]
    .flatMap((track) => [...track.slices, ...track.instants])
    .filter(
      ({ category, annotations }) =>
        (SPAN_KINDS as readonly string[]).includes(category) &&
        !DOCUMENT_KINDS.includes(category) &&
        annotations.session === undefined &&
        annotations.stamp_ns === undefined,
    );
  assert.deepEqual(
    found.map((slice) => comparableSlice(slice, zeroOf(trace))).sort(),
    wanted.map((row) => comparable({ ...row, name: wellFormed(row.name), detail: wellFormed(row.detail) })).sort(),
  );
}

const wellFormed = (text: string): string => Buffer.from(text).toString();

const plain = fixtureUpdate({ spans, printk: fixturePrintk });

test("the document's phases, blackout and seam are slices with the document's own nanoseconds", () => {
  const trace = read(plain);
  const zero = zeroOf(trace);
  assert.equal(zero, 1e15);
  const slices = tracksNamed(trace, "Phases").flatMap((track) => track.slices);
  assert.deepEqual(
    slices
      .map(({ name, beginNs, endNs }) => ({ name, beginNs: beginNs - zero, durationNs: (endNs as number) - beginNs }))
      .sort((a, b) => a.beginNs - b.beginNs),
    fixtureDocument.phases.map(({ name, beginNs, durationNs }) => ({ name, beginNs, durationNs })),
  );
  const kexec = slices.find(({ name }) => name === "kexec") as ReadSlice;
  assert.equal(kexec.annotations.uncertainty_ns, 12_345);
  assert.equal(kexec.annotations.begin_source, "ring/trace:4711");

  const only = (name: string): ReadSlice => {
    const [track, ...more] = tracksNamed(trace, name);
    assert.deepEqual(more, []);
    assert.equal(track?.slices.length, 1);
    return track?.slices[0] as ReadSlice;
  };
  const blackout = only("Blackout");
  assert.equal((blackout.endNs as number) - blackout.beginNs, fixtureDocument.blackout.durationNs);
  assert.equal(blackout.beginNs, zero);
  assert.equal(blackout.annotations.basis, "vm-marks");
  const seam = only("Seam");
  assert.equal((seam.endNs as number) - seam.beginNs, fixtureDocument.seam.durationNs);
  assert.equal(seam.annotations.uncertainty_ns, 12_345);
});

test("below the live update's track all is in explicit order, and described", () => {
  const trace = read(plain);
  const root = tracksNamed(trace, "Live update plain")[0] as ReadTrack;
  assert.ok(root.ordered);
  assert.match(root.description, /completed: .* clock-pairs, ± 12345 ns/);
  const below = children(trace, root);
  const firsts = [...new Set(below.map(({ name }) => name))];
  assert.deepEqual(firsts, [
    "Blackout",
    "Phases",
    "Seam",
    "Sessions",
    "VMs",
    "Kernel log (old)",
    "Kernel log (new)",
    "Initcalls (new)",
    "CPU hotplug (new)",
    "Markers (old)",
    "Markers (new)",
    "Defects",
    "CPUs",
  ]);
  for (const { rank, name } of below) assert.notEqual(rank, null, name);
  const session = tracksNamed(trace, "lab-0")[0] as ReadTrack;
  assert.deepEqual(
    [...new Set(children(trace, session).map(({ name }) => name))],
    ["calls", "0x100 memfd-v1", "0x101"],
  );
  const file = children(trace, session).find(({ name }) => name === "0x100 memfd-v1") as ReadTrack;
  assert.match(file.description, /4194304 bytes\. Preserve 9 ns, freeze 8 ns, retrieve 7 ns\./);
});

test("a session's last phase of the old boot flows into its first of the new", () => {
  const trace = read(plain);
  const slices = (tracksNamed(trace, "lab-0")[0] as ReadTrack).slices;
  assert.deepEqual(slices.find(({ name }) => name === "freeze")?.flows, [1]);
  assert.deepEqual(slices.find(({ name }) => name === "restore")?.terminatingFlows, [1]);
  assert.ok(
    slices.every(({ name }) => name !== "finish"),
    "an end that was not seen gives no slice",
  );
  const [finish] = (tracksNamed(trace, "lab-0")[0] as ReadTrack).instants;
  assert.equal(finish?.name, "finish begin (end not seen)");
});

test("every span of the table is a slice; an unseen end is clipped and marked", () => {
  const trace = read(plain);
  assertSpansReread(plain, trace);
  const unseen = [...trace.tracks.values()]
    .flatMap(({ slices }) => slices)
    .filter(({ annotations }) => annotations.end_unseen === true);
  assert.equal(unseen.length, 2);
});

test("overlapping spans of one lane are on several tracks of one name and parent", () => {
  const trace = read(plain);
  const initcalls = tracksNamed(trace, "Initcalls (new)");
  assert.equal(initcalls.length, 2);
  assert.equal(new Set(initcalls.map(({ parent }) => parent)).size, 1);
  // A token in decimal and in hexadecimal is one file.
  const files = tracksNamed(trace, "0x100 memfd-v1");
  assert.deepEqual(
    files.flatMap(({ slices }) => slices.map(({ name }) => name)),
    ["lab-0 0x100", "lab-0 256"],
  );
  assert.equal(new Set(files.map(({ parent }) => parent)).size, 1);
});

test("the same pid in the two boots is two threads of two processes", () => {
  const trace = read(plain);
  const threads = [...trace.tracks.values()].flatMap(({ thread }) => (thread === null ? [] : [thread]));
  assert.deepEqual(
    threads.map(({ tid, thread_name }) => [tid, thread_name]),
    [
      [1, "init (old)"],
      [1 + NEW_TIDS, "init (new)"],
    ],
  );
  const processes = [...trace.tracks.values()].flatMap(({ process }) => (process === null ? [] : [process]));
  assert.deepEqual(
    processes.map(({ process_name }) => process_name),
    ["old kernel 7.2.13-luo", "new kernel 7.3.4-luo"],
  );
  assert.deepEqual(
    threads.map(({ pid }) => pid),
    processes.map(({ pid }) => pid),
  );
  const idle = [...trace.tracks.values()].find(({ slices }) =>
    slices.some(({ name }) => name === "tick_nohz_idle_exit"),
  ) as ReadTrack;
  assert.deepEqual(pathOf(trace, idle), ["Live update plain", "CPUs", "CPU 1 Functions (new)"]);
});

test("marks, defects and log lines are instants; those without a time are counted, not dropped", () => {
  const trace = read(plain);
  const zero = zeroOf(trace);
  const [pause] = tracksNamed(trace, "Markers (old)").flatMap(({ instants }) => instants);
  assert.deepEqual([pause?.name, pause?.beginNs], ["luo: vm_pause", zero]);
  const [defects] = tracksNamed(trace, "Defects");
  assert.match(defects?.description ?? "", /At no known time: text-undecoded new\/trace ×2\./);
  const [defect] = defects?.instants ?? [];
  assert.deepEqual(
    [defect?.name, defect?.beginNs, defect?.annotations.advice, defect?.annotations.count],
    ["ring-lost", zero - 50_000_000, "Make the ring larger.", 12],
  );
  const [line] = tracksNamed(trace, "Kernel log (old)").flatMap(({ instants }) => instants);
  assert.equal(line?.name, "kexec_core: Starting new kernel");
  assert.equal(line?.annotations.severity, "notice");
  // The log line without a stamp and the defect without a time.
  assert.equal(trace.counts.unplaced, 2);
  assert.equal(trace.attributes.get("blackout.left_out.unplaced"), 2);
  assert.equal(trace.counts.printkOutside, 1);
  const left = tracksNamed(trace, "VM left").flatMap(({ instants }) => instants);
  assert.deepEqual(
    left.map(({ name, beginNs }) => [name, beginNs - zero]),
    [["left paused (resumed not seen)", 1_000_000]],
  );
});

test("the trace describes its capture", () => {
  const trace = read(plain);
  const wanted = {
    "blackout.capture": "plain",
    "blackout.kernel_old": "7.2.13-luo",
    "blackout.kernel_new": "7.3.4-luo",
    "blackout.clock_method": "clock-pairs",
    "blackout.clock_uncertainty_ns": 12_345,
    "blackout.duration_ns": 5_214_506_369,
    "blackout.duration_uncertainty_ns": 12_400,
    "blackout.label.workload": "memfd-2x2",
    "blackout.defects": 14,
  };
  for (const [key, value] of Object.entries(wanted)) assert.equal(trace.attributes.get(key), value, key);
  assert.deepEqual(trace.uname, { sysname: "Linux", release: "7.2.13-luo", machine: "x86_64" });
});

test("a capture that reaches back for weeks moves the zero, and nothing is below it", () => {
  const begin = -1e15 - 5;
  const trace = read(
    fixtureUpdate({ spans: [span({ kind: "notifier", name: "old", beginNs: begin, endNs: 3, boot: "old" })] }),
  );
  assert.equal(zeroOf(trace), 2e15);
  assert.equal(tracksNamed(trace, "Notifiers (old)")[0]?.slices[0]?.beginNs, 2e15 + begin);
});

const switchOf = (
  prev: readonly [comm: string, pid: number, state: string | number],
  next: readonly [comm: string, pid: number],
): EventRow["fields"] => ({
  prev_comm: prev[0],
  prev_pid: prev[1],
  prev_prio: 120,
  prev_state: prev[2],
  next_comm: next[0],
  next_pid: next[1],
  next_prio: "120",
});
const at = (
  ns: number,
  cpu: number,
  pid: number,
  comm: string,
  name: string,
  fields: EventRow["fields"],
): EventRow => ({
  ns,
  cpu,
  pid,
  comm,
  name,
  fields: fields ?? {},
});

const oldRows: readonly EventRow[] = [
  at(10, 0, 0, "<idle>", "sched_waking", { comm: "init", pid: 1, prio: "120", target_cpu: "000" }),
  at(20, 0, 0, "<idle>", "sched_switch", switchOf(["swapper/0", 0, "0x0 (0)"], ["luolab", 77])),
  at(25, 1, 33, "kworker/1:0", "workqueue_execute_start", { work: 4096n, function: "vmstat_update+0x0/0x70 (-1)" }),
  at(30, 0, 77, "luolab", "irq_handler_entry", { irq: "0x19 (25)", name: "virtio0-requests" }),
  at(40, 0, 77, "luolab", "irq_handler_exit", { irq: 25, ret: "handled" }),
  at(50, 0, 77, "luolab", "softirq_entry", { vec: "9" }),
  { ns: 55, cpu: 0, pid: 77, comm: "luolab", name: "print", kind: EventKind.marker, fields: { buf: "luo: vm_pause" } },
  at(57, 1, 33, "kworker/1:0", "kmem_cache_alloc", {}),
];
const newRows: readonly EventRow[] = [
  at(1000, 0, 20, "cpuhp/0", "cpuhp_enter", { cpu: "0000", target: "235", step: "194", fun: "fgraph_cpu_init" }),
  at(1010, 0, 20, "cpuhp/0", "cpuhp_exit", { cpu: 0, state: 235, idx: 194, ret: "-22" }),
  at(1020, 0, 20, "cpuhp/0", "sched_switch", switchOf(["cpuhp/0", 20, "S"], ["swapper/0", 0])),
  at(1030, 1, 77, "<...>", "sched_switch", switchOf(["<...>", 77, "R+"], ["other", 78])),
  at(1030, 1, 77, "", "softirq_raise", { vec: "RCU" }),
  at(1040, -1, 77, "", "softirq_raise", { vec: 9 }),
  at(Number.NaN, 1, 77, "", "softirq_raise", { vec: 9 }),
];
const feed: PerfettoEventFeed = (sink) => {
  sink(...chunkOf("old", oldRows));
  sink(...chunkOf("new", newRows.slice(0, 2)));
  sink(...chunkOf("new", newRows.slice(2)));
};

test("typed events become bundles by CPU, with separate tasks for the two boots; all others keep their names and fields", () => {
  const trace = read(plain, feed);
  const zero = zeroOf(trace);
  const lines = trace.ftrace
    .map(({ cpu, at, pid, name, fields }) => `${cpu} ${at - zero} ${pid} ${name} ${Object.values(fields).join(",")}`)
    .sort((a, b) => Number(a.split(" ")[0]) - Number(b.split(" ")[0]));
  assert.deepEqual(lines, [
    "0 10 0 sched_waking init,1,120,0",
    "0 20 0 sched_switch swapper/0,0,120,0,luolab,77,120",
    "0 30 77 irq_handler_entry 25,virtio0-requests",
    "0 40 77 irq_handler_exit 25,1",
    "0 50 77 softirq_entry 9",
    "0 55 77 print luo: vm_pause",
    // Not recorded: what was open when the old kernel's records end.
    "0 55 77 softirq_exit 9",
    "0 55 0 sched_switch luolab,77,16,swapper/0,0",
    `0 1000 ${20 + NEW_TIDS} cpuhp_enter 0,194,235`,
    `0 1010 ${20 + NEW_TIDS} cpuhp_exit 0,194,-22,235`,
    `0 1020 0 sched_switch swapper/0,0,0,cpuhp/0,${20 + NEW_TIDS}`,
    `0 1020 ${20 + NEW_TIDS} sched_switch cpuhp/0,${20 + NEW_TIDS},120,1,swapper/0,0,120`,
    "1 25 33 workqueue_execute_start 4096,vmstat_update",
    "1 57 33 kmem_cache_alloc ",
    `1 1030 ${77 + NEW_TIDS} sched_switch <...>,${77 + NEW_TIDS},120,256,other,${78 + NEW_TIDS},120`,
    `1 1030 ${77 + NEW_TIDS} softirq_raise RCU`,
    // Not recorded: what ran when the new kernel's records end.
    `1 1030 0 sched_switch other,${78 + NEW_TIDS},16,swapper/1,0`,
  ]);
  assert.equal(trace.counts.ftraceEvents, 10);
  assert.equal(trace.counts.ftraceClosing, 4);
  assert.equal(trace.counts.ftraceGeneric, 3);
  assert.equal(trace.counts.ftraceGraph, 0);
  assert.equal(trace.counts.ftraceUndecoded, 2);
  assert.equal(
    trace.counts.ftraceEvents + trace.counts.ftraceGeneric + trace.counts.ftraceGraph + trace.counts.ftraceUndecoded,
    oldRows.length + newRows.length,
  );
  assert.deepEqual(Object.fromEntries([...trace.threads].map(([tid, { name }]) => [tid, name])), {
    1: "init (old)",
    33: "kworker/1:0 (old)",
    77: "luolab (old)",
    [20 + NEW_TIDS]: "cpuhp/0 (new)",
    [78 + NEW_TIDS]: "other (new)",
  });
});

test("a row that is earlier than the last begins another bundle, and many rows are bundled in pieces", () => {
  const raise = (ns: number): EventRow => at(ns, 2, 5, "busy", "softirq_raise", { vec: 1 });
  const rows = [raise(100), raise(90), ...Array.from({ length: 5_000 }, (_, i) => raise(200 + i))];
  const trace = read(plain, (sink) => sink(...chunkOf("old", rows)));
  assert.deepEqual(
    trace.ftrace.map((event) => event.at - zeroOf(trace)),
    rows.map(({ ns }) => ns),
  );
});

test("without a clock link each boot has its own group, one after the other, and there is no blackout", () => {
  const unlinked = fixtureUpdate({
    document: {
      ...fixtureDocument,
      clock: { ...fixtureDocument.clock, method: "none", uncertaintyNs: null },
      blackout: { ...fixtureDocument.blackout, beginNs: 0, endNs: 9_000, durationNs: null, uncertaintyNs: null },
      phases: fixtureDocument.phases.map((phase) =>
        phase.name === "kexec"
          ? { ...phase, axis: null, beginNs: 61_830_094, endNs: 700, durationNs: null, uncertaintyNs: null }
          : phase.name === "restore" || phase.name === "finish"
            ? { ...phase, axis: "new", beginNs: 700, endNs: 900, durationNs: 200 }
            : { ...phase, axis: "old" },
      ),
      vms: [{ id: "vm", beginNs: 0, endNs: 9_000, durationNs: null }],
    },
    spans: spans.filter(({ boot }) => boot !== null),
    printk: fixturePrintk,
  });
  const trace = read(unlinked, feed);
  const [oldZero, newZero] = ["old", "new"].map((boot) => trace.attributes.get(`blackout.axis_zero_${boot}_ns`)) as [
    number,
    number,
  ];
  assert.equal(trace.attributes.get("blackout.axis_zero_ns"), undefined);
  assert.deepEqual(tracksNamed(trace, "Blackout"), []);
  assert.deepEqual(tracksNamed(trace, "Seam"), []);
  const roots = [...trace.tracks.values()].filter(({ name }) => name.startsWith("Live update"));
  assert.deepEqual(
    roots.map(({ name }) => name),
    ["Live update plain: 1 old boot, on its own axis", "Live update plain: 2 new boot, on its own axis"],
  );
  for (const { description } of roots) assert.match(description, /has no meaning/);
  const times = (boot: "old" | "new"): readonly number[] =>
    trace.ftrace
      .filter(({ pid }) => (boot === "old" ? pid > 0 && pid < NEW_TIDS : pid >= NEW_TIDS))
      .map(({ at }) => at);
  assert.ok(Math.min(...times("new")) - Math.max(...times("old")) >= 10e9);
  assert.equal(times("old")[0], oldZero + 30);
  assert.equal(times("new")[0], newZero + 1000);
  const [oldPhases, newPhases] = tracksNamed(trace, "Phases");
  assert.deepEqual(
    oldPhases?.slices.map(({ name }) => name),
    ["prepare", "freeze"],
  );
  assert.deepEqual(
    oldPhases?.instants.map(({ name, beginNs }) => [name, beginNs - oldZero]),
    [["kexec begin (end not seen)", 61_830_094]],
  );
  assert.deepEqual(
    newPhases?.instants.map(({ name, beginNs }) => [name, beginNs - newZero]),
    [["kexec end (begin not seen)", 700]],
  );
});

test("an empty update is still a trace", () => {
  const nothing = fixtureUpdate({
    document: {
      ...fixtureDocument,
      blackout: { ...fixtureDocument.blackout, basis: null, beginNs: null, endNs: null, durationNs: null },
      phases: fixtureDocument.phases.map((phase) => ({ ...phase, beginNs: null, endNs: null, durationNs: null })),
      seam: { beginNs: null, endNs: null, durationNs: null, uncertaintyNs: null },
      vms: [],
      sessions: [],
      defects: [],
    },
  });
  const trace = read(nothing);
  assert.equal(trace.counts.slices + trace.counts.instants, 0);
  assert.match(tracksNamed(trace, "Phases")[0]?.description ?? "", /missing of: prepare, freeze/);
});

const anySpan: fc.Arbitrary<Span> = fc
  .record({
    kind: fc.constantFrom(...SPAN_KINDS),
    beginNs: fc.oneof(fc.integer({ min: -30, max: 30 }), fc.integer({ min: -(10 ** 9), max: 10 ** 12 })),
    length: fc.oneof(fc.nat(20), fc.nat(10 ** 9)),
    name: fc.oneof(
      fc.constantFrom("luo_file_freeze", "lab-0 0x100", "lab-0 256", "lab-0"),
      fc.string({ unit: "binary" }),
    ),
    detail: fc.oneof(fc.constant(""), fc.string()),
    boot: fc.constantFrom("old", "new", null),
    cpu: fc.integer({ min: -1, max: 3 }),
    pid: fc.oneof(fc.integer({ min: -1, max: 3 }), fc.constant(4_194_303), fc.constant(2 ** 31 - 1)),
    task: fc.constantFrom("", "init", "<...>"),
    evidence: fc.constantFrom("", "kprobe", "function graph"),
    flags: fc.nat(7),
    parent: fc.integer({ min: -1, max: 30 }),
    action: fc.constantFrom("", "probe", "retrieve"),
  })
  .map(({ length, ...part }) => span({ ...part, endNs: part.beginNs + length }));

test("any span table is read back unchanged", () => {
  fc.assert(
    fc.property(fc.array(anySpan, { maxLength: 40 }), (rows) => {
      const update = fixtureUpdate({ spans: rows });
      assertSpansReread(update, read(update));
    }),
    { numRuns: 150 },
  );
});

test("spans at no time that can be drawn are counted", () => {
  const bad = [
    [Number.NaN, 1],
    [5, 4],
    [0, Number.POSITIVE_INFINITY],
    [0.5, 1],
  ] as const;
  const rows = bad.map(([beginNs, endNs]) => span({ beginNs, endNs, kind: "device", boot: "old" }));
  const { counts } = read(fixtureUpdate({ spans: rows, document: { ...fixtureDocument, defects: [] } }));
  assert.equal(counts.unplaced, bad.length);
});

test("pieces are passed on as they fill, and belong to the receiver", () => {
  const many = Array.from({ length: 30_000 }, (_, i) =>
    span({ name: `function_${i % 500}`, beginNs: i * 10, endNs: i * 10 + 7, boot: "old", pid: 5, cpu: 1 }),
  );
  const { pieces, bytes } = written(fixtureUpdate({ spans: many }));
  assert.ok(pieces.length >= 3);
  for (const piece of pieces) assert.ok(piece.length < 300_000);
  assert.equal(reread(bytes).packets > 60_000, true);
});

const protoc = spawnSync("protoc", ["--version"]).status === 0 ? false : "protoc is not installed";

test("protoc decodes every packet, knows every field, and reads the document's phases", { skip: protoc }, () => {
  const { bytes, counts } = written(plain, feed);
  const { stdout, stderr, status } = spawnSync(
    "protoc",
    ["--decode", "perfetto.protos.Trace", `--proto_path=${protoFolder}`, protoFile],
    { input: bytes, maxBuffer: 64 * 1024 * 1024, encoding: "utf8" },
  );
  assert.equal(status, 0, stderr);
  assert.doesNotMatch(stdout, /^\s*\d+(?::| \{)/m, "a field is not in the schema");
  const packets = stdout.split(/^packet \{$/m).slice(1);
  assert.equal(packets.length, counts.packets);

  const value = (text: string, key: string): string | undefined =>
    new RegExp(`^\\s*${key}: (.*)$`, "m").exec(text)?.[1];
  const zero = Number(/key: "blackout\.axis_zero_ns"\s+long_value: (\d+)/.exec(stdout)?.[1]);
  const phaseTracks = new Set(
    packets
      .filter((text) => /track_descriptor/.test(text) && value(text, "name") === '"Phases"')
      .map((text) => value(text, "uuid")),
  );
  const phases: { name: string | undefined; beginNs: number; durationNs: number }[] = [];
  const open = new Map<string | undefined, { name: string | undefined; beginNs: number }[]>();
  for (const text of packets) {
    const track = value(text, "track_uuid");
    if (!phaseTracks.has(track)) continue;
    const time = Number(value(text, "timestamp"));
    const stack = open.get(track) ?? [];
    open.set(track, stack);
    if (value(text, "type") === "TYPE_SLICE_BEGIN") {
      stack.push({ name: value(text, "name")?.slice(1, -1), beginNs: time - zero });
    } else {
      const begun = stack.pop() as { name: string | undefined; beginNs: number };
      phases.push({ ...begun, durationNs: time - zero - begun.beginNs });
    }
  }
  assert.deepEqual(
    phases.sort((a, b) => a.beginNs - b.beginNs),
    fixtureDocument.phases.map(({ name, beginNs, durationNs }) => ({ name, beginNs, durationNs })),
  );
});

test("a slice says what was done: of a file and a session the step, of a device the step beside its name", () => {
  const steps = [
    span({ kind: "file", name: "s 0x100", action: "preserve", beginNs: -30, endNs: -20, boot: "old" }),
    span({ kind: "file", name: "s 0x100", action: "retrieve", beginNs: 50, endNs: 60, boot: "new" }),
    span({ kind: "device", name: "e1000 0000:00:04.0", action: "shutdown", beginNs: 1, endNs: 5, boot: "old" }),
    span({ kind: "device", name: "e1000 0000:00:05.0", action: "", beginNs: 6, endNs: 7, boot: "old" }),
  ];
  const trace = read(fixtureUpdate({ spans: steps, printk: [] }));
  const slices = [...trace.tracks.values()].flatMap((track) => track.slices);
  assert.deepEqual(
    slices
      .filter(({ category }) => category === "file" || category === "device")
      .map(({ name, annotations }) => [name, annotations.object ?? null])
      .sort(),
    [
      ["e1000 0000:00:04.0 shutdown", "e1000 0000:00:04.0"],
      ["e1000 0000:00:05.0", null],
      ["preserve", "s 0x100"],
      ["retrieve", "s 0x100"],
    ],
  );
});
