import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";
import { capturesIn, expandCaptures, isCapturePath } from "./capture-paths.js";

test("a folder of captures stands for them, in natural order; all else for itself", () => {
  const folder = mkdtempSync(join(tmpdir(), "capture-paths-"));
  try {
    for (const name of ["10", "9"]) {
      mkdirSync(join(folder, name));
      writeFileSync(join(folder, name, "capture.json"), "{}");
    }
    writeFileSync(join(folder, "11.tar.zst"), "");
    writeFileSync(join(folder, "notes.txt"), "");
    mkdirSync(join(folder, "empty"));
    const members = ["9", "10", "11.tar.zst"].map((name) => join(folder, name));
    assert.deepEqual(capturesIn(folder), members);
    assert.deepEqual(expandCaptures([folder, join(folder, "9"), "no-such-path"]), [
      ...members,
      join(folder, "9"),
      "no-such-path",
    ]);
    assert.deepEqual(capturesIn(join(folder, "9")), []);
    assert.deepEqual(expandCaptures([join(folder, "empty")]), [join(folder, "empty")]);
    assert.equal(isCapturePath(join(folder, "notes.txt")), false);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
