import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { recordedSurroundings } from "../../testing/command-testing.js";
import { type ReadTrace, reread } from "../../testing/oracles/perfetto-reread.js";
import { traces } from "../../testing/places.js";
import { commands } from "../commands.js";
import { runCli } from "../frame/command-run.js";

const folder = mkdtempSync(join(tmpdir(), "convert-perfetto-"));
after(() => rmSync(folder, { recursive: true }));

async function converted(path: string, ...more: readonly string[]): Promise<{ trace: ReadTrace; said: string }> {
  const surroundings = recordedSurroundings();
  const out = join(folder, "out.pftrace");
  assert.equal(await runCli(["convert", path, "-o", out, ...more], surroundings, commands), 0);
  return { trace: reread(readFileSync(out)), said: surroundings.complained() };
}

const HEADER =
  "# tracer: nop\n#\n#           TASK-PID     CPU#  |||||  TIMESTAMP  FUNCTION\n#              | |         |   |||||     |         |\n";
function text(...lines: readonly string[]): string {
  const path = join(folder, "trace.txt");
  const rows = lines.map(
    (line, i) => `             app-1234    [000] d..2.   100.${String(100 + i).padStart(6, "0")}: ${line}\n`,
  );
  writeFileSync(path, HEADER + rows.join(""));
  return path;
}

test("without a release, trace_processor gets one whose states have the bits that are written", async () => {
  const { trace } = await converted(
    text(
      "sched_switch: prev_comm=app prev_pid=1234 prev_prio=120 prev_state=I ==> next_comm=x next_pid=7 next_prio=120",
    ),
  );
  assert.match(trace.uname.release ?? "", /^4\.14\./);
  assert.equal(trace.ftrace[0]?.fields.prev_state, 0x80);
});

test("a timer whose address the kernel printed without 0x is a typed event", async () => {
  const { trace } = await converted(
    text(
      "hrtimer_expire_entry: hrtimer=000000003822d8b0 function=hrtimer_wakeup now=100001200000",
      "hrtimer_expire_exit: hrtimer=000000003822d8b0",
      "workqueue_execute_start: work struct 00000000a3b1d2e4: function vmstat_update+0x0/0x70",
    ),
  );
  assert.deepEqual(
    trace.ftrace.map(({ name, fields }) => [name, ...Object.values(fields)]),
    [
      ["hrtimer_expire_entry", 0x3822d8b0, 100001200000, "hrtimer_wakeup"],
      ["hrtimer_expire_exit", 0x3822d8b0],
      ["workqueue_execute_start", 0xa3b1d2e4, "vmstat_update"],
    ],
  );
});

test("atrace's marks become prints, of which Perfetto makes slices and counters; other marks keep their text", async () => {
  const marks = ["B|1234|load", "C|1234|queue|3", "E|1234", "S|1234|async|7", "F|1234|async|7", "E"];
  const { trace } = await converted(
    text(...[...marks, "luo: vm_pause", "Bad|1", "B|x|y"].map((mark) => `tracing_mark_write: ${mark}`)),
  );
  assert.deepEqual(
    trace.ftrace.map(({ name, fields }) => `${name} ${fields.buf}`),
    [...marks, "luo: vm_pause", "Bad|1", "B|x|y"].map((mark) => `print ${mark}`),
  );
  assert.deepEqual(
    [...trace.tracks.values()].flatMap(({ instants }) => instants.map(({ name }) => name)),
    ["luo: vm_pause", "Bad|1", "B|x|y"],
  );
});

test("frequencies, blocked reasons, new and renamed tasks, suspend steps have messages; all others are kept whole", async () => {
  const { trace } = await converted(
    text(
      "cpu_frequency: state=1200000 cpu_id=1",
      "sched_blocked_reason: pid=1235 iowait=1 caller=io_schedule+0x0/0x40",
      "task_newtask: pid=1236 comm=app clone_flags=3d0f00 oom_score_adj=0",
      "task_rename: pid=1236 oldcomm=app newcomm=worker oom_score_adj=0",
      "suspend_resume: dpm_prepare[2] begin",
      "block_rq_issue: 253,0 WS 4096 () 1000 + 8 none,0,0 [app]",
      "softirq_raise: vec=RCU",
      "luo_preserve: token=256 session=s1",
    ),
  );
  assert.deepEqual(
    trace.ftrace.map(({ name, fields }) => [name, fields]),
    [
      ["cpu_frequency", { state: 1200000, cpu_id: 1 }],
      ["sched_blocked_reason", { pid: 1235, caller: "io_schedule", io_wait: 1 }],
      ["task_newtask", { pid: 1236, comm: "app", clone_flags: 0x3d0f00, oom_score_adj: 0 }],
      ["task_rename", { pid: 1236, oldcomm: "app", newcomm: "worker", oom_score_adj: 0 }],
      ["suspend_resume", { action: "dpm_prepare", val: 2, start: 1 }],
      ["block_rq_issue", { text: "253,0 WS 4096 () 1000 + 8 none,0,0 [app]" }],
      ["softirq_raise", { vec: "RCU" }],
      ["luo_preserve", { token: "256", session: "s1" }],
    ],
  );
});

/** The new boot's pages of a shipped capture, which are on the TSC, with or without its log. */
function pagesWith(log: boolean): string {
  const into = join(folder, log ? "log" : "bare");
  mkdirSync(into);
  assert.equal(spawnSync("tar", ["-xzf", join(traces, "plain.tar.gz"), "-C", into, "--strip-components=1"]).status, 0);
  if (!log) rmSync(join(into, "new/dmesg"));
  return join(into, "new");
}

test("counts of the TSC become nanoseconds by the rate in the log beside them; without it the trace has a note, and a warning is printed", async () => {
  const scaled = await converted(pagesWith(true));
  const bare = await converted(pagesWith(false));
  const extent = ({ ftrace }: ReadTrace): number => {
    const times = ftrace.map(({ at }) => at);
    return Math.max(...times) - Math.min(...times);
  };
  assert.equal(scaled.trace.ftrace.length, bare.trace.ftrace.length);
  const mhz = /tsc: (?:Detected|Refined TSC clocksource calibration:) ([\d.]+) MHz/g;
  const rates = [...readFileSync(join(folder, "log/new/dmesg"), "utf8").matchAll(mhz)];
  const ghz = Number(rates.at(-1)?.[1]) / 1000;
  assert.ok(Math.abs(extent(bare.trace) / extent(scaled.trace) / ghz - 1) < 1e-4);
  assert.doesNotMatch(scaled.said, /counts of the clock/);
  assert.match(bare.said, /warning .*: times are counts of the clock x86-tsc, not nanoseconds: put the boot's dmesg/);
  assert.equal(
    bare.trace.attributes.get("blackout.clock_note"),
    "times are counts of the clock x86-tsc, not nanoseconds",
  );
});

test("what was converted reads back as the same events, with the same fields", async () => {
  const path = text(
    "sched_waking: comm=x pid=7 prio=120 target_cpu=000",
    "block_rq_issue: 253,0 WS 4096 () 1000 + 8 none,0,0 [app]",
    "tracing_mark_write: luo: vm_pause",
    "luo_preserve: token=256 session=s1",
  );
  await converted(path);
  const surroundings = recordedSurroundings();
  assert.equal(await runCli(["events", join(folder, "out.pftrace"), "--json"], surroundings, commands), 0);
  const rows: Readonly<Record<string, unknown>>[] = surroundings
    .written()
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  assert.deepEqual(
    rows.map(({ name, kind, pid, cpu }) => [name, kind, pid, cpu]),
    [
      ["sched_waking", "event", 1234, 0],
      ["block_rq_issue", "event", 1234, 0],
      ["print", "marker", 1234, 0],
      ["luo_preserve", "event", 1234, 0],
    ],
  );
  assert.deepEqual(rows[2]?.fields, { buf: "luo: vm_pause" });
  assert.deepEqual(rows[3]?.fields, { token: "256", session: "s1" });
});
