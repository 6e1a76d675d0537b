import assert from "node:assert/strict";
import test from "node:test";
import { madeCapture, memoryCapture } from "../../testing/fakes/capture-memory.js";
import { readCapture } from "../capture/capture.js";
import { type BootLogs, bootLogs } from "./kernel-logs.js";

function logs(files: Readonly<Record<string, string | Uint8Array>>): BootLogs {
  const held = memoryCapture(files);
  const capture = readCapture(held);
  assert.ok(capture.ok);
  return bootLogs(capture.value, held, { defect: () => {} });
}
const DMESG = "[    0.000000] Linux version 7.3.4\n[    5.000000] luo: before\n";
const CONSOLE =
  "[    0.000000] Linux version 7.3.4\n[    5.000000] luo: before\n[    6.000000] luo: Freeze failed for token[0x1] handler[h] err[-5]\n";

test("of the console only what dmesg could not know any more is taken", () => {
  const { old } = logs(madeCapture({ old: { dmesg: DMESG } }, { "console.log": CONSOLE }));
  assert.deepEqual(
    old.lines.map(({ file, line }) => `${file}:${line}`),
    ["old/dmesg:1", "old/dmesg:2", "console.log:3"],
  );
});

test("without dmesg the console is the log, and without both there is none", () => {
  assert.equal(logs(madeCapture({ old: {} }, { "console.log": CONSOLE })).old.lines.length, 3);
  assert.deepEqual(logs(madeCapture({ old: {} })).old.lines, []);
});

test("verdicts name their boot and place; a command line that turns KHO off is reported once", () => {
  const dmesg = "[    0.000000] Kernel command line: kho=off\n";
  const both = logs(
    madeCapture({ old: { dmesg: DMESG }, new: { dmesg, cmdline: "kho=off" } }, { "console.log": CONSOLE }),
  );
  assert.deepEqual(
    both.verdicts.map(({ what, boot, file, line, text }) => [what, boot, `${file}:${line}`, text.slice(0, 7)]),
    [
      ["freeze-failed", "old", "console.log:3", "luo: Fr"],
      ["kho-off", "new", "new/dmesg:1", "kho=off"],
    ],
  );
  const file = logs(madeCapture({ old: {}, new: { cmdline: "quiet liveupdate=off" } })).verdicts;
  assert.deepEqual(file, [{ what: "kho-off", boot: "new", text: "liveupdate=off", file: "new/cmdline", line: 1 }]);
});
