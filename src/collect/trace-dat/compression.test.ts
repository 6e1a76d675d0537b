import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import test from "node:test";
import { deflateSync } from "node:zlib";
import { unpack } from "./compression.js";

const skip = spawnSync("zstd", ["--version"]).error !== undefined && "no zstd";
const content = randomBytes(5000);
// From a pipe, its size not known beforehand, the frame does not say how much it holds.
const packedBy = (...options: readonly string[]): Uint8Array =>
  execFileSync("zstd", ["-q", "-c", ...options], { input: content });

test("zstd: exactly what is announced comes out, whether or not the frame says its size", { skip }, () => {
  for (const packed of [packedBy(), packedBy("--stream-size=5000")]) {
    const found = unpack(packed, 5000, "zstd");
    assert.ok(found.ok, found.ok ? "" : found.error);
    assert.deepEqual(Buffer.from(found.value), content);
    for (const announced of [4999, 5001, 8192]) assert.ok(!unpack(packed, announced, "zstd").ok, `${announced}`);
  }
});

test("zlib: exactly what is announced comes out", () => {
  const packed = deflateSync(content);
  assert.deepEqual(unpack(packed, 5000, "zlib"), { ok: true, value: content });
  for (const announced of [4999, 5001]) assert.ok(!unpack(packed, announced, "zlib").ok);
});
