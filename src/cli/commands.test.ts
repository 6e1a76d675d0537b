import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { recordedSurroundings } from "../testing/command-testing.js";
import { projectRoot } from "../testing/places.js";
import { commands } from "./commands.js";
import { mainExamples, runCli } from "./frame/command-run.js";
import { parseArguments } from "./frame/options-parse.js";

test("commands have names of their own", () => {
  const names = commands.map(({ name }) => name);
  assert.equal(new Set(names).size, names.length);
  for (const name of names) assert.match(name, /^[a-z]+(?:-[a-z]+)*$/);
});

for (const entry of commands) {
  test(`${entry.name} is described as it behaves`, async () => {
    const command = await entry.load();
    const shorts = Object.values(command.options).flatMap(({ short }) => short ?? []);
    assert.equal(new Set(shorts).size, shorts.length, "a letter stands for one option");
    assert.ok(!shorts.includes("h"), "-h is help");
    for (const name of Object.keys(command.options)) {
      assert.match(name, /^[a-z][a-z0-9]*(?:-[a-z0-9]+)*$/);
      assert.ok(!["help", "no-color"].includes(name), `--${name} is common to all`);
    }
    for (const { summary } of [entry, ...Object.values(command.options), ...Object.values(command.positionals)]) {
      assert.match(summary, /^\S.*[^.\s]$/, "a summary is half a sentence");
    }
    assert.ok(command.examples.length > 0, "an example says more than a description");
    for (const example of command.examples) assert.match(example.command, new RegExp(`blackout ${entry.name}\\b`));
    const surroundings = recordedSurroundings({ columns: 80, env: { NO_COLOR: "1" } });
    assert.equal(await runCli([entry.name, "--help"], surroundings, commands), 0);
    for (const line of surroundings.written().split("\n")) {
      if (!line.startsWith("  blackout ")) assert.ok(line.length <= 80, `too wide: ${line}`);
    }
  });
}

test("the examples of the main help are examples of commands that exist", async () => {
  for (const { command } of mainExamples) {
    const [, name, ...args] = command.split(" ");
    const entry = commands.find((each) => each.name === name);
    assert.ok(entry, command);
    const { options, positionals } = await entry.load();
    const parsed = parseArguments(options, positionals, args);
    assert.ok(parsed.ok, `${command}: ${parsed.ok ? "" : parsed.error}`);
    for (const path of args.filter((arg) => arg.startsWith("traces/"))) {
      assert.ok(existsSync(join(projectRoot, path)), `${path} of ${command}`);
    }
  }
});
