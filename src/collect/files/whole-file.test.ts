import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { after } from "node:test";
import { gzipSync } from "node:zlib";
import type { DefectInput } from "../../base/defect.js";
import { openFile } from "./open-file.js";
import { wholeFile } from "./whole-file.js";

const folder = mkdtempSync(join(tmpdir(), "blackout-whole-"));
after(() => rmSync(folder, { recursive: true }));

function read(name: string, bytes: Uint8Array, limit: number) {
  const path = join(folder, name);
  writeFileSync(path, bytes);
  const defects: DefectInput[] = [];
  return { content: wholeFile(name, () => openFile(path), limit, { defect: (found) => defects.push(found) }), defects };
}

test("a packed file comes back whole, whatever its trailer announces", () => {
  const content = Buffer.from("ffffffff81000000 T _text\n".repeat(10_000));
  const packed = gzipSync(content);
  assert.deepEqual(read("a.gz", packed, 1 << 20).content, content);
  const [first, second] = [content.subarray(0, 70_000), content.subarray(70_000)];
  assert.deepEqual(read("b.gz", Buffer.concat([gzipSync(first), gzipSync(second)]), 1 << 20).content, content);
});

test("a file beyond its limit, or that unpacks to an unbelievable multiple of its size, is reported and not kept", () => {
  const { content, defects } = read("c.gz", gzipSync(Buffer.alloc(2_000_000)), 1_000_000);
  assert.equal(content, null);
  assert.match(defects[0]?.message ?? "", /more than the 1,000,000 bytes/);
  const bomb = read("d.gz", gzipSync(Buffer.alloc(100 << 20, 97)), 256 << 20);
  assert.equal(bomb.content, null);
  assert.deepEqual([bomb.defects.length, bomb.defects[0]?.code], [1, "file-too-large"]);
  assert.match(bomb.defects[0]?.message ?? "", /more than 64 times its size/);
});
