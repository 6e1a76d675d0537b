import assert from "node:assert/strict";
import test from "node:test";
import type { BufferStats } from "./buffer-stats.js";
import type { CaptureBoot, CpuBuffer, TraceBuffer } from "./capture.js";
import { absentCpuDefects, reservedBytes, ringLosses, unsavedCpuDefects } from "./ring-loss.js";

const stats = (part: Partial<BufferStats> = {}): BufferStats => ({
  entries: 0,
  overrun: 0,
  commitOverrun: 0,
  bytes: 0,
  droppedEvents: 0,
  readEvents: 0,
  oldest: null,
  now: null,
  ...part,
});
const buffer = (clock: TraceBuffer["clock"], cpus: readonly Partial<CpuBuffer>[]): TraceBuffer => ({
  folder: "ring",
  clock,
  text: null,
  cpus: cpus.map((part, cpu) => ({
    cpu,
    pages: `ring/per_cpu/cpu${cpu}/trace_pipe_raw`,
    stats: stats(),
    roomBytes: null,
    ...part,
  })),
});
const boot = (part: Partial<CaptureBoot> = {}): CaptureBoot => ({
  boot: "old",
  files: "old",
  buffer: null,
  marks: null,
  rings: [],
  nodeName: null,
  release: null,
  build: null,
  cmdline: null,
  clocksource: null,
  pairs: [],
  costs: null,
  imageRelease: null,
  dmesg: null,
  ...part,
});
const full = stats({ entries: 20, bytes: 1_704 });
const losses = (ring: TraceBuffer, own = boot(), bytes: readonly number[] = []) =>
  ringLosses(own, ring, ({ cpu, pages }) => (pages === null ? null : (bytes[cpu] ?? 0)));

test("a CPU that recorded nothing on the local clock is not a defect", () => {
  assert.deepEqual(losses(buffer("local", [{ stats: full }, {}]), boot(), [4096, 0]), []);
});

test("the boot CPU's empty buffer on another clock is the wipe, named by its own file", () => {
  const [loss, ...more] = losses(buffer("x86-tsc", [{}, { stats: full }]), boot(), [0, 4096]);
  assert.deepEqual(more, []);
  assert.deepEqual([loss?.code, loss?.severity], ["ring-cpu-missing", "error"]);
  assert.equal(loss?.file, "ring/per_cpu/cpu0/trace_pipe_raw");
  assert.match(loss?.message ?? "", /clock is x86-tsc, not local/);
  assert.match(loss?.advice ?? "", /`local` clock/);
});

test("without pages the counters show the wipe, and their file is named", () => {
  const ring = buffer("x86-tsc", [{ pages: null }, { pages: null, stats: full }]);
  assert.deepEqual(
    losses(ring).map(({ file, severity }) => [file, severity]),
    [["ring/per_cpu/cpu0/stats", "error"]],
  );
});

test("on another clock only the boot CPU's buffer is reset, and only the old boot's", () => {
  assert.deepEqual(losses(buffer("mono", [{ stats: full }, {}]), boot(), [4096, 0]), []);
  assert.deepEqual(losses(buffer("mono", [{}, { stats: full }]), boot({ boot: "new" }), [0, 4096]), []);
});

test("counters that prove a loss make it an error on any clock", () => {
  for (const part of [{ overrun: 7 }, { commitOverrun: 7 }, { droppedEvents: 7 }]) {
    const [loss] = losses(buffer("local", [{ stats: full }, { stats: stats(part) }]), boot(), [4096, 0]);
    assert.equal(loss?.severity, "error");
    assert.match(loss?.message ?? "", /CPU 1's buffer .* 7 events/);
  }
  const [unread] = losses(buffer("local", [{ stats: stats({ entries: 5 }) }]), boot(), [0]);
  assert.match(unread?.message ?? "", /counted 5 entries/);
});

test("unknowns are reported: missing counters as a note, a missing clock as a warning", () => {
  assert.equal(losses(buffer("local", [{ stats: null }]), boot(), [0])[0]?.severity, "note");
  assert.equal(losses(buffer("unknown", [{}]), boot(), [0])[0]?.severity, "warning");
});

test("a full persistent ring had wrapped, although the boot reset its overrun counters", () => {
  const cmdline = "reserve_mem=24M:4096:trace trace_instance=boot_mapped^traceoff@trace quiet";
  const wrapped = stats({ entries: 194_740, bytes: 12_508_820, oldest: "13.123494" });
  const ring = buffer("local", [{ stats: wrapped }, { stats: stats({ entries: 9, bytes: 80_000 }) }]);
  const found = losses(ring, boot({ cmdline }), [12_558_336, 81_920]);
  assert.deepEqual(
    found.map(({ code, severity, file }) => [code, severity, file]),
    [["ring-overwritten", "warning", "ring/per_cpu/cpu0/stats"]],
  );
  assert.match(found[0]?.message ?? "", /before 13\.123494/);
  assert.deepEqual(losses(ring, boot({ cmdline: "quiet" }), [12_558_336, 81_920]), []);
});

test("the reservation is the one that the trace instance maps", () => {
  assert.deepEqual(reservedBytes("reserve_mem=2M:4096:oops reserve_mem=24M:4096:trace trace_instance=b@trace,sched"), [
    24 << 20,
  ]);
  assert.deepEqual(reservedBytes("trace_instance=b^traceoff@t reserve_mem=4096K::t"), [4 << 20]);
  assert.deepEqual(reservedBytes("trace_instance=b@t reserve_mem=8M::t reserve_mem=64K::m trace_instance=c@m"), [
    8 << 20,
    64 << 10,
  ]);
  assert.deepEqual(reservedBytes("reserve_mem=24M:4096:trace"), []);
  assert.deepEqual(reservedBytes(""), []);
});

test("pages that were not saved although others were are a loss; if no CPU has pages, text is read and nothing is lost", () => {
  const some = buffer("local", [{ stats: full }, { pages: null, stats: full }, { pages: null }]);
  assert.deepEqual(
    unsavedCpuDefects("old", some, false).map(({ code, severity, file, message }) => [code, severity, file, message]),
    [
      [
        "ring-cpu-missing",
        "error",
        "ring/per_cpu/cpu1/trace_pipe_raw",
        "CPU 1's pages are not in the capture, though the kernel counted 20 entries in its buffer: what ran there is lost.",
      ],
    ],
  );
  assert.equal(unsavedCpuDefects("new", some, true)[0]?.severity, "warning");
  const none = buffer("local", [{ pages: null, stats: full }]);
  assert.equal(unsavedCpuDefects("old", none, false).length, 1, "also if none of its pages was saved");
});

test("a CPU that one ring has and the other has not is missed, as are gaps in the numbers", () => {
  const ring = buffer("local", [{ stats: full }, { stats: full }]);
  const marks = { ...buffer("local", [{ stats: full }]), folder: "marks" };
  assert.deepEqual(
    absentCpuDefects("old", [ring, marks]).map(({ code, severity, file }) => [code, severity, file]),
    [["ring-cpu-missing", "error", "marks/per_cpu/cpu1"]],
  );
  assert.deepEqual(absentCpuDefects("old", [ring]), []);
  const gap = { ...ring, cpus: ring.cpus.filter(({ cpu }) => cpu === 1) };
  assert.deepEqual(
    absentCpuDefects("new", [gap]).map(({ severity, file }) => [severity, file]),
    [["warning", "ring/per_cpu/cpu0"]],
  );
});

test("a small ring is full before its share is: its tables take pages too", () => {
  const cmdline =
    "reserve_mem=8M:4096:b trace_instance=b^traceoff@b reserve_mem=64K:4096:m trace_instance=m^traceoff@m";
  const wrapped = stats({ entries: 937, bytes: 19_764, oldest: "42.750065" });
  const marks = buffer("local", [{ stats: wrapped }, { stats: stats({ entries: 3, bytes: 800 }) }]);
  const ring = buffer("local", [{ stats: wrapped }, { stats: wrapped }]);
  const own = boot({ cmdline, marks, buffer: ring });
  assert.deepEqual(
    losses(marks, own, [20_480, 4_096]).map(({ code, file }) => [code, file]),
    [["ring-overwritten", "ring/per_cpu/cpu0/stats"]],
  );
  assert.deepEqual(losses(ring, own, [20_480, 20_480]), []);
});

test("any ring that was full by the kernel's own size of it is reported, whatever the command line names", () => {
  const wrapped = stats({ bytes: 19_372 });
  for (const folder of ["ring", "marks", "luo", "vcpus"]) {
    const ring = {
      ...buffer("local", [
        { stats: wrapped, roomBytes: 19 * 1024 },
        { stats: full, roomBytes: 19 * 1024 },
      ]),
      folder,
    };
    const found = losses(ring, boot(), [20_480, 4_096]);
    assert.deepEqual(
      found.map(({ code, file }) => [code, file]),
      [["ring-overwritten", `${folder}/per_cpu/cpu0/stats`]],
    );
  }
});

test("a ring with room for another sub-buffer was not overwritten", () => {
  const held = stats({ bytes: 990 * 1024 });
  assert.deepEqual(losses(buffer("local", [{ stats: held, roomBytes: 1_024 * 1024 }]), boot(), [990 * 1024]), []);
});
