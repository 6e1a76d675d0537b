import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import protobuf from "protobufjs";
import { numberOfField } from "../../../model/traces/perfetto-ftrace.js";
import { projectRoot } from "../../../testing/places.js";
import { flagOf, integerOf, TYPED_EVENTS, taskStateOf } from "./ftrace-events.js";

test("integers are read as every dialect prints them", () => {
  assert.equal(integerOf(25), 25);
  assert.equal(integerOf("25"), 25);
  assert.equal(integerOf("-110"), -110);
  assert.equal(integerOf("0000"), 0);
  assert.equal(integerOf("0x19"), 25);
  assert.equal(integerOf("0x71 (113)"), 113);
  assert.equal(integerOf("0xffffffff81234567"), 0xffffffff81234567n);
  assert.equal(integerOf(2n ** 60n), 2n ** 60n);
  for (const wrong of ["", "R", "1.5", "0x", "12 13", undefined, Number.NaN]) assert.equal(integerOf(wrong), null);
});

test("a task's state is read from bits and from letters", () => {
  assert.equal(taskStateOf(1), 1);
  assert.equal(taskStateOf("0x100 (256)"), 0x100);
  assert.equal(taskStateOf("R"), 0);
  assert.equal(taskStateOf("R+"), 0x100);
  assert.equal(taskStateOf("D"), 2);
  assert.equal(taskStateOf("S|D"), 3);
  assert.equal(taskStateOf("I"), 0x80);
  for (const wrong of ["", "Q", "+ ", undefined]) assert.equal(taskStateOf(wrong), null);
});

test("an interrupt's result is read from the word or the number", () => {
  assert.equal(flagOf("handled"), 1);
  assert.equal(flagOf("unhandled"), 0);
  assert.equal(flagOf("0x1 (1)"), 1);
});

test("the schema that other programs read our traces by has the numbers that we write, and no others", () => {
  const schema = new protobuf.Root().loadSync(join(projectRoot, "src/export/perfetto/perfetto.proto"), {
    keepCase: true,
  });
  const events = schema.lookupType("perfetto.protos.FtraceEvent").fields;
  assert.deepEqual(
    new Set(Object.keys(events)),
    new Set(["timestamp", "pid", "print", "generic", ...TYPED_EVENTS.keys()]),
    "each event that is written has its message",
  );
  for (const [name, { field, parts }] of TYPED_EVENTS) {
    assert.equal(events[name]?.id, field, name);
    const { fields } = schema.lookupType(`perfetto.protos.${events[name]?.type}`);
    for (const part of parts) assert.equal(fields[part.keys[0] as string]?.id, part.field, `${name}.${part.keys[0]}`);
    for (const [key, { id }] of Object.entries(fields)) assert.equal(id, numberOfField(name, key), `${name}.${key}`);
  }
});
