import assert from "node:assert/strict";
import { test } from "node:test";
import { allFolderFaults, folderFaults } from "../lib/folders.mjs";

const filesOf = (folder, count, ending = ".ts") => Array.from({ length: count }, (_, i) => `${folder}/f${i}${ending}`);

test("no folder of the tree holds too many files", () => {
  assert.deepEqual(allFolderFaults(), []);
});

test("a folder may hold 15 files, and not 16; tests count", () => {
  assert.deepEqual(folderFaults(filesOf("src/room/drawer", 15)), []);
  assert.deepEqual(folderFaults([...filesOf("src/room/drawer", 15), "src/room/drawer/a.test.ts"]), [
    "src/room/drawer: holds 16 files at one level; the limit is 15. Move files of one notion to a drawer",
  ]);
});

test("files of folders inside a folder do not count", () => {
  assert.deepEqual(folderFaults([...filesOf("src/room", 15), ...filesOf("src/room/drawer", 15)]), []);
});

test("goldens, samples, schemas and build output do not count", () => {
  for (const [folder, ending] of [
    ["src/room", ".golden.txt"],
    ["src/room", ".schema.json"],
    ["src/room/samples", ".txt"],
    ["src/room/tree-samples", ".txt"],
    ["viewer/test/goldens", ".png"],
    ["src/room/doctor.golden", ".txt"],
    ["viewer/dist", ".js"],
  ]) {
    assert.deepEqual(folderFaults(filesOf(folder, 40, ending)), [], `${folder} ${ending}`);
  }
});
