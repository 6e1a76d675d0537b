import assert from "node:assert/strict";
import test from "node:test";
import { COUNTING_CLOCKS, LAST_LINES, MACHINES, machineWithTsc, STOP_FUNCTIONS } from "./machine.js";

test("each machine is named as its kernel names it, and only one has a TSC", () => {
  for (const [name, machine] of Object.entries(MACHINES)) assert.equal(machine.name, name);
  assert.equal(machineWithTsc(2_100_000)?.name, "x86_64");
  assert.equal(machineWithTsc(null), null);
});

test("what readers ask of all machines holds each once", () => {
  assert.deepEqual([...COUNTING_CLOCKS], ["counter", "uptime", "x86-tsc"]);
  assert.deepEqual(STOP_FUNCTIONS, ["machine_shutdown", "native_machine_shutdown"]);
  assert.equal(new Set(LAST_LINES).size, LAST_LINES.length);
});
