import assert from "node:assert/strict";
import { test } from "node:test";
import { memorySource } from "../../base/bytes/byte-source.js";
import { type EventFields, EventKind } from "../../model/collected.js";
import { ftraceTextSource } from "./ftrace-text.js";

interface Row {
  readonly name: string;
  readonly comm: string;
  readonly pid: number;
  readonly text: string;
  readonly count: number;
  readonly kind: number;
  readonly fields: EventFields;
}

/** All rows; every line must be decoded. */
function rowsOf(text: string): readonly Row[] {
  const rows: Row[] = [];
  const source = memorySource("trace", Buffer.from(text));
  const counts = ftraceTextSource({ boot: "old", source, clock: "local", eventNames: null }).read({
    defect: () => {},
    chunk(chunk) {
      for (let row = 0; row < chunk.count; row++) {
        rows.push({
          name: chunk.strings.stringOf(chunk.name[row] as number),
          comm: chunk.strings.stringOf(chunk.comm[row] as number),
          pid: chunk.pid[row] as number,
          text: chunk.text(row),
          count: Number(chunk.base) + (chunk.time[row] as number),
          kind: chunk.kind[row] as number,
          fields: chunk.fields(row),
        });
      }
    },
  });
  assert.equal(counts.undecoded, 0, text);
  return rows;
}

const head = (time: string): string => `            app-99      [001] d..2.   ${time}: `;
const only = (payload: string): Row => {
  const rows = rowsOf(`${head("100.000001")}${payload}\n`);
  assert.equal(rows.length, 1, payload);
  return rows[0] as Row;
};

test("a mark or a print is read behind any form of the function that wrote it", () => {
  for (const symbol of [
    "tracing_mark_write",
    "tracing_mark_write+0x91/0x170",
    "tracing_mark_write <ffffffff814aa241>",
    "tracing_mark_write+0x91/0x170 <ffffffff814aa241>",
    "write_mark.isra.0",
    "my_func [my_mod]",
    "my_func+0x1c/0x30 [my_mod]",
    "my_func.constprop.0+0x1c/0x30 [my-mod] <c0123456>",
    "0x00000001",
    "0",
    "",
  ]) {
    const { name, kind, fields } = only(`${symbol}: luo: vm_pause vm=7`);
    assert.deepEqual([name, kind, fields.get("buf")], ["print", EventKind.marker, "luo: vm_pause vm=7"], symbol);
  }
  assert.equal(only("tracing_mark_write:B|7363|name").fields.get("buf"), "B|7363|name");
  assert.equal(only("luo: vm_pause vm=7").fields.get("buf"), "luo: vm_pause vm=7");
  assert.equal(only("just a string").fields.get("buf"), "just a string");
});

test("a tracer's samples are events with the fields of their format", () => {
  const cases: readonly (readonly [string, string, Readonly<Record<string, unknown>>])[] = [
    [
      "#12    context    irq timer_latency       932 ns",
      "timerlat",
      { seqnum: 12, context: "irq", timer_latency: 932 },
    ],
    ["#3     context thread timer_latency      -7 ns", "timerlat", { seqnum: 3, timer_latency: -7 }],
    ["#5     context user-ret timer_latency     11 ns", "timerlat", { context: "user-ret" }],
    [
      "1000000        190  99.98100         9     18      0   1007     18      1",
      "osnoise",
      { noise: 190, irq_count: 1007 },
    ],
    ["500000          0 100.00000         0      0      0      1      0      0", "osnoise", { runtime: 500000 }],
    ["1000000    1000000   0.00000   1000000      0      0      0      0      0", "osnoise", { max_sample: 1000000 }],
    [
      "#1     inner/outer(us):   12/14    ts:1581527483.343962693 count:6",
      "hwlat",
      { duration: 12, outer_duration: 14, count: 6 },
    ],
    ["#2     inner/outer(us):    0/9     ts:1.000000001 count:1 nmi-total:4 nmi-count:2", "hwlat", { nmi_count: 2 }],
    ["#3     inner/outer(us): 1234/99999 ts:1.000000001", "hwlat", { duration: 1234 }],
    ["     0:120:R   + [003]  2389: 94:R sleep", "wakeup", { next_pid: 2389, next_prio: 94, next_comm: "sleep" }],
    ["  2389: 94:S ==> [000]     0:120:R <idle>", "context_switch", { prev_pid: 2389, prev_state: "S" }],
    ["    12:120:R+ ==> [012] 4194304:  0:R a b", "context_switch", { next_cpu: "012", next_comm: "a b" }],
    ["[  ok  ] vfs_read:read_write.c:451", "branch", { correct: "ok", file: "read_write.c", line: 451 }],
    ["[ MISS ] _raw_spin_lock.part.0:spinlock.c:1", "branch", { correct: "MISS" }],
    ["[  ok  ] f:drivers/net/a b.c:7", "branch", { file: "drivers/net/a b.c" }],
    ["  8,0    A   W 76 + 8 <- (8,1) 44", "blk", { action: "A", rwbs: "W", text: "8,0    A   W 76 + 8 <- (8,1) 44" }],
    ["259,3    C  WS 76 + 8 [0]", "blk", { dev: "259,3" }],
    ["  8,0    m   N cfq123 inserted", "blk", { action: "m" }],
    ["# 1 buf: 61 62 63 64", "raw_data", { id: 1, buf: "61 62 63 64" }],
  ];
  for (const [payload, name, fields] of cases) {
    const row = only(payload);
    assert.equal(row.name, name, payload);
    for (const [key, value] of Object.entries(fields)) {
      const found = row.fields.get(key);
      const number = typeof value === "string" && typeof found === "number" ? Number(value) : value;
      assert.deepEqual(found, number, `${payload}: ${key}`);
    }
  }
});

test("the blk tracer's classic lines have a header of their own", () => {
  const rows = rowsOf(
    "# tracer: blk\n#\n  8,0    1       0.000000000  4162  A   W 76 + 8 <- (8,1) 44\n  8,16  12     7.012345678 99  Q  RA 1 + 8 [dd]\n",
  );
  assert.deepEqual(
    rows.map(({ name, pid, count }) => [name, pid, count]),
    [
      ["blk", 4162, 0],
      ["blk", 99, 7_012_345_678],
    ],
  );
});

test("latency columns are read with and without a header, verbose, and on a counting clock", () => {
  const cases: readonly (readonly [string, string, number, number])[] = [
    [" kexec-99        0..... 11999999us : ", "kexec", 99, 11_999_999_000],
    ["  <idle>-0       3dNh7.    0us+: ", "<idle>", 0, 0],
    ["tmux: s-4194304 12d..5..  123us!: ", "tmux: s", 4_194_304, 123_000],
    ["kworker/-7        1D.s3.    12345: ", "kworker/", 7, 12_345],
    ["            bash   3916   0 1 00000000 00000001 [00001a2b] 58.123ms (+0.001ms): ", "bash", 3916, 58_123_000],
    ["a b      12   1 0 00000000 00000001 [0000000000001a2b] 0.001ms (+0.000ms): ", "a b", 12, 1000],
  ];
  for (const [header, comm, pid, count] of cases) {
    const [row] = rowsOf(`${header}tracing_mark_write: luo: vm_pause\n`);
    assert.deepEqual([row?.comm, row?.pid, row?.count, row?.text], [comm, pid, count, "luo: vm_pause"], header);
  }
});

test("function graph with remarks of the kernel and of trace-cmd keeps return value, caller and function", () => {
  const graph = (body: string): Row => {
    const [row] = rowsOf(`cpus=2\n${head("1.000001")}funcgraph_entry:        0.123 us   |  ${body}\n`);
    return row as Row;
  };
  const cases: readonly (readonly [string, number, Readonly<Record<string, unknown>>])[] = [
    ["vfs_read() {", EventKind.graphEntry, { func: "vfs_read" }],
    ["vfs_read() /* <-ksys_read */ {", EventKind.graphEntry, { func: "vfs_read", retaddr: "ksys_read" }],
    [
      "vfs_read(file=0x1, count=2) { /* <-ksys_read */",
      EventKind.graphEntry,
      { args: "file=0x1, count=2", retaddr: "ksys_read" },
    ],
    ["vfs_read() { (1)", EventKind.graphEntry, { func: "vfs_read", retval: undefined }],
    ["rw_verify_area(); (ret=-22)", EventKind.graphLeaf, { func: "rw_verify_area", retval: -22 }],
    ["rw_verify_area(); /* <-vfs_read ret=0x0 */", EventKind.graphLeaf, { retaddr: "vfs_read", retval: 0 }],
    ["rw_verify_area [mod](); /* = 0x0 */", EventKind.graphLeaf, { func: "rw_verify_area [mod]", retval: 0 }],
    ["}", EventKind.graphExit, { func: undefined }],
    ["} (ret=0x5)", EventKind.graphExit, { retval: 5 }],
    ["} /* vfs_read */ (ret=0x5)", EventKind.graphExit, { func: "vfs_read", retval: 5 }],
    ["} /* vfs_read = 0x44 */", EventKind.graphExit, { func: "vfs_read", retval: 0x44 }],
    ["} /* vfs_read ret=0x44 */", EventKind.graphExit, { func: "vfs_read", retval: 0x44 }],
    ["} (Overruns: 3)", EventKind.graphExit, { func: undefined }],
  ];
  for (const [body, kind, fields] of cases) {
    const row = graph(body);
    assert.equal(row.kind, kind, body);
    for (const [key, value] of Object.entries(fields)) assert.equal(row.fields.get(key), value, `${body}: ${key}`);
  }
});

test("a latency tracer's graph has its time in microseconds since the latency began", () => {
  const header =
    "# tracer: irqsoff\n#\n# irqsoff latency trace v1.1.5 on 4.20.0\n#   REL TIME      CPU  TASK/PID       ||||     DURATION                  FUNCTION CALLS\n";
  const rows = rowsOf(
    `${header}        0 us |   0)   bash-1507    |  d..1 |   0.378 us    |    do_raw_spin_trylock();\n     1234 us |   0)   bash-1507    |  d..2 |               |    set_track() {\n  3800000 us |  12)   b-7          |  d..2 |   1.000 us    |    }\n`,
  );
  assert.deepEqual(
    rows.map(({ count, pid, kind }) => [count, pid, kind]),
    [
      [0, 1507, EventKind.graphLeaf],
      [1_234_000, 1507, EventKind.graphEntry],
      [3_800_000_000, 7, EventKind.graphExit],
    ],
  );
});

test("an event without name=value keeps its text as the field text", () => {
  for (const [name, text] of [
    ["kvm_exit", "vcpu 0 reason MSR_WRITE rip 0xffffffff810 info1 0x0 info2 0x0"],
    ["block_rq_issue", "8,0 R 4096 () 1234 + 8 none,0,0 [dd]"],
    ["suspend_resume", "machine_suspend[3] begin"],
    ["device_pm_callback_start", "pci 0000:00:1f.0, parent: pci0000:00, noirq bus [suspend]"],
    ["bpf_trace_printk", "hello world 5"],
  ]) {
    assert.deepEqual([...only(`${name}: ${text}`).fields], [["text", text]]);
  }
  const part = only("workqueue_queue_work: work struct=000000003a52dd5d function=f cpu=7").fields;
  assert.equal(part.get("text"), "work struct=000000003a52dd5d function=f cpu=7");
  assert.equal(part.get("function"), "f");
  assert.equal(
    only("sched_stat_runtime: comm=a pid=5 runtime=76593 [ns] vruntime=4 [ns]").fields.get("runtime"),
    76_593,
  );
});

test("a task's name is one value, whatever is in it", () => {
  for (const comm of ["x y=z", "a=b", "next_pid=1", "tmux: server", "x pid=3"]) {
    const fields = only(
      `sched_switch: prev_comm=${comm} prev_pid=1 prev_prio=120 prev_state=S ==> next_comm=${comm} next_pid=5 next_prio=1`,
    ).fields;
    assert.deepEqual([fields.get("prev_comm"), fields.get("next_comm"), fields.size], [comm, comm, 7], comm);
  }
  const report = (before: string): string =>
    rowsOf(`cpus=4\n${before}    [001]   100.000001: sched_wakeup:         comm=a pid=77\n`)[0]?.comm ?? "";
  assert.equal(report("    tmux: server-1234"), "tmux: server");
  assert.equal(report("    a: b: c: d-e-1234"), "a: b: c: d-e");
  assert.equal(report("  inst:     tmux: server-1234"), "tmux: server");
});

test("a task that the trace itself names by a switch is not printed as <...>", () => {
  const switched = (comm: string, pid: number): string =>
    `sched_switch: prev_comm=a prev_pid=1 prev_prio=120 prev_state=S ==> next_comm=${comm} next_pid=${pid} next_prio=1`;
  const unnamed = (pid: number): string =>
    `           <...>-${pid}     [001] d..2.   100.000002: sched_wakeup: comm=a pid=77\n`;
  for (const comm of ["sdma0", "a b", "x=y"]) {
    const rows = rowsOf(`${unnamed(199)}${head("100.000001")}${switched(comm, 199)}\n${unnamed(199)}${unnamed(198)}`);
    assert.deepEqual(
      rows.map((row) => row.comm),
      ["<...>", "app", comm, "<...>"],
    );
  }
});

test("a newline or a NUL in an event's string belongs to the event", () => {
  for (const [first, ...more] of [
    ['w: (0x7f3a5ff56340) fd=1 buf="mark', '" cnt=14'],
    ["w: (0x7f3a5ff56340) ch='", "' charr={'m'}"],
    ["w: (0x7f3a5ff56340) charr={'m','", "','\0'} x=1"],
    ["sched_wakeup: comm=a", "b pid=77 prio=120"],
    ["console: first", "second"],
  ]) {
    const rows = rowsOf(`${head("1.000001")}${first}\n${more.join("\n")}\n${head("1.000002")}a: b=1\n`);
    assert.deepEqual(
      rows.map(({ text }) => text),
      [`${first?.slice(first.indexOf(": ") + 2)}\n${more.join("\n")}`, "b=1"],
    );
  }
});

test("times before zero are events before zero", () => {
  const rows = rowsOf(
    `${head("-1.000002")}a: b=1\n            app-99      [001]    -0.000001: a: b=2\n${head(" 2.5")}a: b=3\n`,
  );
  assert.deepEqual(
    rows.map(({ count }) => count),
    [-1_000_002_000, -1000, 2_500_000_000],
  );
});

test("trace-cmd's stacks belong to their event", () => {
  const rows = rowsOf(
    `cpus=1\n${head("1.000001")}kernel_stack:         <stack trace >\n=> vfs_read (ffffffff81234567)\n=> ksys_read (ffffffff81234568)\n${head("1.000002")}a: b=1\n`,
  );
  assert.deepEqual(
    rows.map(({ name }) => name),
    ["kernel_stack", "a"],
  );
  assert.match(String(rows[0]?.fields.get("caller")), /^=> vfs_read .*\n=> ksys_read/);
});
