import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { basename, join } from "node:path";
import { test } from "node:test";
import { gunzipSync } from "node:zlib";
import fc from "fast-check";
import { type ByteSource, memorySource } from "../../base/bytes/byte-source.js";
import type { DefectInput } from "../../base/defect.js";
import { type EventFields, EventKind, type FieldValue, type ReadCounts } from "../../model/collected.js";
import { assertGolden } from "../../testing/golden.js";
import { cohortCaptures, projectRoot, singleCaptures } from "../../testing/places.js";
import { MAX_LINE_BYTES } from "../files/line-blocks.js";
import { ftraceTextSource } from "./ftrace-text.js";

const samples = join(projectRoot, "src/collect/ftrace-text/samples");
const kinds = Object.keys(EventKind);

interface Row {
  readonly time: bigint | null;
  readonly cpu: number;
  readonly pid: number;
  readonly comm: string;
  readonly name: string;
  readonly kind: string;
  readonly place: number;
  readonly fields: EventFields;
  readonly text: string;
}
interface Read {
  readonly rows: readonly Row[];
  readonly counts: ReadCounts;
  readonly defects: readonly DefectInput[];
}

function read(bytes: Uint8Array | string, blockBytes?: number, eventNames: ReadonlySet<string> | null = null): Read {
  const source = memorySource("trace", typeof bytes === "string" ? Buffer.from(bytes) : bytes);
  const rows: Row[] = [];
  const defects: DefectInput[] = [];
  const input = {
    boot: "old",
    source,
    clock: "local",
    eventNames,
    ...(blockBytes === undefined ? {} : { blockBytes }),
  };
  const counts = ftraceTextSource(input as Parameters<typeof ftraceTextSource>[0]).read({
    chunk(chunk) {
      for (let row = 0; row < chunk.count; row++) {
        const time = chunk.time[row] as number;
        rows.push({
          time: Number.isNaN(time) ? null : chunk.base + BigInt(time),
          cpu: chunk.cpu[row] as number,
          pid: chunk.pid[row] as number,
          comm: chunk.strings.stringOf(chunk.comm[row] as number),
          name: chunk.strings.stringOf(chunk.name[row] as number),
          kind: kinds[chunk.kind[row] as number] as string,
          place: chunk.place[row] as number,
          fields: chunk.fields(row),
          text: chunk.text(row),
        });
      }
    },
    defect: (found) => defects.push(found),
  });
  return { rows, counts, defects };
}

function assertWhole({
  rows,
  counts,
}: {
  readonly rows: { readonly length: number };
  readonly counts: ReadCounts;
}): void {
  assert.equal(counts.lines, counts.events + counts.continuations + counts.structural + counts.undecoded);
  assert.equal(rows.length, counts.events);
}

const shown = (value: FieldValue): string => (typeof value === "string" ? JSON.stringify(value) : String(value));

function golden({ rows, counts, defects }: Read): string {
  const lines = rows.map((row) => {
    const fields = [...row.fields].map(([key, value]) => `${key}=${shown(value)}`).join(" ");
    const task = `${row.comm}/${row.pid}`;
    return `${row.place} ${row.time ?? "-"} cpu${row.cpu} ${task} ${row.kind} ${row.name} {${fields}} ${JSON.stringify(row.text)}`;
  });
  const holes = defects.map(
    (hole) => `! ${hole.code} line=${hole.line} time=${hole.time} count=${hole.count ?? 1} ${hole.message}`,
  );
  return `${[
    ...lines,
    ...holes,
    `= ${Object.entries(counts)
      .map(([key, value]) => `${key}=${value}`)
      .join(" ")}`,
  ].join("\n")}\n`;
}

for (const file of readdirSync(samples).filter((name) => name.endsWith(".txt") && !name.includes(".golden."))) {
  test(`sample ${file}`, () => {
    const found = read(readFileSync(join(samples, file)));
    assertWhole(found);
    assertGolden(join(samples, file.replace(/\.txt$/, ".golden.txt")), golden(found));
  });
}

const line = (payload: string): string => `            init-1       [001] d..2.     4.073131: ${payload}\n`;
const only = (text: string, names: ReadonlySet<string> | null = null): Row => {
  const { rows, counts } = read(text, undefined, names);
  assert.equal(counts.undecoded, 0, text);
  assert.equal(rows.length, 1);
  return rows[0] as Row;
};
const fieldsOf = (payload: string): Record<string, FieldValue> => Object.fromEntries(only(line(payload)).fields);

test("a field list gives signed numbers, symbols, and strings with spaces and equals signs in them", () => {
  assert.deepEqual(
    fieldsOf(
      "luo_x: __probe_ip=luo_x+0x4/0x60 (-14) session=a b=c=d e token=0x100 (256) ret=0xffffffea (-22) p=0xff27f878013fdcc0 (-60806875645485888) ok=(1) c='a'(97) bad=<OVERFLOW>",
    ),
    {
      __probe_ip: "luo_x+0x4/0x60",
      session: "a",
      b: "c=d e",
      token: 256,
      ret: -22,
      p: -60806875645485888n,
      ok: 1,
      c: 97,
      bad: "<OVERFLOW>",
    },
  );
});

test("a probe's strings are unquoted, its numbers are numbers", () => {
  assert.deepEqual(fieldsOf('luo_y: (luo_y+0x4/0x60 [m]) s="x y=1" token=0x100 n=-3 big=0xffffffffffffffff'), {
    __probe_ip: "luo_y+0x4/0x60 [m]",
    s: "x y=1",
    token: 256,
    n: -3,
    big: 18446744073709551615n,
  });
  assert.deepEqual(fieldsOf("luo_y_ret: (caller+0x49/0x160 <- luo_y) ret=0"), {
    __probe_func: "luo_y",
    __probe_ret_ip: "caller+0x49/0x160",
    ret: 0,
  });
});

test("syscalls have one name in every dialect", () => {
  const enter = only(line("sys_ioctl(fd: 5, cmd: 0xba00, arg: 0x7ffd6f5d4ae0)"));
  assert.equal(enter.name, "sys_enter_ioctl");
  assert.deepEqual(Object.fromEntries(enter.fields), { fd: 5, cmd: 0xba00, arg: 0x7ffd6f5d4ae0 });
  const exit = only(line("sys_ioctl -> 0xffffffffffffffe7"));
  assert.equal(exit.name, "sys_exit_ioctl");
  assert.deepEqual(Object.fromEntries(exit.fields), { ret: -25 });
  const listed = only(
    "cpus=1\n  luolab-67 [000] 1.000001: sys_enter_ioctl:   fd: 0x00000005, cmd: 0x0000ba00, arg: 0x00000000\n",
  );
  assert.equal(listed.name, "sys_enter_ioctl");
  assert.deepEqual(Object.fromEntries(listed.fields), { fd: 5, cmd: 0xba00, arg: 0 });
  assert.deepEqual(fieldsOf("sys_ioctl(fd: 10, cmd: ba41, arg: 0)"), { fd: 16, cmd: 0xba41, arg: 0 });
});

test("the formats' names distinguish an event from a marker", () => {
  const names = new Set(["sched_switch"]);
  assert.equal(only(line("vfs_coredump: hello"), names).kind, "marker");
  assert.equal(only(line("vfs_coredump: hello")).kind, "event");
  assert.equal(only(line("vfs_coredump: luo: vm_pause")).fields.get("buf"), "luo: vm_pause");
  assert.equal(only(line("newer_probe: (f+0x4/0x60) a=1"), names).kind, "event");
  assert.equal(only(line("newer_probe: __probe_ip=f+0x4/0x60 (-1)"), names).kind, "event");
  assert.equal(only(line("console: luo: Retrieved live update data, liveupdate number: 1")).kind, "event");
  const comment = (text: string): string => `   25.416983 |   1)     init-1     |               |  /* ${text} */\n`;
  assert.equal(only(comment("hello: world"), names).fields.get("buf"), "hello: world");
  assert.equal(only(comment("luo: a b=c")).fields.get("buf"), "luo: a b=c");
  assert.equal(only(comment("no colon here")).kind, "marker");
  assert.equal(only(comment("sched_switch: prev_pid=1"), names).kind, "event");
  assert.equal(only(comment("sys_openat -> 0x3"), names).name, "sys_exit_openat");
});

test("stamps beyond 2^53 are exact", () => {
  const { rows } = read(
    "   luolab-65      [000] .....  18446744073709551614: console: a\n   luolab-65      [000] .....  18446744073709551615: console: b\n",
  );
  assert.deepEqual(
    rows.map((row) => row.time),
    [18446744073709551614n, 18446744073709551615n],
  );
  const [first, second] = read("  a-1 [000] 99999999.000000001: e: \n  a-1 [000] 99999999.100000002: e: \n").rows;
  assert.equal(first?.time, 99999999000000001n);
  assert.equal(second?.time, 99999999100000002n);
});

test("a line that cannot be decoded is a defect with its line, its text and what was expected", () => {
  const { defects, counts } = read(`${line("a: b=1")}gar\u0007bage ${"x".repeat(300)}\n${line("a: b=2")}`);
  assert.equal(counts.undecoded, 1);
  assert.deepEqual(
    defects.map((found) => [found.code, found.line, found.time]),
    [["text-undecoded", 2, null]],
  );
  assert.match(defects[0]?.message ?? "", /"gar\\u0007bage x+"…\. Expected `TASK-PID/);
  assert.ok((defects[0]?.message.length ?? 0) < 300);
});

test("of many defects of one kind a bounded number is reported, and all are counted", () => {
  const { defects, counts } = read(line("a: b=1") + "nonsense\n".repeat(5000));
  assert.equal(counts.undecoded, 5000);
  assert.equal(defects.length, 101);
  assert.equal(
    defects.reduce((sum, found) => sum + (found.count ?? 1), 0),
    5000,
  );
});

test("a line longer than the limit is a defect, and the lines around it are read", () => {
  for (const block of [1000, 1 << 20]) {
    for (const length of [MAX_LINE_BYTES + 1, MAX_LINE_BYTES * 5]) {
      const found = read(`${line("a: b=1")}${"x".repeat(length)}\n${line("a: b=2")}`, block);
      assertWhole(found);
      assert.deepEqual([found.counts.events, found.counts.undecoded], [2, 1]);
      assert.deepEqual(
        found.rows.map((row) => row.place),
        [1, 3],
      );
    }
  }
});

test("a marker's further lines belong to it, whatever the block size", () => {
  const text = `${line("tracing_mark_write: luo: a")}two\n\nthree\n${line("a: b=1")}\nfour\n`;
  const whole = read(text);
  assert.equal(whole.rows[0]?.text, "luo: a\ntwo\n\nthree");
  assert.deepEqual(whole.counts, { lines: 7, events: 2, continuations: 3, structural: 1, undecoded: 1, lostEvents: 0 });
  for (let block = 1; block < text.length; block++) assert.deepEqual(read(text, block), whole);
  const long = line("tracing_mark_write: luo: a") + `${"y".repeat(1000)}\n`.repeat(100) + line("a: b=1");
  assert.equal(read(long).counts.continuations, 65, "no event is longer than a sub-buffer of 64 KiB");
  assert.equal(read(long).counts.undecoded, 35);
  assert.deepEqual(read(long, 777), read(long));
});

test("a line with a whole header is an event of its own, whatever follows the header", () => {
  const mark = line("tracing_mark_write: luo: vm_pause vm=7");
  const found = read(mark + line("# 1 buf: 61 62 63 64"));
  assert.deepEqual(
    found.rows.map(({ name, text, fields }) => [name, text, Object.fromEntries(fields)]),
    [
      ["print", "luo: vm_pause vm=7", { buf: "luo: vm_pause vm=7" }],
      ["raw_data", "# 1 buf: 61 62 63 64", { id: 1, buf: "61 62 63 64" }],
    ],
  );
  const unnamed = read(mark + line("!! a text without a name"));
  assert.deepEqual(
    unnamed.rows.map(({ name, text }) => [name, text]),
    [
      ["print", "luo: vm_pause vm=7"],
      ["print", "!! a text without a name"],
    ],
  );
  assert.equal(unnamed.counts.undecoded, 0);
});

test("a damaged event line, and bytes that no text holds, are not the rest of the mark before them", () => {
  const mark = line("tracing_mark_write: luo: vm_pause");
  for (const damaged of [
    line("sched_switch: a=1").replace("[", "{"),
    line("sched_switch: a=1").replace("] ", "]"),
    line("sched_switch: a=1").replace(/-(\d+) /, "-$1x "),
    " kworker/0:1-12 (3) 0123456789012: sched_switch: a=1\n",
    "\u0000\u0001\u0002\u0003\n",
  ]) {
    const found = read(mark + damaged);
    assert.deepEqual([found.rows.length, found.rows[0]?.text], [1, "luo: vm_pause"], JSON.stringify(damaged));
    assert.equal(found.counts.undecoded, 1, JSON.stringify(damaged));
  }
  const rest = read(`${mark}vm=7: 12.5 s in, 3.141593: a number\n`);
  assert.equal(rest.counts.continuations, 1);
});

test("the rows do not depend on the block size", () => {
  for (const file of readdirSync(samples).filter((name) => !name.includes(".golden."))) {
    const bytes = readFileSync(join(samples, file));
    const whole = read(bytes);
    for (const block of [1, 17, 64, 1021, 4096]) assert.deepEqual(read(bytes, block), whole, `${file} by ${block}`);
  }
});

test("reading again gives the same", () => {
  const source = ftraceTextSource({
    boot: "new",
    source: memorySource("trace", readFileSync(join(samples, "graph.txt"))),
    clock: "x86-tsc",
    eventNames: null,
  });
  const silent = { chunk() {}, defect() {} };
  assert.deepEqual(source.read(silent), source.read(silent));
  assert.deepEqual(
    [source.boot, source.dialect, source.clock, source.files],
    ["new", "ftrace-text", "x86-tsc", ["trace"]],
  );
});

test("arbitrary bytes never throw, and every line is counted once", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 400 }), fc.integer({ min: 1, max: 64 }), (bytes, block) => {
      const found = read(bytes, block);
      assertWhole(found);
      assert.deepEqual(found, read(bytes));
    }),
    { numRuns: 300 },
  );
  const pieces = fc.constantFrom(
    " ",
    "-",
    "|",
    ")",
    "[",
    "]",
    "0",
    "1",
    ".",
    ":",
    ": ",
    "(",
    "{",
    "}",
    ";",
    "/*",
    "*/",
    " => ",
    "#",
    "a",
    "luo: ",
    "sys_x",
    " us",
    "\n",
    "=",
    '"',
  );
  fc.assert(
    fc.property(fc.array(pieces, { maxLength: 60 }), (parts) => {
      const found = read(parts.join(""));
      assertWhole(found);
      assert.deepEqual(found, read(parts.join(""), 3));
    }),
    { numRuns: 600 },
  );
});

test("damaged real traces never throw, and every line is counted once", () => {
  const originals = readdirSync(samples)
    .filter((name) => !name.includes(".golden."))
    .map((name) => readFileSync(join(samples, name)));
  const edit = fc.record({
    at: fc.nat(),
    kind: fc.constantFrom("flip", "cut", "copy", "newline"),
    byte: fc.nat(255),
    length: fc.nat(80),
  });
  fc.assert(
    fc.property(
      fc.nat(),
      fc.array(edit, { minLength: 1, maxLength: 12 }),
      fc.integer({ min: 1, max: 3000 }),
      (which, edits, block) => {
        let bytes: Uint8Array = originals[which % originals.length] as Buffer;
        for (const { at, kind, byte, length } of edits) {
          const from = at % bytes.length;
          const [before, after] = [bytes.subarray(0, from), bytes.subarray(from)];
          if (kind === "flip") bytes = Buffer.concat([before, Buffer.of(byte), after.subarray(1)]);
          else if (kind === "cut") bytes = Buffer.concat([before, after.subarray(length)]);
          else if (kind === "copy") bytes = Buffer.concat([before, after.subarray(0, length), after]);
          else bytes = Buffer.concat([before, Buffer.of(10), after]);
          if (bytes.length === 0) return;
        }
        const found = read(bytes);
        assertWhole(found);
        assert.deepEqual(read(bytes, block), found);
      },
    ),
    { numRuns: 120, seed: 20260, endOnFailure: true },
  );
});

/** The `ring/trace` and `new/trace` of a capture: a folder, or a .tar.gz (ustar: the size is in octal at 124). */
function tracesOf(capture: string): readonly ByteSource[] {
  const wanted = /(?:^|\/)(?:ring|new)\/trace$/;
  if (statSync(capture).isDirectory()) {
    return ["ring/trace", "new/trace"]
      .map((path) => join(capture, path))
      .filter((path) => existsSync(path))
      .map((path) => memorySource(path, readFileSync(path)));
  }
  const tar = gunzipSync(readFileSync(capture));
  const found: ByteSource[] = [];
  for (let at = 0; at + 512 <= tar.length; ) {
    const name = tar.toString("utf8", at, at + 100).replace(/\0.*$/s, "");
    const size = Number.parseInt(tar.toString("latin1", at + 124, at + 136), 8) || 0;
    if (wanted.test(name)) found.push(memorySource(name, tar.subarray(at + 512, at + 512 + size)));
    at += 512 + Math.ceil(size / 512) * 512;
  }
  return found;
}

function assertDecoded(capture: string): number {
  let files = 0;
  for (const source of tracesOf(capture)) {
    files += 1;
    const rows: { length: number } = { length: 0 };
    const kind = [0, 0, 0, 0, 0];
    let nameless = 0;
    let backwards = 0;
    let last = Number.NEGATIVE_INFINITY;
    const input = { boot: "old", source, clock: "unknown", eventNames: null } as const;
    const counts = ftraceTextSource(input).read({
      chunk(chunk) {
        rows.length += chunk.count;
        for (let row = 0; row < chunk.count; row++) {
          kind[chunk.kind[row] as number]! += 1;
          if ((chunk.time[row] as number) < last) backwards += 1;
          last = chunk.time[row] as number;
          if (chunk.name[row] === 0) nameless -= 1;
        }
      },
      defect(found) {
        assert.equal(found.code, "text-nameless-event", `${capture} ${source.name}: ${found.message}`);
        nameless += found.count ?? 1;
      },
    });
    assertWhole({ rows, counts });
    assert.equal(counts.undecoded, 0);
    assert.equal(counts.continuations, 0);
    assert.equal(backwards, 0, `${capture} ${source.name}: events out of order`);
    const head = new Uint8Array(200);
    source.read(head, 0);
    const entries = /entries-in-buffer\/entries-written: (\d+)\//.exec(Buffer.from(head).toString("latin1"))?.[1];
    // The kernel folds an entry and its exit into one leaf, and prints some events of another kernel as nothing.
    if (entries !== undefined) {
      assert.equal(
        counts.events + (kind[EventKind.graphLeaf] as number) + nameless,
        Number(entries),
        `${capture} ${source.name}`,
      );
    }
  }
  return files;
}

test("every line of every capture is decoded, and the events are as many as the kernel counted", () => {
  let files = 0;
  for (const capture of singleCaptures()) files += assertDecoded(capture);
  assert.ok(files >= 5);
});

test("every line of every cohort member is decoded", () => {
  for (const name of ["base", "devices"]) {
    for (const capture of cohortCaptures(name).slice(0, 10)) assert.equal(assertDecoded(capture), 2, basename(capture));
  }
});

test("a text with fewer events than its header states has a defect", () => {
  const header = "# tracer: nop\n#\n# entries-in-buffer/entries-written: 100/100   #P:2\n#\n";
  const lines = (count: number): string =>
    Array.from({ length: count }, (_, i) => `task-1 [000] 1.${String(i).padStart(6, "0")}: event: x=1`).join("\n");
  assert.deepEqual(read(header + lines(96)).defects, []);
  const [defect, ...more] = read(header + lines(60)).defects;
  assert.deepEqual([defect?.code, defect?.count, more], ["text-incomplete", 40, []]);
});

test("ever new names are bounded, and those left out are counted", () => {
  const lines = Array.from({ length: 70_000 }, (_, i) => `task${i}-1 [000] 1.000001: event${i}: x=1`);
  const { rows, defects } = read(lines.join("\n"));
  assert.equal(rows.length, 70_000);
  assert.deepEqual([rows[0]?.name, rows[69_999]?.name], ["event0", ""]);
  assert.deepEqual(
    defects.map((found) => found.code),
    ["text-names-dropped"],
  );
});

test("memory does not grow with the file", { skip: process.platform !== "linux" }, () => {
  // 64 MB from a source that makes them: more than the reader could hide.
  const block = Buffer.from(
    line("sched_switch: prev_comm=init prev_pid=0x1 (1) next_comm=swapper/0 next_pid=0x0 (0)").repeat(1000),
  );
  const size = block.length * 500;
  const source: ByteSource = {
    name: "trace",
    size,
    read(into, position) {
      const length = Math.min(into.length, size - position);
      for (let done = 0; done < length; ) {
        const from = (position + done) % block.length;
        done += block.copy(into, done, from, Math.min(block.length, from + length - done));
      }
      return length;
    },
  };
  const before = process.memoryUsage();
  let peak = 0;
  const counts = ftraceTextSource({ boot: "old", source, clock: "local", eventNames: null }).read({
    chunk() {
      const { heapUsed, arrayBuffers } = process.memoryUsage();
      peak = Math.max(peak, heapUsed + arrayBuffers);
    },
    defect: (found) => assert.fail(found.message),
  });
  assert.equal(counts.events, 500_000);
  assert.ok(peak - before.heapUsed - before.arrayBuffers < 24 * 1024 * 1024, `${peak}`);
});
