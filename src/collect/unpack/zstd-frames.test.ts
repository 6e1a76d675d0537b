import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { zstdRaw, zstdZeros } from "../../testing/fakes/tar.js";
import { ZstdFrames } from "./zstd-frames.js";
import type { ZstdFault } from "./zstd-header.js";

interface Walked {
  readonly parts: readonly Uint8Array[];
  readonly fault: ZstdFault | null;
}

function walk(bytes: Uint8Array, piece = bytes.length): Walked {
  const frames = new ZstdFrames();
  const parts: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; at += Math.max(1, piece)) {
    const found = frames.push(bytes.subarray(at, at + Math.max(1, piece)));
    for (let next = found.next(); ; next = found.next()) {
      if (next.done !== true) parts.push(Uint8Array.from(next.value.bytes));
      else if (next.value !== null) return { parts, fault: next.value };
      else break;
    }
  }
  return { parts, fault: frames.end() };
}

const frame = zstdRaw(Buffer.from("some data"));
const skippable = Buffer.from([0x5f, 0x2a, 0x4d, 0x18, 4, 0, 0, 0, 1, 2, 3, 4]);

test("a frame is its header and its blocks, however its bytes arrive", () => {
  for (const piece of [1, 2, 3, 7, 1_000]) {
    const { parts, fault } = walk(zstdZeros(5), piece);
    assert.equal(fault, null);
    assert.deepEqual(
      parts.map((part) => part.length),
      [6, 4, 4, 4, 4, 4],
    );
  }
});

test("frames follow each other; those of application data are passed over", () => {
  const { parts, fault } = walk(Buffer.concat([skippable, frame, skippable, frame]), 5);
  assert.equal(fault, null);
  assert.deepEqual(Buffer.concat(parts), Buffer.concat([frame, frame]));
});

test("cut anywhere it is truncated", () => {
  const whole = Buffer.concat([frame, skippable, frame]);
  const ends = [frame.length, frame.length + skippable.length];
  for (let keep = 0; keep < whole.length; keep++) {
    const { fault } = walk(whole.subarray(0, keep));
    assert.equal(fault?.what ?? null, ends.includes(keep) ? null : "truncated", String(keep));
  }
});

test("anything but a frame, one that needs a dictionary, or more memory than is allowed", () => {
  const faultOf = (bytes: readonly number[]): unknown =>
    walk(Uint8Array.from([0x28, 0xb5, 0x2f, 0xfd, ...bytes, ...Array(12).fill(0)])).fault;
  assert.equal(walk(Buffer.from("no frame at all")).fault?.what, "corrupt");
  assert.deepEqual(faultOf([0x01, 0x50, 9]), { what: "corrupt", why: "a frame needs a dictionary" });
  assert.deepEqual(faultOf([0x08, 0x50]), { what: "corrupt", why: "a frame sets a reserved bit" });
  assert.deepEqual(faultOf([0x00, 0x69]), { what: "window", bytes: 8 * 2 ** 20 + 2 ** 20 });
  assert.deepEqual(
    faultOf([0xe0, 0, 0, 0, 0, 1, 0, 0, 0]),
    { what: "window", bytes: 2 ** 32 },
    "a single segment is its own window",
  );
  assert.equal(faultOf([0x00, 0x68, 0x07])?.constructor, Object, "8 MiB are allowed; a block of type 3 is not");
});

test("any bytes: parts are bounded, in order, and part of what went in", () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 60 }),
      fc.nat(frame.length),
      fc.integer({ min: 1, max: 9 }),
      (noise, at, piece) => {
        const bytes = Buffer.concat([frame.subarray(0, at), noise, frame]);
        const { parts, fault } = walk(bytes, piece);
        assert.deepEqual(walk(bytes).parts, parts);
        assert.ok(parts.reduce((sum, part) => sum + part.length, 0) <= bytes.length);
        assert.ok(fault === null || ["corrupt", "truncated", "window"].includes(fault.what));
      },
    ),
    { numRuns: 500 },
  );
});
