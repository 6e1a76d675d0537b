import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { projectRoot } from "../testing/places.js";

const main = join(import.meta.dirname, "main.js");

function blackout(...args: readonly string[]) {
  return spawnSync(process.execPath, [main, ...args], { encoding: "utf8" });
}

test("the process answers with its package's version", () => {
  const { version } = JSON.parse(readFileSync(join(projectRoot, "package.json"), "utf8"));
  const { status, stdout, stderr } = blackout("--version");
  assert.deepEqual([status, stdout, stderr], [0, `blackout ${version}\n`, ""]);
});

test("an unknown command exits with 2", () => {
  const { status, stdout, stderr } = blackout("no-such-command");
  assert.deepEqual([status, stdout], [2, ""]);
  assert.match(stderr, /unknown command no-such-command/);
});

test("a reader that leaves early causes no error, and the exit code stays the command's", () => {
  const script = `{ sleep 0.3; exec "$0" "$1" --help; } | true; echo "\${PIPESTATUS[0]}"`;
  const { stdout, stderr } = spawnSync("bash", ["-c", script, process.execPath, main], { encoding: "utf8" });
  assert.deepEqual([stdout, stderr], ["0\n", ""]);
});

test("a full disk fails the command", (t) => {
  const { status, stderr } = spawnSync("bash", ["-c", `exec "$0" "$1" --help > /dev/full`, process.execPath, main], {
    encoding: "utf8",
  });
  if (/\/dev\/full: /.test(stderr)) return t.skip("no /dev/full");
  assert.equal(status, 74);
  assert.match(stderr, /cannot write the output: .*ENOSPC/);
});
