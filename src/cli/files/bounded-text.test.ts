import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { documentOfSample, type UpdateSample } from "../../model/update-sample.js";
import { recordedSurroundings } from "../../testing/command-testing.js";
import { madeSample } from "../../testing/samples/samples.js";
import { commands } from "../commands.js";
import { runCli } from "../frame/command-run.js";
import { readBoundedText } from "./bounded-text.js";

const linesOf = (updates: readonly UpdateSample[]): string =>
  updates.map((update) => `${JSON.stringify(documentOfSample(update))}\n`).join("");

let folder = "";
before(() => {
  folder = mkdtempSync(join(tmpdir(), "bounded-text-"));
});
after(() => rmSync(folder, { recursive: true, force: true }));

describe("a small text file", () => {
  test("is read up to its limit, without a byte order mark", () => {
    const path = join(folder, "text");
    writeFileSync(path, `\ufeff${"x".repeat((1 << 20) - 3)}`);
    assert.deepEqual(readBoundedText(path, 1 << 20), { ok: true, value: "x".repeat((1 << 20) - 3) });
    writeFileSync(path, "x".repeat((1 << 20) + 1));
    assert.deepEqual(readBoundedText(path, 1 << 20), { ok: false, error: "larger than 1 MiB" });
  });

  test("a folder, nothing, and a device without end are answered with a sentence", () => {
    for (const path of [folder, join(folder, "absent")]) {
      const read = readBoundedText(path, 1 << 20);
      assert.match(read.ok ? "" : read.error, /^cannot be read: (?:E|it is a folder)/);
    }
    assert.deepEqual(readBoundedText("/dev/zero", 1 << 20), { ok: false, error: "larger than 1 MiB" });
  });

  for (const argv of [
    ["qualify", "-b", "FOLDER", "LINES"],
    ["gate", "-b", "FOLDER", "LINES"],
    ["gate", "-b", "/dev/zero", "LINES"],
    ["qualify", "-b", "/dev/zero", "LINES"],
    ["cohort", "@/dev/zero"],
    ["cohort", "@FOLDER"],
  ]) {
    test(`blackout ${argv.join(" ")} says what is wrong, and ends`, async () => {
      const lines = join(folder, "updates.jsonl");
      writeFileSync(lines, linesOf([madeSample(1000)]));
      const surroundings = recordedSurroundings();
      const given = argv.map((word) => word.replace("FOLDER", folder).replace("LINES", lines));
      const code = await runCli(given, surroundings, commands);
      assert.equal(code, argv[0] === "cohort" ? 3 : 2, surroundings.complained());
      assert.match(surroundings.complained(), /cannot be read|larger than/);
    });
  }

  test("a pipe of the shell's is a cohort, a list and a budget", () => {
    const lines = join(folder, "updates.jsonl");
    const budget = join(folder, "budget.yaml");
    writeFileSync(lines, linesOf(Array.from({ length: 6 }, (_, i) => madeSample(1000 + i))));
    writeFileSync(budget, "version: 1\nlimits:\n  - blackout p50 <= 9min\n");
    const main = new URL("../main.js", import.meta.url).pathname;
    const script = `"$0" "$1" gate -b <(cat '${budget}') --baseline <(cat '${lines}') @<(echo '${lines}')`;
    const { status, stdout, stderr } = spawnSync("bash", ["-c", script, process.execPath, main], { encoding: "utf8" });
    assert.equal(status, 0, stderr);
    assert.match(stdout, /passed +blackout p50/);
  });
});
