import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { deflateSync, gzipSync } from "node:zlib";
import { recordedSurroundings } from "../../testing/command-testing.js";
import { ftrace, message, packet } from "../../testing/fakes/perfetto-packets.js";
import { writeTraceDat6 } from "../../testing/fakes/trace-dat-writer.js";
import { recordedTraceDat } from "../../testing/oracles/recorded-trace-dat.js";
import { commands } from "../commands.js";
import { runCli } from "../frame/command-run.js";

const folder = mkdtempSync(join(tmpdir(), "reader-limit-"));
after(() => rmSync(folder, { recursive: true }));

async function run(...args: readonly string[]): Promise<{ code: number; lines: string[]; err: string }> {
  const surroundings = recordedSurroundings();
  const code = await runCli(args, surroundings, commands);
  const lines = surroundings.written().split("\n").slice(0, -1);
  return { code, lines, err: surroundings.complained() };
}

const SOFTIRQ = message([1, 9]);
const bundle = (...times: readonly number[]): Uint8Array =>
  packet([1, message([1, 0], ...times.map((time) => ftrace(time, 1, 24, SOFTIRQ)))]);

/** A length-delimited field; it may have more bytes than a call can have arguments. */
function longField(field: number, bytes: Uint8Array): Uint8Array {
  const varint = (value: number): number[] =>
    value < 128 ? [value] : [(value % 128) + 128, ...varint(Math.floor(value / 128))];
  return Buffer.concat([Buffer.from([...varint(field * 8 + 2), ...varint(bytes.length)]), bytes]);
}
const filler = (bytes: number): Uint8Array => longField(1, longField(900, new Uint8Array(bytes)));

test("raised, a limit of a Perfetto trace reads what was refused", async () => {
  // A field of no meaning fills the packed packet to more than 16 MiB.
  const large = Buffer.concat([bundle(1_000), filler(17 << 20)]);
  const path = join(folder, "packed.pftrace");
  writeFileSync(path, Buffer.concat([bundle(2_000), packet([50, deflateSync(large)])]));
  const refused = await run("events", path);
  assert.equal(refused.lines.length, 1);
  assert.match(refused.err, /perfetto-damaged/);
  const read = await run("events", path, "--reader-limit", "perfetto-packed-bytes=32MiB");
  assert.deepEqual([read.lines.length, read.err], [2, ""]);
});

test("lowered and raised, the limits of each reader hold", async () => {
  const bundles = join(folder, "bundles.pftrace");
  writeFileSync(bundles, Buffer.concat([bundle(1, 2), bundle(3, 4)]));
  const two = await run("events", bundles, "--reader-limit=perfetto-events=2");
  assert.equal(two.lines.length, 2);
  assert.match(two.err, /perfetto-too-many.*2 events were left out.*--reader-limit perfetto-events=/);
  const gzipped = join(folder, "whole.pftrace.gz");
  writeFileSync(gzipped, gzipSync(Buffer.concat([bundle(1), filler(5_000)])));
  const packed = await run("events", gzipped, "--reader-limit", "packed-trace-bytes=4KiB");
  assert.deepEqual([packed.code, packed.lines], [3, []]);
  assert.match(packed.err, /unpacks to more than 4,096 bytes; unpack it first/);
  assert.equal((await run("events", gzipped)).lines.length, 1);

  const dat = join(folder, "trace.dat");
  writeFileSync(dat, writeTraceDat6(await recordedTraceDat()));
  const first = ["events", dat, "--limit", "1"];
  const small = await run(...first, "--reader-limit", "trace-dat-section-bytes=1KiB");
  assert.equal(small.code, 3);
  assert.match(small.err, /more than the 1024 allowed \(--reader-limit trace-dat-section-bytes=…\)/);
  const usual = await run(...first);
  assert.equal(usual.code, 0);
  assert.deepEqual(await run(...first, "--reader-limit", "trace-dat-section-bytes=512MiB"), usual);
});

test("a capture's files are read to the limit that is given", async () => {
  const plain = "traces/plain.tar.gz";
  const { code, err } = await run("analyze", plain, "--reader-limit", "capture-files=3");
  assert.equal(code, 3);
  assert.match(err, /more than 3 members.*too-many-members/s);
  const short = await run("analyze", "--json", plain, "--reader-limit=log-lines=10", "--reader-limit=log-lines=20");
  const { defects } = JSON.parse(short.lines.join("\n"));
  const cut = defects.find((defect: { code: string }) => defect.code === "printk-log-cut");
  assert.match(cut.message, /at most 20 lines/);
});

test("an unknown limit is refused, and the error lists the limits", async () => {
  for (const wrong of [
    "kallsym-bytes=1GiB",
    "kallsyms-bytes",
    "kallsyms-bytes=1",
    "kallsyms-bytes=9GiB",
    "log-lines=1MiB",
    "log-lines=0",
  ]) {
    const { code, err } = await run("events", "x", "--reader-limit", wrong);
    assert.equal(code, 2, wrong);
    assert.match(err, /--reader-limit must be NAME=SIZE .*kallsyms-bytes.*NAME=N .*log-lines/s);
  }
});
