import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { after } from "node:test";
import { Ajv } from "ajv";
import { StringTable } from "../../base/bytes/string-table.js";
import { type EventChunk, EventKind, type FieldValue } from "../../model/collected.js";
import { recordedSurroundings } from "../../testing/command-testing.js";
import { hostAndGuest } from "../../testing/fakes/host-and-guest.js";
import { writeTraceDat6, writeTraceDat7 } from "../../testing/fakes/trace-dat-writer.js";
import { recordedTraceDat } from "../../testing/oracles/recorded-trace-dat.js";
import { projectRoot, traces } from "../../testing/places.js";
import { commands } from "../commands.js";
import { runCli } from "../frame/command-run.js";
import { EventLineWriter, eventJsonLine, eventTextLine, secondsText } from "./event-lines.js";

const folder = mkdtempSync(join(tmpdir(), "blackout-events-"));
after(() => rmSync(folder, { recursive: true }));

const plain = join(traces, "plain.tar.gz");

async function run(...args: readonly string[]) {
  const surroundings = recordedSurroundings();
  const code = await runCli(["events", ...args], surroundings, commands);
  return { code, lines: surroundings.written().split("\n").slice(0, -1), err: surroundings.complained() };
}

/** A shipped capture as a folder without some of its files. */
function unpackedWithout(name: string, ...without: readonly string[]): string {
  const into = mkdtempSync(join(folder, "capture-"));
  mkdirSync(into, { recursive: true });
  assert.equal(spawnSync("tar", ["-xzf", join(traces, name), "-C", into, "--strip-components=1"]).status, 0);
  const root = existsSync(join(into, "capture.json")) ? into : join(into, "..");
  for (const path of without) rmSync(join(root, path), { recursive: true, force: true });
  return root;
}

const validate = new Ajv({ strict: true, allowUnionTypes: true }).compile(
  JSON.parse(readFileSync(join(projectRoot, "docs/event.schema.json"), "utf8")),
);

interface JsonEvent {
  readonly atNs: number;
  readonly boot: "old" | "new";
  readonly cpu: number;
  readonly name: string;
  readonly kind: string;
  readonly fields: Readonly<Record<string, unknown>>;
  readonly file: string;
  readonly place: number;
}

test("around the pause of the shipped capture", async () => {
  const { code, lines, err } = await run(plain, "--from=-120us", "--to", "20us");
  assert.deepEqual([code, err], [0, ""]);
  assert.deepEqual(lines, [
    "# plain: zero is the blackout's begin (marker 'luo: vm_pause')",
    "#       time (s) boot   cpu             task-pid event: fields",
    "    -0.000114905 old  [001]             <idle>-0 sched_switch: prev_comm=swapper/1 prev_pid=0 prev_prio=120 prev_state=R ==> next_comm=rcu_sched next_pid=15 next_prio=120",
    "    -0.000056456 old  [000]            <...>-144 print: clock: realtime=1795431740.226790871 monotonic=6.596839203",
    "    -0.000010650 old  [001]         rcu_sched-15 sched_switch: prev_comm=rcu_sched prev_pid=15 prev_prio=120 prev_state=I ==> next_comm=swapper/1 next_pid=0 next_prio=120",
    "     0.000000000 old  [000]            <...>-144 print: luo: vm_pause",
    "     0.000001142 old  [001]             <idle>-0 irq_handler_entry: irq=4 name=ttyS0",
  ]);
});

for (const name of ["plain.tar.gz", "v72-v73.tar.gz", "tsc-persistent.tar.gz"]) {
  test(`${name}: every decoded event is a line, in time order, and as the schema says`, async () => {
    const capture = join(traces, name);
    const surroundings = recordedSurroundings();
    await runCli(["analyze", "--json", capture], surroundings, commands);
    const sources: readonly { boot: string; events: number; files: readonly string[] }[] = JSON.parse(
      surroundings.written(),
    ).sources;
    const { code, lines } = await run(capture, "--json");
    assert.equal(code, 0);
    const events = lines.map((line): JsonEvent => {
      const event: unknown = JSON.parse(line);
      assert.ok(validate(event), `${line}: ${JSON.stringify(validate.errors)}`);
      return event as JsonEvent;
    });
    for (const { boot, events: count, files } of sources) {
      const own = events.filter((event) => event.boot === boot);
      assert.equal(own.length, count);
      assert.deepEqual(
        own.filter(({ file }) => !files.includes(file)),
        [],
      );
    }
    assert.equal(
      events.length,
      sources.reduce((sum, { events: count }) => sum + count, 0),
    );
    const late = events.findIndex(({ atNs }, i) => i > 0 && atNs < (events[i - 1] as JsonEvent).atNs);
    assert.equal(late, -1, `event ${late} is before the one above it`);
    const text = await run(capture);
    assert.equal(text.lines.length - 2, events.length);
    const times = text.lines.slice(2).map((line) => line.trim().split(" ", 1)[0]);
    assert.deepEqual(
      times,
      events.map(({ atNs }) => secondsText(atNs)),
    );
  });
}

test("a row of pages is placed in its own CPU's file", async () => {
  const { lines } = await run(plain, "--json", "--boot", "old", "--limit", "50");
  const events = lines.map((line): JsonEvent => JSON.parse(line));
  assert.deepEqual(new Set(events.map(({ cpu }) => cpu)), new Set([0, 1]));
  for (const { cpu, file } of events) assert.equal(file, `ring/per_cpu/cpu${cpu}/trace_pipe_raw`);
});

test("selections: boot, time, names, limit", async () => {
  const { lines } = await run(plain, "--json", "--name", "luo_session_*", "--name", "prin?", "--boot", "new");
  const events = lines.map((line): JsonEvent => JSON.parse(line));
  assert.ok(events.length > 10);
  for (const { name, boot } of events) assert.match(`${boot} ${name}`, /^new (?:luo_session_|print$)/);
  assert.ok(events.some(({ name }) => name === "print") && events.some(({ name }) => name !== "print"));
  const first = await run(
    plain,
    "--json",
    "--name",
    "luo_session_*",
    "--name",
    "prin?",
    "--boot",
    "new",
    "--limit",
    "3",
  );
  assert.deepEqual(first.lines, lines.slice(0, 3));
  const from = events[4]?.atNs as number;
  const later = await run(
    plain,
    "--json",
    "--name",
    "luo_session_*",
    "--name",
    "prin?",
    "--boot=new",
    `--from=${from}ns`,
  );
  assert.deepEqual(later.lines, lines.slice(4));
});

test("if no event matches, stderr reports it and lists the events present", async () => {
  const { code, lines, err } = await run(plain, "--name", "sched_swich", "--json");
  assert.deepEqual([code, lines], [0, []]);
  assert.match(err, /no event there is named sched_swich: did you mean sched_switch\?; there are .*, … \(\d+\)/);
  assert.match((await run(plain, "--name", "x", "--from", "1h", "--json")).err, /no event lies in that time/);
});

test("without a clock link the kernels are two sections, and stderr reports why", async () => {
  const capture = unpackedWithout("plain.tar.gz", "old/clock_pairs", "new/clock_pairs", "old/dmesg", "new/dmesg");
  // The workload's marks of the realtime clock would still link them.
  for (const path of readdirSync(capture, { recursive: true, encoding: "utf8" })) {
    if (!/(?:^|\/)(?:trace|trace_pipe_raw)$/.test(path)) continue;
    const text = readFileSync(join(capture, path), "latin1");
    writeFileSync(join(capture, path), text.replaceAll("realtime=", "realtimX="), "latin1");
  }
  const { code, lines, err } = await run(capture, "--name", "print");
  assert.equal(code, 0);
  const heads = lines.filter((line) => line.startsWith("# plain"));
  assert.deepEqual(heads, [
    "# plain, old kernel, on an axis of its own: zero is the blackout's begin (marker 'luo: vm_pause')",
    "# plain, new kernel, on an axis of its own: zero is its first event",
  ]);
  assert.match(err, /no clock link joins the two kernels/);
  const boots = lines.filter((line) => !line.startsWith("#")).map((line) => /(old|new) {2}\[/.exec(line)?.[1]);
  assert.deepEqual(boots, boots.toSorted().toReversed(), "never merged");
});

test("errors of the command line, and of captures without events", async () => {
  const usage: readonly (readonly [readonly string[], RegExp])[] = [
    [[plain, "--from", "1s", "--to", "5ms"], /--from is later than --to/],
    [[plain, "--from", "5"], /--from must be a time from the axis' zero with its unit/],
    [[plain, "--boot", "odl"], /--boot must be one of old, new, found "odl"/],
    [[plain, "--limit", "0"], /--limit must be a whole number from 1/],
    [[], /INPUT is missing/],
  ];
  for (const [args, expected] of usage) {
    const { code, lines, err } = await run(...args);
    assert.deepEqual([code, lines], [2, []]);
    assert.match(err, expected);
  }
  const missing = await run(join(folder, "nowhere"));
  assert.equal(missing.code, 3);
  const empty = unpackedWithout("plain.tar.gz", "ring", "new/trace", "new/per_cpu");
  const { code, lines, err } = await run(empty);
  assert.deepEqual([code, lines], [3, []]);
  assert.match(err, /neither kernel's events can be read\n.*the update: /s);
  const half = unpackedWithout("plain.tar.gz", "ring");
  const rest = await run(half, "--limit", "1");
  assert.equal(rest.code, 0);
  assert.match(rest.err, /the old kernel's events cannot be read/);
});

test("a reader that leaves early stops it quietly", () => {
  const main = join(import.meta.dirname, "../main.js");
  const script = `"$0" "$1" events "$2" | head -n 4 | wc -l; echo "\${PIPESTATUS[0]}"`;
  const { stdout, stderr } = spawnSync("bash", ["-c", script, process.execPath, main, plain], { encoding: "utf8" });
  assert.deepEqual([stdout.trim().split(/\s+/), stderr], [["4", "0"], ""]);
});

/** A chunk of one row. */
function chunkOf(fields: readonly (readonly [string, FieldValue])[], kind: EventKind = EventKind.event): EventChunk {
  const strings = new StringTable();
  return {
    boot: "new",
    fileOf: () => "new/trace",
    inInterrupt: () => false,
    base: 0n,
    count: 1,
    time: Float64Array.of(0),
    cpu: Int16Array.of(-1),
    pid: Int32Array.of(-1),
    comm: Uint32Array.of(strings.idOf("\x1b[2Jevil")),
    name: Uint32Array.of(strings.idOf("n")),
    kind: Uint8Array.of(kind),
    place: Float64Array.of(7),
    strings,
    fields: () => new Map(fields),
    text: () => fields.map(([key, value]) => `${key}=${value}`).join(" "),
  };
}

test("JSON keeps every integer exact and every name a name", () => {
  const line = eventJsonLine(
    chunkOf([
      ["big", 2n ** 63n],
      ["negative", -(2n ** 60n)],
      ["small", 5n],
      ["__proto__", "x\n\u2028"],
      ["none", Number.NaN],
    ]),
    0,
    Number.NaN,
  );
  assert.match(line, /"fields":\{"big":"9223372036854775808","negative":"-1152921504606846976","small":5,"__proto__":/);
  const event = JSON.parse(line) as JsonEvent & { readonly pid: null };
  assert.ok(validate(JSON.parse(line)));
  assert.deepEqual([event.atNs, event.cpu, event.pid, event.fields.none, event.place], [null, null, null, null, 7]);
});

test("text of a capture never reaches the terminal as a control", () => {
  const line = eventTextLine(chunkOf([["buf", "a\nb\x1b]0;x\x07\n"]], EventKind.marker), 0, -5_123_456);
  assert.match(line, /^ {4}-0\.005123456 new {2}\[ {2}\?\] +\\x1b\[2Jevil-\? n: a\\nb\\x1b\]0;x\\x07$/);
});

test("seconds are exact to the nanosecond", () => {
  const cases: readonly (readonly [number, string])[] = [
    [0, "0.000000000"],
    [-1, "-0.000000001"],
    [1_000_000_000, "1.000000000"],
    [-12_345_678_901, "-12.345678901"],
    [Number.MAX_SAFE_INTEGER, "9007199.254740991"],
    [Number.NaN, "?"],
  ];
  for (const [ns, text] of cases) assert.equal(secondsText(ns), text);
});

test("lines are written in blocks, and no more once nobody reads", () => {
  const chunk = { ...chunkOf([["a", 1]]), count: 1 };
  const blocks: string[] = [];
  let pushed = 0;
  const writer = new EventLineWriter(eventTextLine, null, Number.POSITIVE_INFINITY, (block) => {
    blocks.push(block);
    return blocks.length < 2;
  });
  const more = writer.run((sink) => {
    for (pushed = 0; pushed < 100_000; pushed++) sink(chunk, Float64Array.of(0));
  });
  assert.equal(more, false);
  assert.equal(blocks.length, 3, "two full blocks, and the empty rest");
  assert.ok(pushed < 5_000);
  const broken = new EventLineWriter(eventTextLine, null, 1, () => true);
  assert.throws(
    () =>
      broken.run(() => {
        throw new Error("a reader's bug");
      }),
    /a reader's bug/,
  );
});

/** The events of a trace that is not a capture. */
const unpackedPlain = unpackedWithout("plain.tar.gz");

test("raw pages are printed as the kernel prints them, whatever they are named by", async () => {
  const whole = await run(join(unpackedPlain, "ring"));
  assert.deepEqual([whole.code, whole.err], [0, ""]);
  assert.match(whole.lines[0] ?? "", /^ *\S+-\d+ +\[00[01]\] [.\w]{5} +\d+\.\d{6}: \w+: /);
  // A function that calls nothing is two records and one line. What differs is how a previous boot's are listed.
  const heads = (lines: readonly string[]): readonly string[] =>
    lines.flatMap((line) => (line.startsWith("#") || line === "" ? [] : [line.slice(16, line.indexOf(": ")).trim()]));
  assert.deepEqual(heads(whole.lines), heads(readFileSync(join(unpackedPlain, "ring/trace"), "utf8").split("\n")));
  // The file of one CPU, and the formats named: the same lines.
  const one = await run(
    join(unpackedPlain, "ring/per_cpu/cpu1/trace_pipe_raw"),
    "--formats",
    join(unpackedPlain, "old"),
  );
  assert.ok(one.lines.length > 1000);
  assert.deepEqual(
    one.lines,
    whole.lines.filter((line) => line.includes(" [001] ")),
  );
  assert.deepEqual((await run(join(unpackedPlain, "ring"), "--filter", "cpu=1")).lines, one.lines);
  // The new boot's count the TSC: a time is a count.
  const fresh = await run(join(unpackedPlain, "new"), "--limit", "1");
  const count = /\s(\d{9,}): /.exec(fresh.lines[0] ?? "")?.[1];
  assert.deepEqual((await run(join(unpackedPlain, "new"), "--filter", `time=${count}`)).lines, fresh.lines);
});

test("convert writes the lines that events prints, and takes the same filter", async () => {
  const into = join(folder, "some.txt");
  const filter = ["--filter", "(event=sched_* || event=funcgraph_*) cpu=0 time=5.."];
  const { code, lines } = await run(join(unpackedPlain, "ring"), ...filter);
  assert.equal(code, 0);
  assert.ok(lines.length > 10);
  const surroundings = recordedSurroundings();
  assert.equal(
    await runCli(["convert", join(unpackedPlain, "ring"), "-o", into, ...filter], surroundings, commands),
    0,
  );
  assert.equal(readFileSync(into, "utf8"), `${lines.join("\n")}\n`);
  // ... and the text that it wrote can be read again; a task without a name then has that of its last switch.
  const plain = (line: string): string =>
    line
      .replace(/^.*?(-\d+ +\[)/, "$1")
      .replace(/\] \S{5} /, "] ")
      .replace(/ +/g, " ");
  const again = (await run(into)).lines;
  assert.deepEqual(again.map(plain), lines.map(plain));
  assert.ok(again.some((line) => /^ +cp-107 /.test(line)));
});

test("JSON of a trace has its clock's counts, and no boot", async () => {
  const { lines } = await run(join(unpackedPlain, "ring"), "--json", "--filter", "event=print");
  assert.ok(lines.length > 10);
  for (const line of lines) {
    assert.ok(validate(JSON.parse(line)), `${line}: ${JSON.stringify(validate.errors)}`);
    const event = JSON.parse(line) as Record<string, unknown>;
    assert.deepEqual([event.boot, event.atNs, event.clock, event.name], [null, null, "local", "print"]);
    assert.ok(Number.isSafeInteger(event.count));
  }
});

test("what cannot be asked of a trace, or of a filter, is refused", async () => {
  const ring = join(unpackedPlain, "ring");
  const refused = async (...args: readonly string[]): Promise<string> => {
    const { code, err, lines } = await run(...args);
    assert.deepEqual([code, lines], [2, []]);
    return err;
  };
  assert.match(await refused(ring, "--filter", "pdi=3"), /unknown key 'pdi': did you mean pid\?/);
  assert.match(await refused(plain, "--filter", "pdi=3"), /unknown key 'pdi': did you mean pid\?/);
  assert.match(await refused(ring, "--boot", "old"), /--boot is of captures/);
  assert.match(await refused(join(unpackedPlain, "new"), "--filter", "time=4.5"), /clock counts/);
  const alone = join(folder, "alone/per_cpu/cpu0");
  mkdirSync(alone, { recursive: true });
  writeFileSync(join(alone, "trace_pipe_raw"), new Uint8Array(4096));
  const bare = await run(join(folder, "alone"));
  assert.equal(bare.code, 3);
  assert.match(bare.err, /no event formats in .*: name their folder with --formats/);
  const misspelt = await run(ring, "--filter", "event=sched_swich");
  assert.match(misspelt.err, /no event there is named sched_swich: did you mean sched_switch\?/);
});

test("a filter of a capture is one of the axis, and gives what the shorthands give", async () => {
  const long = await run(plain, "--filter", "event=luo_* time=-1ms..500ms cpu=0");
  assert.ok(long.lines.length > 2);
  const short = await run(plain, "--from=-1ms", "--to", "500ms", "--name", "luo_*", "--filter", "cpu=0");
  assert.deepEqual(long.lines, short.lines);
  const all = await run(plain);
  const expected = all.lines.filter((line) => {
    const [, at, , cpu, name] = /^ *(-?[\d.]+) (\w+) +\[(\d+)\] +\S+ (\w+): /.exec(line) ?? [];
    return Number(at) >= -0.001 && Number(at) <= 0.5 && cpu === "000" && (name ?? "").startsWith("luo_");
  });
  assert.deepEqual(long.lines.slice(2), expected);
});

test("a host's and its guest's traces are merged on the host's clock", async () => {
  const { host, guest } = hostAndGuest(await recordedTraceDat());
  const [hostFile, guestFile] = [join(folder, "host.dat"), join(folder, "guest.dat")];
  writeFileSync(hostFile, writeTraceDat7(host, "zlib"));
  writeFileSync(guestFile, writeTraceDat6(guest));
  const filter = ["--filter", "time=6.0..7.0 event=sched_switch,print"];
  const { code, lines, err } = await run(hostFile, guestFile, ...filter);
  assert.deepEqual([code, err], [0, ""]);
  const times = lines.map((line) => Number(/ (\d+\.\d{6}): /.exec(line)?.[1]));
  assert.deepEqual(
    times,
    [...times].sort((a, b) => a - b),
  );
  for (const [file, label] of [
    [hostFile, " host.dat: "],
    [guestFile, "guest.dat: "],
  ] as const) {
    const own = lines.filter((line) => line.startsWith(label)).map((line) => line.slice(label.length));
    assert.ok(own.length > 5);
    assert.deepEqual((await run(file, ...filter)).lines, own);
  }
  const alone = await run(hostFile, join(unpackedPlain, "ring"), "--limit", "3");
  assert.match(alone.err, /is of no recording session with another of the traces/);
  assert.equal((await run(hostFile, join(unpackedPlain, "new"))).code, 2);
  assert.match((await run(plain, hostFile)).err, /give one at a time/);
});
