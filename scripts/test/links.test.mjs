import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { allLinkFaults, anchorOf, contentsFaults, linkFaults, roomTable, unnamedDrawers } from "../lib/links.mjs";
import { inProject } from "../lib/project.mjs";
import { rooms } from "../lib/rooms.mjs";

test("every link, heading and path that the documents name exists", () => {
  assert.deepEqual(allLinkFaults(), []);
});

test("the table of rooms in docs/architecture.md is the import rule", () => {
  assert.deepEqual(roomTable(readFileSync(inProject("docs/architecture.md"), "utf8")), rooms);
});

test("every room has a README that names its drawers", () => {
  const faults = Object.keys(rooms)
    .filter((room) => room.startsWith("src/"))
    .flatMap((room) => {
      const folders = readdirSync(inProject(room), { withFileTypes: true })
        .filter((entry) => entry.isDirectory())
        .map((entry) => entry.name);
      return unnamedDrawers(room, readFileSync(inProject(room, "README.md"), "utf8"), folders);
    });
  assert.deepEqual(faults, []);
});

test("a link to a missing file, a missing heading and a missing path are faults with their line", () => {
  const folder = mkdtempSync(join(tmpdir(), "links-"));
  try {
    writeFileSync(join(folder, "a.md"), "# One `two`\n");
    const text = "[a](a.md) [b](b.md)\n[c](a.md#one-two) [d](a.md#three)\n`src/none.ts` `out/x`\n\n    [e](e.md)\n";
    assert.deepEqual(linkFaults("x.md", text, folder), [
      "x.md:1: the link b.md leads to no file",
      "x.md:2: a.md has no heading for the link a.md#three",
      "x.md:3: the file src/none.ts does not exist",
    ]);
    assert.deepEqual(contentsFaults("README.md", "| file | holds |\n| --- | --- |\n| `a.md`, `b.md` | |\n", folder), [
      "README.md:3: b.md does not exist in .",
    ]);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("anchors are GitHub's", () => {
  assert.equal(anchorOf("What else is in the file?"), "what-else-is-in-the-file");
  assert.equal(anchorOf("`blackout history`: where did it change?"), "blackout-history-where-did-it-change");
});

test("a drawer without a row is a fault", () => {
  assert.deepEqual(unnamedDrawers("src/x", "`a/`", ["a", "b"]), ["src/x/README.md: b/ is missing"]);
});
