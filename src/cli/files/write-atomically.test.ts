import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { after } from "node:test";
import { traces } from "../../testing/places.js";
import { writeAtomically, writingAtomically } from "./write-atomically.js";

const folder = mkdtempSync(join(tmpdir(), "blackout-write-"));
after(() => rmSync(folder, { recursive: true, force: true }));
const main = new URL("../main.js", import.meta.url).pathname;

test("what fails in the middle leaves the old file, and nothing beside it", () => {
  const path = join(folder, "a", "report.html");
  writeAtomically(path, "old");
  assert.throws(
    () =>
      writingAtomically(path, (put) => {
        put("half of the new one");
        throw new Error("no space left");
      }),
    /no space left/,
  );
  assert.equal(readFileSync(path, "utf8"), "old");
  assert.deepEqual(readdirSync(join(folder, "a")), ["report.html"]);
});

test("a writer that is killed leaves the old file", async () => {
  const path = join(folder, "killed.html");
  writeFileSync(path, "old");
  const module = new URL("./write-atomically.js", import.meta.url).href;
  const script = `const { writingAtomically } = await import(${JSON.stringify(module)});
    writingAtomically(${JSON.stringify(path)}, (put) => { put("half"); process.stdout.write("written\\n"); for (;;); });`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", script], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  await new Promise((resolve) => child.stdout.once("data", resolve));
  child.kill("SIGKILL");
  await new Promise((resolve) => child.once("exit", resolve));
  assert.equal(readFileSync(path, "utf8"), "old");
});

test("a replaced file keeps its permissions, a link its target, and a new one those of the umask", () => {
  const path = join(folder, "mode");
  writeFileSync(path, "old");
  chmodSync(path, 0o640);
  symlinkSync("mode", join(folder, "link"));
  writeAtomically(join(folder, "link"), "new");
  assert.equal(readFileSync(path, "utf8"), "new");
  assert.equal(statSync(path).mode & 0o777, 0o640);
  assert.ok(lstatSync(join(folder, "link")).isSymbolicLink());
  writeAtomically(path, "secret", 0o600);
  assert.equal(statSync(path).mode & 0o777, 0o600);
  writeAtomically(join(folder, "fresh"), "x");
  assert.equal(statSync(join(folder, "fresh")).mode & 0o777, 0o666 & ~process.umask());
});

test("a device and a pipe are written to, not replaced", () => {
  writeAtomically("/dev/null", "x");
  assert.ok(statSync("/dev/null").isCharacterDevice());
  const capture = join(traces, "cohorts/base/01.tar.gz");
  const script = `"$0" "$1" report "$2" -o >(wc -c > '${folder}/count') && sleep 0.2 && cat '${folder}/count'`;
  const { status, stdout, stderr } = spawnSync("bash", ["-c", script, process.execPath, main, capture], {
    encoding: "utf8",
  });
  assert.equal(status, 0, stderr);
  assert.ok(Number(stdout) > 100_000, stdout);
});

for (const [command, name] of [
  ["report", "r.html"],
  ["perfetto", "t.pftrace"],
] as const) {
  test(`${command} on a full disk keeps the old file`, () => {
    const place = join(folder, command);
    mkdirSync(place);
    writeFileSync(join(place, name), "old");
    spawnSync("tar", ["xzf", join(traces, "cohorts/base/01.tar.gz"), "-C", place]);
    const [capture = ""] = readdirSync(place).filter((each) => each !== name);
    // A limit on file sizes stands for the full disk: 16 blocks of 512 or 1,024 bytes.
    const script = `ulimit -f 16; trap '' XFSZ; exec "$0" "$1" ${command} "$2" -o '${join(place, name)}'`;
    const { status, stderr } = spawnSync("bash", ["-c", script, process.execPath, main, join(place, capture)], {
      encoding: "utf8",
    });
    assert.equal(status, 3, stderr);
    assert.match(stderr, /cannot be written: EFBIG/);
    assert.equal(readFileSync(join(place, name), "utf8"), "old");
    assert.deepEqual(readdirSync(place).sort(), [capture, name].sort());
  });
}
