import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { memorySource } from "../../base/bytes/byte-source.js";
import type { DefectInput } from "../../base/defect.js";
import type { EventSource, ReadCounts } from "../../model/collected.js";
import { hostAndGuest } from "../../testing/fakes/host-and-guest.js";
import {
  smallTraceDat,
  type TraceDatContent,
  writeLatencyDat6,
  writeTraceDat6,
  writeTraceDat7,
} from "../../testing/fakes/trace-dat-writer.js";
import { recordedTraceDat } from "../../testing/oracles/recorded-trace-dat.js";
import { RecordChunk } from "../ring-buffer/record-chunk.js";
import { hostTime } from "./options.js";
import { isTraceDat, openTraceDat, type TraceDat } from "./trace-dat.js";

const folder = mkdtempSync(join(tmpdir(), "trace-dat-"));
after(() => rmSync(folder, { recursive: true }));
const hasTraceCmd = spawnSync("trace-cmd", ["--version"]).error === undefined;

interface Row {
  readonly time: bigint;
  readonly cpu: number;
  readonly pid: number;
  readonly comm: string;
  readonly name: string;
  readonly text: string;
}

function rowsOf(source: EventSource): { rows: Row[]; defects: DefectInput[]; counts: ReadCounts } {
  const rows: Row[] = [];
  const defects: DefectInput[] = [];
  const counts = source.read({
    defect: (defect) => defects.push(defect),
    chunk(chunk) {
      assert.ok(chunk instanceof RecordChunk);
      for (let row = 0; row < chunk.count; row++) {
        rows.push({
          time: chunk.base + BigInt(chunk.time[row] as number),
          cpu: chunk.cpu[row] as number,
          pid: chunk.pid[row] as number,
          comm: chunk.strings.stringOf(chunk.comm[row] as number),
          name: chunk.strings.stringOf(chunk.name[row] as number),
          text: chunk.text(row),
        });
      }
    },
  });
  return { rows, defects, counts };
}

function open(bytes: Uint8Array): { dat: TraceDat; defects: DefectInput[] } {
  const defects: DefectInput[] = [];
  const found = openTraceDat(memorySource("trace.dat", bytes), "old", { defect: (defect) => defects.push(defect) });
  assert.ok(found.ok, found.ok ? "" : found.error);
  return { dat: found.value, defects };
}

const content = await recordedTraceDat();

/** What trace-cmd's report prints; its plugins, which print in their own way, left out. */
function report(path: string): { instance: string | null; row: Row }[] {
  const printed = execFileSync("trace-cmd", ["report", "-N", "-t", "-i", path], {
    maxBuffer: 1 << 30,
    encoding: "utf8",
    stdio: ["ignore", "pipe", "ignore"],
  });
  const rows: { instance: string | null; row: Row }[] = [];
  for (const line of printed.split("\n")) {
    if (line === "" || /^cpus=|^\s*(?:\w+: )?CPU:\d+ \[.*EVENTS DROPPED\]$/.test(line)) continue;
    const match = /^(?:\s*([\w-]+): )?\s*(.*)-(-?\d+)\s+\[(\d+)\]\s+(\d+)\.(\d{9}): ([^:]+):\s*(.*)$/.exec(line);
    // A marker with a newline in it goes on in a line of its own.
    if (match === null) continue;
    const [, instance, comm, pid, cpu, seconds, ns, name, text] = match as unknown as string[];
    rows.push({
      instance: instance ?? null,
      row: {
        time: BigInt(seconds as string) * 1_000_000_000n + BigInt(ns as string),
        cpu: Number(cpu),
        pid: Number(pid),
        comm: comm as string,
        name: name as string,
        text: (text as string).trim(),
      },
    });
  }
  return rows;
}

/**
 * Both texts in a form that must be the same. libtraceevent prints, unlike the kernel:
 * - a pointer with 0x and without leading zeros (%p), a symbol without its size (%pS);
 * - a syscall by its `print fmt`, if the kernel has a printer of its own: left out;
 * - enumerators that the format does not resolve as numbers: left out (hrtimer's mode);
 * - `x & (A | B)` in __print_flags wrongly (libtraceevent 1.7: timer_start's flags): left out;
 * - what it cannot parse as a list of raw fields, `[FAILED TO PARSE]`: left out.
 * - probes by their `print fmt`, with bare addresses if the kernel writes symbols: left out;
 * - the marker's function with its offset, or without.
 */
function comparable(name: string, text: string): string | null {
  if (/^sys_(?:enter|exit)_/.test(name) || text.includes("FAILED TO PARSE") || text.includes("(____ptrval____)"))
    return null;
  if (/^\((?:0x)?[0-9a-f]+( <- (?:0x)?[0-9a-f]+)?\)/.test(text) || /^\(\S+\+0x/.test(text)) return null;
  if (name === "print") return text.replace(/^\S+ /, "");
  return text
    .replace(/\b0x0*([0-9a-f]{6,})\b/g, "$1")
    .replace(/\b0*([0-9a-f]{6,16})\b/g, "$1")
    .replace(/(\+0x[0-9a-f]+)\/0x[0-9a-f]+/g, "$1")
    .replace(/\b(mode|flags)=\S*/g, "$1")
    .replace(/\s+/g, " ")
    .trim();
}

/** Asserts that every event is in both, with equal heads and, if comparable, equal texts; counts both. */
function assertAsReported(dat: TraceDat, path: string): { events: number; texts: number } {
  const own = new Map<string, Row[]>();
  let events = 0;
  for (const instance of dat.instances) {
    for (const row of rowsOf(instance.source()).rows) {
      const key = `${row.cpu} ${row.time} ${row.pid} ${row.name}`;
      const rows = own.get(key);
      if (rows === undefined) own.set(key, [row]);
      else rows.push(row);
      events += 1;
    }
  }
  const reported = report(path);
  let texts = 0;
  for (const { row } of reported) {
    const found = own.get(`${row.cpu} ${row.time} ${row.pid} ${row.name}`)?.shift();
    assert.ok(found !== undefined, `only trace-cmd has ${row.name} of ${row.pid} on CPU ${row.cpu} at ${row.time}`);
    const [theirs, ours] = [comparable(row.name, row.text), comparable(row.name, found.text)];
    if (theirs === null || ours === null) continue;
    assert.equal(ours, theirs, row.name);
    texts += 1;
  }
  assert.equal(reported.length, events);
  return { events, texts };
}

const built = {
  "version 6": writeTraceDat6(content),
  "version 7": writeTraceDat7(content, "none"),
  "version 7, zlib": writeTraceDat7(content, "zlib"),
};

test("all versions and packings of one recording hold the same events", () => {
  const expected = open(built["version 6"]).dat.instances.map(({ source }) => rowsOf(source()).rows);
  assert.deepEqual(
    expected.map(({ length }) => length > 1000),
    [true, true],
  );
  for (const [name, bytes] of Object.entries(built)) {
    const { dat, defects } = open(bytes);
    assert.ok(isTraceDat(bytes));
    assert.deepEqual(defects, [], name);
    assert.equal(dat.facts.clock, "local");
    assert.deepEqual(
      dat.instances.map(({ name: instance, clock }) => [instance, clock]),
      [
        ["", "local"],
        ["again", "local"],
      ],
    );
    for (const [i, { source }] of dat.instances.entries()) {
      const { rows, defects: own } = rowsOf(source());
      assert.deepEqual(own, []);
      assert.deepEqual(rows, expected[i], name);
      // A source may be read again.
      assert.equal(rowsOf(source()).rows.length, rows.length);
    }
  }
});

test("trace-cmd reads the same events from them", { skip: !hasTraceCmd && "no trace-cmd" }, () => {
  for (const name of ["version 6", "version 7"] as const) {
    const path = join(folder, "built.dat");
    writeFileSync(path, built[name]);
    const { events, texts } = assertAsReported(open(built[name]).dat, path);
    assert.ok(events > 4000 && texts > 3000, `${events} events, ${texts} texts`);
  }
});

test("what trace-cmd converts to version 7, with and without zstd, is read alike", {
  skip: !hasTraceCmd && "no trace-cmd",
}, () => {
  const path = join(folder, "convert.dat");
  writeFileSync(path, built["version 6"]);
  const expected = open(built["version 6"]).dat.instances.map(({ source }) => rowsOf(source()).rows);
  for (const compression of ["none", "zstd"]) {
    const into = join(folder, `${compression}.dat`);
    execFileSync(
      "trace-cmd",
      ["convert", "-i", path, "-o", into, "--file-version", "7", "--compression", compression],
      {
        stdio: "ignore",
      },
    );
    const { dat, defects } = open(readFileSync(into));
    assert.equal(dat.version, 7);
    assert.deepEqual(defects, []);
    const found = new Map(dat.instances.map(({ name, source }) => [name, rowsOf(source()).rows]));
    assert.deepEqual([found.get(""), found.get("again")], expected, compression);
  }
});

/** Where events can be recorded: tracefs, mounted by root. */
function tracefs(): string | null {
  if (process.getuid?.() !== 0) return null;
  const place = "/sys/kernel/tracing";
  if (existsSync(join(place, "instances"))) return place;
  return spawnSync("mount", ["-t", "tracefs", "none", place]).status === 0 ? place : null;
}

test("a recording made here is read as trace-cmd reports it", { skip: !hasTraceCmd && "no trace-cmd" }, (context) => {
  const place = tracefs();
  if (place === null) return context.skip("no tracefs");
  const name = `blackout-test-${process.pid}`;
  const instance = join(place, "instances", name);
  mkdirSync(instance);
  try {
    for (const event of ["sched", "irq", "timer", "raw_syscalls", "signal", "workqueue", "kmem/kmem_cache_alloc"]) {
      if (existsSync(join(instance, "events", event))) writeFileSync(join(instance, "events", event, "enable"), "1");
    }
    writeFileSync(join(instance, "tracing_on"), "1");
    writeFileSync(join(instance, "trace_marker"), "a marker");
    execFileSync("ls", ["-l", "/"], { stdio: "ignore" });
    writeFileSync(join(instance, "tracing_on"), "0");
    const path = join(folder, "recorded.dat");
    // It takes the instance away.
    if (spawnSync("trace-cmd", ["extract", "-B", name, "-o", path], { stdio: "ignore" }).status !== 0) {
      return context.skip("trace-cmd extract does not work here");
    }
    const { events, texts } = assertAsReported(open(readFileSync(path)).dat, path);
    context.diagnostic(`${events} events, ${texts} texts compared`);
    assert.ok(events > 10);
    const old = join(folder, "recorded6.dat");
    execFileSync("trace-cmd", ["convert", "-i", path, "-o", old, "--file-version", "6"], { stdio: "ignore" });
    assert.equal(assertAsReported(open(readFileSync(old)).dat, old).events, events);
  } finally {
    if (existsSync(instance)) {
      writeFileSync(join(instance, "tracing_on"), "0");
      rmdirSync(instance);
    }
  }
});

test("either byte order, either word length", () => {
  for (const littleEndian of [true, false]) {
    for (const longBytes of [4, 8] as const) {
      const file = smallTraceDat(littleEndian, longBytes);
      for (const bytes of [writeTraceDat6(file), writeTraceDat7(file, "none"), writeTraceDat7(file, "zlib")]) {
        const { dat, defects } = open(bytes);
        assert.deepEqual(defects, []);
        assert.deepEqual(
          dat.instances.flatMap(({ source }) =>
            rowsOf(source()).rows.map(({ time, comm, text }) => [time, comm, text]),
          ),
          [1000n, 2000n, 900_000_000_000n].map((time) => [time, "worker", "value=77"]),
        );
      }
    }
  }
});

const ascii = (value: string): Uint8Array => new TextEncoder().encode(`${value}\0`);

test("DATE, OFFSET, TSC2NSEC and TIME_SHIFT move the stamps as trace-cmd moves them", () => {
  const times = (options: TraceDatContent["options"], clock = "local"): bigint[] => {
    const { dat } = open(writeTraceDat7({ ...smallTraceDat(true, 8, options), clock }, "none"));
    return dat.instances.flatMap(({ source }) => rowsOf(source()).rows.map(({ time }) => time));
  };
  assert.deepEqual(times([{ id: 7, data: ascii("-500") }]), [500n, 1500n, 899_999_999_500n]);
  assert.deepEqual(times([{ id: 1, data: ascii("0x10") }]), [17_000n, 18_000n, 900_000_016_000n]);
  const rate = new Uint8Array(16);
  // 2.5 GHz: 0.4 ns a count.
  new DataView(rate.buffer).setUint32(0, Math.round(0.4 * 2 ** 30), true);
  new DataView(rate.buffer).setUint32(4, 30, true);
  assert.deepEqual(times([{ id: 14, data: rate }], "x86-tsc"), [400n, 800n, 360_000_000_335n]);
  // Of another clock's counts the rate is not the rate.
  assert.deepEqual(times([{ id: 14, data: rate }]), [1000n, 2000n, 900_000_000_000n]);
  const shift = new Uint8Array(16 + 4 + 2 * 24 + 2 * 8);
  const view = new DataView(shift.buffer);
  view.setUint32(8, 1, true);
  view.setUint32(12, 1, true);
  view.setUint32(16, 2, true);
  [0n, 2000n, 100n, 300n, 1n, 1n].forEach((value, i) => {
    view.setBigInt64(20 + i * 8, value, true);
  });
  assert.deepEqual(times([{ id: 12, data: shift }]).slice(0, 2), [1200n, 2300n]);
});

test("a guest's time between samples", () => {
  const sample = (time: bigint, offset: bigint) => ({ time, offset, scaling: 1n, fraction: 0n });
  const samples = [sample(0n, 10n), sample(100n, 20n), sample(200n, 0n)];
  assert.deepEqual(
    [0n, 50n, 100n, 150n, 300n].map((count) => hostTime(count, samples, true)),
    [10n, 65n, 120n, 161n, 281n],
  );
  assert.equal(hostTime(150n, samples, false), 170n);
  assert.equal(hostTime(150n, [], true), 150n);
  assert.equal(hostTime(7n, [{ time: 0n, offset: -1n, scaling: 6n, fraction: 1n }], true), 20n);
});

test("a file cut anywhere is read as far as it goes, with a defect", () => {
  for (const [name, whole] of Object.entries({ ...built, small: writeTraceDat7(smallTraceDat(true, 8), "zlib") })) {
    const all = open(whole).dat.instances.reduce((sum, { source }) => sum + rowsOf(source()).rows.length, 0);
    for (const share of [0, 0.1, 0.5, 0.9, 0.95, 0.99, 0.999]) {
      const bytes = whole.subarray(0, Math.floor(whole.length * share));
      const defects: DefectInput[] = [];
      const found = openTraceDat(memorySource("cut.dat", bytes), "old", { defect: (defect) => defects.push(defect) });
      if (!found.ok) continue;
      let rows = 0;
      for (const { source } of found.value.instances) {
        const read = rowsOf(source());
        rows += read.rows.length;
        defects.push(...read.defects);
      }
      assert.ok(rows <= all, name);
      if (rows < all)
        assert.ok(
          defects.some(({ code }) => /^(?:trace-dat-truncated|ring-page-partial)$/.test(code)),
          `${name} at ${share}`,
        );
    }
  }
});

test("anything but a trace.dat is refused with a reason", () => {
  const refusal = (bytes: Uint8Array): string => {
    const found = openTraceDat(memorySource("x.dat", bytes), "old", { defect: () => {} });
    assert.ok(!found.ok);
    return found.error;
  };
  assert.match(refusal(new Uint8Array(0)), /does not begin/);
  const whole = writeTraceDat6(smallTraceDat(true, 8));
  const changed = whole.slice();
  changed[10] = 0x39;
  assert.match(refusal(changed), /version "9"/);
  assert.match(refusal(whole.subarray(0, 30)), /the file ends at byte 30/);
});

/** As the irqsoff tracer prints it: Documentation/trace/ftrace.rst, its columns of the latency format. */
const LATENCY = `# tracer: irqsoff
#
# irqsoff latency trace v1.1.5 on 7.3.4
# --------------------------------------------------------------------
# latency: 16 us, #3/3, CPU#0 | (M:preempt VP:0, KP:0, SP:0 HP:0 #P:4)
#    -----------------
#    | task: swapper/0-0 (uid:0 nice:0 policy:0 rt_prio:0)
#    -----------------
#  => started at: run_timer_softirq
#  => ended at:   run_timer_softirq
#
#
#                    _------=> CPU#
#                   / _-----=> irqs-off/BH-disabled
#                  | / _----=> need-resched
#                  || / _---=> hardirq/softirq
#                  ||| / _--=> preempt-depth
#                  |||| / _-=> migrate-disable
#                  ||||| /     delay
#  cmd     pid     |||||| time  |   caller
#     \\   /        ||||||  \\    |    /
  <idle>-0         0d.s2.    0us+: _raw_spin_lock_irq <-run_timer_softirq
  <idle>-0         0dNs3.   17us : _raw_spin_unlock_irq <-run_timer_softirq
  <idle>-0         0dNs3.   17us : trace_hardirqs_on <-run_timer_softirq
`;

test("a latency file is the kernel's text, which trace-cmd prints unchanged", {
  skip: !hasTraceCmd && "no trace-cmd",
}, () => {
  const text = new TextEncoder().encode(LATENCY);
  const six = join(folder, "latency6.dat");
  writeFileSync(six, writeLatencyDat6(smallTraceDat(true, 8), text));
  const seven = join(folder, "latency7.dat");
  const cpus = { id: 8, data: new Uint8Array(Uint32Array.of(2).buffer) };
  writeFileSync(seven, writeTraceDat7({ ...content, options: [cpus], buffers: [], latency: text }, "none"));
  for (const [path, version] of [
    [six, 6],
    [seven, 7],
  ] as const) {
    const { dat, defects } = open(readFileSync(path));
    assert.equal(dat.version, version);
    assert.deepEqual(defects, []);
    const printed = execFileSync("trace-cmd", ["report", "-i", path], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    });
    const lines = (all: string): string[] => all.split("\n").filter((line) => /^ +<idle>-0 /.test(line));
    assert.deepEqual(lines(printed), lines(LATENCY));
    const rows: string[] = [];
    const own: DefectInput[] = [];
    for (const { source } of dat.instances) {
      source().read({
        defect: (defect) => own.push(defect),
        chunk: (chunk) => {
          for (let row = 0; row < chunk.count; row++) {
            rows.push(
              `${chunk.cpu[row]} ${chunk.pid[row]} ${chunk.base + BigInt(chunk.time[row] as number)} ${chunk.text(row)}`,
            );
          }
        },
      });
    }
    assert.deepEqual(own, []);
    assert.deepEqual(rows, [
      "0 0 0 _raw_spin_lock_irq <-run_timer_softirq",
      "0 0 17000 _raw_spin_unlock_irq <-run_timer_softirq",
      "0 0 17000 trace_hardirqs_on <-run_timer_softirq",
    ]);
  }
});

test("a host's and its guest's files lie on the host's axis as trace-cmd reports both", {
  skip: !hasTraceCmd && "no trace-cmd",
}, () => {
  const { host, guest } = hostAndGuest(content);
  for (const write of [writeTraceDat6, (each: TraceDatContent) => writeTraceDat7(each, "none")]) {
    const files = { "host.dat": write(host), "guest.dat": write(guest) };
    for (const [name, bytes] of Object.entries(files)) writeFileSync(join(folder, name), bytes);
    const [a, b] = [open(files["host.dat"]).dat.facts, open(files["guest.dat"]).dat.facts];
    assert.deepEqual([a.guests.map(({ id }) => id), b.timeShift?.peer], [[b.traceId], a.traceId]);
    const printed = execFileSync("trace-cmd", ["report", "-N", "-t", "-i", "host.dat", "-i", "guest.dat"], {
      cwd: folder,
      maxBuffer: 1 << 30,
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    });
    const reported = printed.split("\n").flatMap((line) => {
      const match = /^\s*(\S+\.dat): .*-(\d+)\s+\[(\d+)\]\s+(\d+)\.(\d{9}): ([^:]+):/.exec(line);
      return match === null
        ? []
        : [`${match[1]} ${match[3]} ${match[2]} ${BigInt(`${match[4]}${match[5]}`)} ${match[6]}`];
    });
    const own = Object.entries(files).flatMap(([name, bytes]) =>
      open(bytes).dat.instances.flatMap(({ source }) =>
        rowsOf(source()).rows.map((row) => ({
          at: row.time,
          text: `${name} ${String(row.cpu).padStart(3, "0")} ${row.pid} ${row.time} ${row.name}`,
        })),
      ),
    );
    own.sort((x, y) => Number(x.at - y.at));
    assert.ok(own.length > 7000);
    // Of equal times the order is each tool's own.
    assert.deepEqual(own.map(({ text }) => text).sort(), reported.slice().sort());
    const times = (texts: readonly string[]): bigint[] => texts.map((text) => BigInt(text.split(" ")[3] as string));
    assert.deepEqual(times(own.map(({ text }) => text)), times(reported));
  }
});

test("an option of another writer is not believed: the header's number of CPUs stands", () => {
  const small = smallTraceDat(true, 8);
  const expected = rowsOf(open(writeTraceDat6(small)).dat.instances[0]?.source() as EventSource).rows;
  const foreign = (data: Uint8Array): TraceDat =>
    open(writeTraceDat6({ ...small, options: [...(small.options ?? []), { id: 8, data }] })).dat;
  for (const data of [
    new TextEncoder().encode("1234 5678\n".repeat(104)),
    new Uint8Array(5).fill(1),
    new Uint8Array(0),
    Uint8Array.of(0xff, 0xff, 0xff, 0xff),
  ]) {
    assert.deepEqual(
      rowsOf(foreign(data).instances[0]?.source() as EventSource).rows,
      expected,
      `${data.length} bytes`,
    );
  }
});

test("per-CPU data that overlaps other data is read once, and reported", () => {
  const small = smallTraceDat(true, 8);
  const [pages] = small.buffers[0]?.cpus ?? [];
  assert.ok(pages !== undefined);
  const bytes = writeTraceDat6({ ...small, buffers: [{ name: "", cpus: [pages, pages] }] });
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const alone = open(bytes);
  const events = rowsOf(alone.dat.instances[0]?.source() as EventSource).rows.length;
  // The list of places follows the tag: 16 bytes a CPU.
  const list = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).indexOf("flyrecord") + 10;
  const [offset, size] = [view.getBigUint64(list, true), view.getBigUint64(list + 8, true)];
  for (const [at, length] of [
    [offset, size],
    [offset + 8n, size],
    [offset - 4096n, 8192n],
  ] as const) {
    const twice = Buffer.from(bytes);
    twice.writeBigUInt64LE(at, list + 16);
    twice.writeBigUInt64LE(length, list + 24);
    const { dat, defects } = open(twice);
    assert.equal(defects.filter(({ code }) => code === "trace-dat-overlap").length, 1, `${at} ${length}`);
    assert.ok(rowsOf(dat.instances[0]?.source() as EventSource).rows.length <= events);
  }
});
