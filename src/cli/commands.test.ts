import assert from "node:assert/strict";
import test from "node:test";
import { recordedSurroundings } from "../testing/command-testing.js";
import { commands } from "./commands.js";
import { runCli } from "./frame/command-run.js";

test("commands have names of their own", () => {
  const names = commands.map(({ name }) => name);
  assert.equal(new Set(names).size, names.length);
  for (const name of names) assert.match(name, /^[a-z]+(?:-[a-z]+)*$/);
});

for (const command of commands) {
  test(`${command.name} is described as it behaves`, async () => {
    const shorts = Object.values(command.options).flatMap(({ short }) => short ?? []);
    assert.equal(new Set(shorts).size, shorts.length, "a letter stands for one option");
    assert.ok(!shorts.includes("h"), "-h is help");
    for (const name of Object.keys(command.options)) {
      assert.match(name, /^[a-z][a-z0-9]*(?:-[a-z0-9]+)*$/);
      assert.ok(!["help", "no-color"].includes(name), `--${name} is common to all`);
    }
    for (const { summary } of [command, ...Object.values(command.options), ...Object.values(command.positionals)]) {
      assert.match(summary, /^\S.*[^.\s]$/, "a summary is half a sentence");
    }
    assert.ok(command.examples.length > 0, "an example says more than a description");
    for (const example of command.examples) assert.match(example.command, new RegExp(`blackout ${command.name}\\b`));
    const surroundings = recordedSurroundings({ columns: 80, env: { NO_COLOR: "1" } });
    assert.equal(await runCli([command.name, "--help"], surroundings, commands), 0);
    for (const line of surroundings.written().split("\n")) {
      if (!line.startsWith("  blackout ")) assert.ok(line.length <= 80, `too wide: ${line}`);
    }
  });
}
