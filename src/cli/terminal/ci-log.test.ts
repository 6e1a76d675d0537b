import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { after } from "node:test";
import { recordedSurroundings } from "../../testing/command-testing.js";
import { shippedCohort } from "../../testing/places.js";
import { commands } from "../commands.js";
import { runCli } from "../frame/command-run.js";
import { ciEscaper, isCi } from "./ci-log.js";

const folder = mkdtempSync(join(tmpdir(), "blackout-ci-"));
after(() => rmSync(folder, { recursive: true, force: true }));

const escaped = (...parts: readonly string[]): string => {
  const safe = ciEscaper();
  return parts.map(safe).join("");
};

test("a line that a CI system would obey is shown instead, however it is written", () => {
  assert.equal(escaped("::error::x\n"), ":\\u003aerror::x\n");
  assert.equal(escaped("a\n \t ::stop-commands::x"), "a\n \t :\\u003astop-commands::x");
  assert.equal(escaped("a\r::x::"), "a\r:\\u003ax::");
  assert.equal(escaped("text ::error::x"), "text ::error::x", "not at the begin");
  assert.equal(escaped("std::string", " ::x"), "std::string ::x");
  assert.equal(escaped("text ##[error]x"), "text #\\u0023[error]x");
  assert.equal(escaped("##vso[task.setvariable]x"), "#\\u0023vso[task.setvariable]x");
  assert.equal(escaped("##teamcity[x]"), "#\\u0023teamcity[x]");
  assert.equal(escaped("section_start:1:x"), "s\\u0065ction_start:1:x");
  assert.equal(escaped(":", ":error::"), ":\\u003aerror::", "in two parts");
  assert.equal(escaped("  ", "::e", "rror"), "  :\\u003aerror");
  assert.equal(escaped("#", "#", "[group]"), "##\\u005bgroup]");
  assert.equal(escaped("::::"), ":\\u003a::");
  assert.equal(escaped("x".repeat(1000), "::x"), `${"x".repeat(1000)}::x`);
});

test("a document of JSON stays the same document", () => {
  const document = { name: "##[error]", other: ["::x", "section_end:"] };
  const text = JSON.stringify(document, null, 1);
  assert.deepEqual(JSON.parse(escaped(text)), document);
  assert.notEqual(escaped(text), text);
});

test("CI is recognised by its variables", () => {
  for (const env of [
    { CI: "true" },
    { GITHUB_ACTIONS: "true" },
    { TF_BUILD: "True" },
    { TEAMCITY_VERSION: "2024.1" },
  ]) {
    assert.equal(isCi(env), true);
  }
  for (const env of [{}, { CI: "" }, { CI: "false" }, { CI: "0" }]) assert.equal(isCi(env), false);
});

/** A line of what the runner would take for a command. */
const COMMANDS = /^\s*::[a-z]|##\[|##vso\[|##teamcity\[/m;

test("no command prints a name that a runner would obey", async () => {
  const [capture = ""] = shippedCohort("base");
  spawnSync("tar", ["xzf", capture, "-C", folder]);
  const original = spawnSync("ls", [folder], { encoding: "utf8" }).stdout.trim().split("\n")[0] ?? "";
  const hostile = join(folder, "hostile");
  cpSync(join(folder, original), hostile, { recursive: true });
  const manifest = JSON.parse(readFileSync(join(hostile, "capture.json"), "utf8"));
  manifest.name = "::error title=pwn::x ##[add-mask]y";
  manifest.labels = { ...manifest.labels, "::stop-commands::t": "zz ::error::from-label ##vso[task]" };
  writeFileSync(join(hostile, "capture.json"), JSON.stringify(manifest));
  for (const args of [
    ["analyze", hostile],
    ["analyze", "--json", hostile],
    ["tree", hostile],
    ["blame", hostile],
    ["critical-chain", hostile],
    ["findings", hostile],
    ["sessions", hostile],
    ["cohort", hostile],
    ["history", hostile, capture],
    ["percentiles", hostile, capture],
    ["analyze", join(folder, "::error::no such capture")],
  ]) {
    const surroundings = recordedSurroundings({ env: { GITHUB_ACTIONS: "true", CI: "true" } });
    await runCli(args, surroundings, commands);
    assert.doesNotMatch(surroundings.written(), COMMANDS, args.join(" "));
    assert.doesNotMatch(surroundings.complained(), COMMANDS, args.join(" "));
  }
  const budget = join(folder, "budget.yaml");
  writeFileSync(budget, "version: 1\ndecide-by: sample\nlimits: [blackout p50 <= 1ms]\n");
  const gate = recordedSurroundings();
  await runCli(["gate", "-b", budget, "--force", "--github", `${hostile},${capture}`], gate, commands);
  const lines = gate
    .written()
    .split("\n")
    .filter((line) => COMMANDS.test(line));
  assert.ok(lines.length > 0, "its own annotations are printed");
  assert.ok(
    lines.every((line) => /^::(?:error|warning|notice) (?:file|title)=/.test(line) && !/##\[/.test(line)),
    lines.join("\n"),
  );
});
