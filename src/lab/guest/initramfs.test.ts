import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";
import { packInitramfs } from "./initramfs.js";

test("busybox's cpio unpacks what is packed", (t) => {
  if (spawnSync("busybox", ["true"]).status !== 0) return t.skip("busybox is not installed");
  const folder = mkdtempSync(join(tmpdir(), "blackout-initramfs-"));
  try {
    // Lengths of 0 to 4 beyond a multiple of four: every padding.
    const files = [0, 1, 2, 3, 4].map((length) => ({
      path: `deep/er/${"n".repeat(length + 1)}`,
      content: new Uint8Array(length).fill(65),
      executable: length === 3,
    }));
    const input = packInitramfs(files);
    const listed = spawnSync("busybox", ["cpio", "-t"], { input, encoding: "utf8" });
    assert.ok(listed.stdout.split("\n").includes("dev/console"));
    const run = spawnSync("busybox", ["cpio", "-id", "deep/*"], { input, cwd: folder, encoding: "utf8" });
    assert.equal(run.status, 0, run.stderr);
    for (const { path, content, executable } of files) {
      assert.deepEqual(new Uint8Array(readFileSync(join(folder, path))), content);
      assert.equal((statSync(join(folder, path)).mode & 0o111) !== 0, executable);
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
