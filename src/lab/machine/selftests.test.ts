import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { after } from "node:test";
import { findSelftests } from "./selftests.js";

const scratch = mkdtempSync(join(tmpdir(), "blackout-selftests-"));
after(() => rmSync(scratch, { recursive: true, force: true }));

/** A folder with the files, by name. */
function folderOf(name: string, files: Readonly<Record<string, string>>): string {
  const folder = join(scratch, name);
  mkdirSync(folder);
  for (const [file, content] of Object.entries(files)) writeFileSync(join(folder, file), content);
  return folder;
}

test("the programs are found beside their sources, in order", () => {
  const program = "\x7fELF and so on";
  const folder = folderOf("built", {
    luo_multi_session: program,
    luo_kexec_simple: program,
    "luo_kexec_simple.c": "int main;",
    luo_notes: "not a program",
    liveupdate: program,
  });
  assert.deepEqual(findSelftests(folder), {
    ok: true,
    value: [join(folder, "luo_kexec_simple"), join(folder, "luo_multi_session")],
  });
});

test("a missing folder, and a program that needs libraries, give a message with what to do", () => {
  const error = (folder: string | null): string => {
    const found = findSelftests(folder);
    return found.ok ? "" : found.error;
  };
  assert.match(error(null), /--selftests DIR.*make headers/);
  assert.match(error(join(scratch, "nowhere")), /nowhere has no program luo_/);
  assert.match(error(folderOf("empty", { "luo_a.c": "" })), /has no program luo_/);
  mkdirSync(join(scratch, "empty/luo_folder"));
  assert.match(error(join(scratch, "empty")), /has no program luo_/, "a folder of such a name");
  assert.match(error(join(scratch, "empty/luo_a.c")), /has no program luo_/, "a file instead of a folder");
  const dynamic = "\x7fELF\0\0/lib64/ld-linux-x86-64.so.2\0";
  assert.match(error(folderOf("dynamic", { luo_a: dynamic })), /luo_a is linked dynamically/);
});
