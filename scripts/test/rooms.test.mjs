import assert from "node:assert/strict";
import { test } from "node:test";
import { allImportFaults, importFaults, rooms } from "../lib/rooms.mjs";

test("the tree follows the import rule", () => {
  assert.deepEqual(allImportFaults(), []);
});

test("a forbidden import fails, in every room", () => {
  for (const [room, allowed] of Object.entries(rooms)) {
    const up = room.startsWith("viewer") ? "../../" : "../../";
    for (const other of Object.keys(rooms)) {
      const specifier = `${up}${other}/thing.js`;
      const faults = importFaults(`${room}/file.ts`, `import { thing } from "${specifier}";\n`);
      assert.equal(faults.length, other === room || allowed.includes(other) ? 0 : 1, `${room} imports ${other}`);
    }
  }
});

test("types, dynamic imports and re-exports count as imports", () => {
  for (const text of [
    'import type { A } from "../cli/main.js";',
    'const a = await import("../cli/main.js");',
    'export * from "../cli/main.js";',
    'import "../cli/main.js";',
  ]) {
    assert.equal(importFaults("src/base/time.ts", text).length, 1, text);
  }
});

test("the viewer cannot import Node.js modules", () => {
  assert.equal(importFaults("viewer/src/main.ts", 'import { readFileSync } from "node:fs";').length, 1);
  assert.equal(importFaults("src/cli/main.ts", 'import { readFileSync } from "node:fs";').length, 0);
});
