import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { unpack } from "../trace-dat/compression.js";
import { unpackZstd } from "./zstd.js";

const hasZstd = spawnSync("zstd", ["--version"]).status === 0;
const skip = hasZstd ? false : "zstd is not installed";
const pack = (bytes: Uint8Array, ...options: readonly string[]): Uint8Array =>
  spawnSync("zstd", ["-q", "-c", ...options], { input: bytes, maxBuffer: 1 << 28 }).stdout;

const text = Uint8Array.from({ length: 3_000_000 }, (_, i) => ((i * i) % 251) ^ (i >> 9));

test("frames of any level, one after the other, come back", { skip }, () => {
  for (const level of ["-1", "-19"]) {
    const packed = pack(text, level);
    assert.deepEqual(unpackZstd(packed, text.length), { ok: true, value: text });
    const two = unpackZstd(Buffer.concat([packed, pack(text.subarray(0, 5))]), 1 << 24);
    assert.ok(two.ok);
    assert.equal(two.value.length, text.length + 5);
    assert.deepEqual(two.value.subarray(text.length), text.slice(0, 5));
  }
});

test("a frame whose content is not what its checksum states is refused, wherever the damage is", { skip }, () => {
  // Raw blocks, so that a changed byte of content still unpacks.
  const content = Uint8Array.from({ length: 5_000 }, (_, i) => Math.imul(i + 1, 2_654_435_761) >>> 24);
  const packed = pack(content);
  assert.deepEqual(unpackZstd(packed, 1 << 20), { ok: true, value: content });
  const reasons: string[] = [];
  for (let at = 20; at < packed.length; at += 97) {
    const damaged = Uint8Array.from(packed);
    damaged[at] = (damaged[at] as number) ^ 1;
    const found = unpackZstd(damaged, 1 << 20);
    assert.ok(!found.ok, `byte ${at}`);
    reasons.push(found.error);
  }
  assert.ok(reasons.some((reason) => /its content has the checksum [0-9a-f]{8}, and its frame states/.test(reason)));
  const other = Uint8Array.from(packed);
  other[packed.length - 1] = (other[packed.length - 1] as number) ^ 0x80;
  const found = unpackZstd(other, 1 << 20);
  assert.match(found.ok ? "" : found.error, /checksum/);
});

test("short frames, with and without a checksum, and skippable ones before and between them", { skip }, () => {
  const skippable = Uint8Array.of(0x50, 0x2a, 0x4d, 0x18, 4, 0, 0, 0, 1, 2, 3, 4);
  for (const content of ["", "a", "short", "x".repeat(40)].map((each) => new TextEncoder().encode(each))) {
    for (const option of ["--check", "--no-check"]) {
      const packed = Buffer.concat([skippable, pack(content, option), skippable, pack(content, option)]);
      assert.deepEqual(unpackZstd(packed, 100), { ok: true, value: Uint8Array.of(...content, ...content) });
    }
  }
});

test("what is too large, needs too much memory, or is cut is refused with a reason", { skip }, () => {
  const reason = (packed: Uint8Array, most = 1 << 24): string => {
    const found = unpackZstd(packed, most);
    assert.ok(!found.ok);
    return found.error;
  };
  const packed = pack(text);
  assert.match(reason(packed, text.length - 1), /more than 2999999 bytes/);
  assert.match(reason(pack(new Uint8Array(64 << 20))), /more than 16777216 bytes/);
  assert.match(reason(packed.subarray(0, packed.length - 9)), /it ends inside/);
  assert.match(reason(Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd, 0, 0xff, 0, 0, 0, 0)), /a window of \d+ bytes/);
  assert.match(reason(new Uint8Array(0)), /empty/);
});

test("found by fuzzing: a chunk of trace.dat that announces what it cannot hold costs neither time nor memory", {
  skip,
}, () => {
  const packed = pack(new Uint8Array(100));
  const before = process.cpuUsage();
  const bomb = unpack(packed, 200 << 20, "zstd");
  assert.ok(!bomb.ok && /announce that they unpack to 209715200/.test(bomb.error));
  // A frame that does not say how much it holds.
  unpack(Uint8Array.of(...packed.subarray(0, 4), 0x04, 0x58, ...packed.subarray(6)), 15 << 20, "zstd");
  const { user } = process.cpuUsage(before);
  assert.ok(user < 500_000, `${user} us`);
});
