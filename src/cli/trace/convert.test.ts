import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { recordedSurroundings } from "../../testing/command-testing.js";
import { payloadOf, writePages } from "../../testing/fakes/ring-pages.js";
import { writeTraceDat6, writeTraceDat7 } from "../../testing/fakes/trace-dat-writer.js";
import { projectRoot, traces } from "../../testing/places.js";
import { commands } from "../commands.js";
import { runCli } from "../frame/command-run.js";

const folder = mkdtempSync(join(tmpdir(), "convert-"));
after(() => rmSync(folder, { recursive: true }));

async function convert(...args: readonly string[]): Promise<{ code: number; said: string }> {
  const surroundings = recordedSurroundings();
  const code = await runCli(["convert", ...args], surroundings, commands);
  return { code, said: surroundings.complained() };
}

/** The shipped capture's files, by path. */
function unpacked(): string {
  const into = join(folder, "plain");
  if (existsSync(into)) return into;
  assert.equal(spawnSync("mkdir", ["-p", into]).status, 0);
  const tar = spawnSync("tar", ["-xzf", join(traces, "plain.tar.gz"), "-C", into, "--strip-components=1"]);
  assert.equal(tar.status, 0);
  assert.equal(spawnSync("gzip", ["-dk", join(into, "new/formats.gz"), join(into, "new/kallsyms.gz")]).status, 0);
  return into;
}

/** The new boot's buffer as trace-cmd would have saved it. */
function newBootDat(): string {
  const capture = unpacked();
  const text = (path: string): string => readFileSync(join(capture, "new", path), "utf8");
  const byPath = new Map<string, string[]>();
  for (const line of text("formats").split("\n")) {
    const match = /^(.*?\/format):(.*)$/.exec(line);
    if (match !== null) byPath.set(match[1] as string, [...(byPath.get(match[1] as string) ?? []), match[2] as string]);
  }
  const path = join(folder, "new.dat");
  const bytes = writeTraceDat7(
    {
      littleEndian: true,
      longBytes: 8,
      headerPage: text("header_page"),
      formats: [...byPath].map(([file, lines]) => ({
        system: file.split("/").at(-3) as string,
        text: lines.join("\n"),
      })),
      kallsyms: readFileSync(join(capture, "new/kallsyms")),
      printkFormats: text("printk_formats"),
      cmdlines: text("saved_cmdlines"),
      clock: "x86-tsc",
      buffers: [
        { name: "", cpus: [0, 1].map((cpu) => readFileSync(join(capture, `new/per_cpu/cpu${cpu}/trace_pipe_raw`))) },
      ],
    },
    "zlib",
  );
  writeFileSync(path, bytes);
  return path;
}

test("a trace.dat becomes the text, the JSON and the Perfetto trace of the same events", async () => {
  const dat = newBootDat();
  const events = /entries-in-buffer\/entries-written: (\d+)/.exec(
    readFileSync(join(unpacked(), "new/trace"), "utf8"),
  )?.[1];
  const entries = ["cpu0", "cpu1"].reduce((sum, cpu) => {
    const stats = readFileSync(join(unpacked(), `new/per_cpu/${cpu}/stats`), "utf8");
    return sum + Number(/^entries: (\d+)/m.exec(stats)?.[1]);
  }, 0);
  assert.equal(events, undefined, "function_graph's header has no counts");

  const text = join(folder, "new.txt");
  assert.deepEqual(await convert(dat, "-o", text), {
    code: 0,
    said: `${text}: ${readFileSync(text).length.toLocaleString("en")} bytes, ${entries.toLocaleString("en")} events\n`,
  });
  const lines = readFileSync(text, "utf8").split("\n");
  assert.match(
    lines[0] ?? "",
    /^ {12}init-1 {7}\[001\] \S{5} {2}\d+: sched_waking: comm=cpuhp\/0 pid=20 prio=120 target_cpu=000$/,
  );

  const json = join(folder, "new.json");
  assert.equal((await convert(dat, "-o", json)).code, 0);
  const parsed: { traceEvents: { ph: string; ts?: number; name: string }[] } = JSON.parse(readFileSync(json, "utf8"));
  assert.equal(parsed.traceEvents.filter(({ ph }) => ph !== "M").length, entries);

  const pftrace = join(folder, "new.pftrace");
  const { code, said } = await convert(dat, "-o", pftrace);
  assert.equal(code, 0);
  const [, scheduler, others, slices] =
    /, ([\d,]+) scheduler and interrupt events, ([\d,]+) other events, ([\d,]+) slices, ([\d,]+) marks/.exec(said) ??
    [];
  const number = (value: string | undefined): number => Number(value?.replaceAll(",", ""));
  const graphExits = parsed.traceEvents.filter(({ ph }) => ph === "E").length;
  assert.equal(number(scheduler) + number(slices) + number(others) + graphExits, entries);
  const protoc = spawnSync(
    "protoc",
    ["--decode=perfetto.protos.Trace", `-I${join(projectRoot, "src/export/perfetto")}`, "perfetto.proto"],
    { input: readFileSync(pftrace), maxBuffer: 1 << 28, encoding: "latin1" },
  );
  if (protoc.error === undefined) {
    assert.equal(protoc.status, 0, protoc.stderr);
    assert.equal(
      protoc.stdout.match(/^ {6}sched_switch \{$|^ {4}sched_switch \{$/gm)?.length ?? 0,
      parsed.traceEvents.filter(({ name }) => name === "sched_switch").length,
    );
    assert.equal(
      protoc.stdout.match(/type: TYPE_SLICE_BEGIN/g)?.length,
      protoc.stdout.match(/type: TYPE_SLICE_END/g)?.length,
    );
  }
});

test("a Perfetto trace returns the scheduler's events that were written into it", async () => {
  const dat = newBootDat();
  const pftrace = join(folder, "round.pftrace");
  assert.equal((await convert(dat, "-o", pftrace, "--name", "sched_*", "--name", "*irq_*")).code, 0);
  const back = join(folder, "back.json");
  const there = join(folder, "there.json");
  assert.equal((await convert(pftrace, "-o", back)).code, 0);
  assert.equal((await convert(dat, "-o", there, "--name", "sched_*", "--name", "*irq_*")).code, 0);
  const events = (path: string): { name: string; ts: number; tid: number; args: Record<string, unknown> }[] =>
    JSON.parse(readFileSync(path, "utf8")).traceEvents.filter(({ ph }: { ph: string }) => ph === "i");
  const [ours, theirs] = [events(back), events(there)];
  const head = ({ name, ts, tid }: { name: string; ts: number; tid: number }): string => `${ts} ${tid} ${name}`;
  assert.deepEqual(ours.map(head), theirs.map(head));
  const switches = (all: typeof ours) => all.filter(({ name }) => name === "sched_switch").map(({ args }) => args);
  assert.deepEqual(switches(ours), switches(theirs));
});

test("what is not wanted is left out", async () => {
  const dat = newBootDat();
  const out = join(folder, "few.txt");
  const lines = async (...options: readonly string[]): Promise<string[]> => {
    assert.equal((await convert(dat, "-o", out, ...options)).code, 0);
    return readFileSync(out, "utf8").trimEnd().split("\n");
  };
  const all = await lines();
  const markers = all.filter((line) => line.includes(": tracing_mark_write: "));
  assert.deepEqual(await lines("--name", "print"), markers);
  assert.deepEqual(
    await lines("--cpu", "0"),
    all.filter((line) => line.includes("[000]")),
  );
  assert.deepEqual(
    await lines("--pid", "1", "--name", "sched_*", "--cpu", "1"),
    all.filter((line) => /^.{16}-1 +\[001\] \S+ +\d+: sched_\w+: /.test(line)),
  );
});

test("the kernel's text is converted as well", async () => {
  const out = join(folder, "text.json");
  assert.equal((await convert(join(unpacked(), "new/trace"), "-o", out)).code, 0);
  const parsed: { traceEvents: { ph: string }[] } = JSON.parse(readFileSync(out, "utf8"));
  assert.ok(parsed.traceEvents.length > 6000);
});

test("stamps beyond what a double holds are counted from the first event", async () => {
  const layout = { pageBytes: 4096, dataOffset: 16, commitBytes: 8 } as const;
  const epoch = 1_795_431_740_000_000_001n;
  const records = [epoch, epoch + 5n].map((time) => ({ time, payload: payloadOf(7, 5, new Uint8Array(4), true) }));
  const field = (name: string, offset: number, size: number): string =>
    `\tfield:${name};\toffset:${offset};\tsize:${size};\tsigned:0;\n`;
  const dat = join(folder, "epoch.dat");
  writeFileSync(
    dat,
    writeTraceDat6({
      littleEndian: true,
      longBytes: 8,
      headerPage: "",
      formats: [
        {
          system: "test",
          text: `name: made_up\nID: 7\nformat:\n${field("unsigned short common_type", 0, 2)}${field("int common_pid", 4, 4)}\n${field("u32 value", 8, 4)}\nprint fmt: "value=%u", REC->value\n`,
        },
      ],
      kallsyms: new Uint8Array(0),
      printkFormats: "",
      cmdlines: "5 worker\n",
      clock: "tai",
      buffers: [{ name: "", cpus: [writePages(records, { layout, littleEndian: true })] }],
    }),
  );
  const out = join(folder, "epoch.json");
  assert.equal((await convert(dat, "-o", out)).code, 0);
  const parsed: { traceEvents: { ph: string; ts: number }[] } = JSON.parse(readFileSync(out, "utf8"));
  assert.deepEqual(
    parsed.traceEvents.filter(({ ph }) => ph === "i").map(({ ts }) => ts),
    [0, 0.005],
  );
});

test("what cannot be converted is refused with a reason", async () => {
  const dat = newBootDat();
  assert.match((await convert(dat, "-o", join(folder, "x.dat"))).said, /must end in \.pftrace, \.json or \.txt/);
  assert.equal((await convert(dat, "-o", join(folder, "x.dat"))).code, 2);
  const missing = await convert(join(folder, "nothing"), "-o", join(folder, "x.txt"));
  assert.equal(missing.code, 3);
  assert.match(missing.said, /no such file/);
  const image = join(folder, "image");
  writeFileSync(image, Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0, 0, 0, 0));
  assert.match((await convert(image, "-o", join(folder, "x.txt"))).said, /unrecognized format/);
  const cut = join(folder, "cut.dat");
  writeFileSync(cut, readFileSync(dat).subarray(0, 40));
  assert.equal((await convert(cut, "-o", join(folder, "x.txt"))).code, 3);
  assert.equal((await convert(dat, "-o", join(dat, "x.txt"))).code, 3);
});
