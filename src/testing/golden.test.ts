import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { after } from "node:test";
import { assertGolden } from "./golden.js";

const folder = mkdtempSync(join(tmpdir(), "blackout-golden-"));
after(() => rmSync(folder, { recursive: true }));

function withVariable(value: string | undefined, run: () => void): void {
  const before = process.env.UPDATE_GOLDEN;
  const set = (to: string | undefined): void => {
    if (to === undefined) delete process.env.UPDATE_GOLDEN;
    else process.env.UPDATE_GOLDEN = to;
  };
  set(value);
  try {
    run();
  } finally {
    set(before);
  }
}

test("a text that differs from its golden file fails, and so does a missing file", () =>
  withVariable(undefined, () => {
    const path = join(folder, "text.txt");
    writeFileSync(path, "5.216 s\n");
    assertGolden(path, "5.216 s\n");
    assert.throws(() => assertGolden(path, "5.217 s\n"), /UPDATE_GOLDEN=1/);
    assert.throws(() => assertGolden(join(folder, "none.txt"), ""), /missing/);
    assert.equal(existsSync(join(folder, "none.txt")), false);
  }));

test("UPDATE_GOLDEN=1 writes the file, and its folder if it is missing", () =>
  withVariable("1", () => {
    const path = join(folder, "new/text.txt");
    assertGolden(path, "5.216 s\n");
    assert.equal(readFileSync(path, "utf8"), "5.216 s\n");
  }));
