import assert from "node:assert/strict";
import { test } from "node:test";
import { handledOf, integerOf, taskStateOf } from "./ftrace-events.js";

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
  assert.equal(handledOf("handled"), 1);
  assert.equal(handledOf("unhandled"), 0);
  assert.equal(handledOf("0x1 (1)"), 1);
});
