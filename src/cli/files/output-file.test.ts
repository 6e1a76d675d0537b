import assert from "node:assert/strict";
import { linkSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { recordedSurroundings } from "../../testing/command-testing.js";
import { commands } from "../commands.js";
import { runCli } from "../frame/command-run.js";
import { outputProblem } from "./output-file.js";

let folder = "";
before(() => {
  folder = mkdtempSync(join(tmpdir(), "output-file-"));
});
after(() => rmSync(folder, { recursive: true, force: true }));

describe("where an answer may be written", () => {
  test("not over an input, however it is spelt, nor over any archive", () => {
    const at = (name: string): string => join(folder, name);
    writeFileSync(at("updates.jsonl"), "{}\n");
    symlinkSync(at("updates.jsonl"), at("symbolic"));
    linkSync(at("updates.jsonl"), at("hard"));
    writeFileSync(at("other.tar.gz"), "");
    mkdirSync(at("sub"));
    const inputs = [at("updates.jsonl"), at("absent")];
    for (const name of ["updates.jsonl", "symbolic", "hard", "sub/../updates.jsonl"]) {
      assert.match(outputProblem(`${folder}/${name}`, inputs) ?? "", /is what is read/, name);
    }
    assert.match(outputProblem(at("other.tar.gz"), inputs) ?? "", /is an archive/);
    assert.match(outputProblem("-", inputs) ?? "", /go to a file/);
    assert.equal(outputProblem(at("report.html"), inputs), null);
    assert.equal(outputProblem(at("absent.tar"), inputs), null);
    writeFileSync(at("report.html"), "yesterday's");
    assert.equal(outputProblem(at("report.html"), inputs), null);
    for (const path of [at("report.html/below"), at("x".repeat(5000)), "\0"]) {
      assert.equal(outputProblem(path, [path]), null, "is reported when the path is opened");
    }
    assert.equal(outputProblem("/dev/null", ["/dev/null"]), null);
  });

  const attempts = (file: string): readonly (readonly string[])[] => [
    ["perfetto", file, "-o", file],
    ["report", file, "-o", file],
    ["convert", file, "-o", file],
    ["percentiles", file, "--hlog", file],
    ["qualify", file, "--html", file],
    ["qualify", file, "--markdown", file],
    ["gate", "-b", file, file, "--junit", file],
    ["gate", "-b", file, file, "--markdown", file],
  ];
  for (const [command = "", ...rest] of attempts("FILE")) {
    test(`blackout ${command} ${rest.join(" ")} leaves the file as it is`, async () => {
      const file = join(folder, "recording.txt");
      writeFileSync(file, "what cannot be recorded again");
      const surroundings = recordedSurroundings();
      const args = [command, ...rest.map((word) => (word === "FILE" ? file : word))];
      assert.equal(await runCli(args, surroundings, commands), 2);
      assert.match(surroundings.complained(), /recording\.txt is what is read/);
      assert.equal(readFileSync(file, "utf8"), "what cannot be recorded again");
    });
  }
});
