import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { gunzipSync } from "node:zlib";
import type { PlacedPrintk } from "../model/live-update.js";
import { traces } from "../testing/places.js";
import { SECRET_LINES } from "../testing/samples/secret-lines.js";
import { redactEventText, redactLog, redactLogLine, redactText } from "./redact.js";

test("addresses of the kernel are left out in every spelling, and nothing else is", () => {
  for (const address of ["0xffffffff81234567", "ffff888003c1a000", "0xFF11000100ABCDEF", "ffffffffc0001234"]) {
    assert.equal(redactText(`at ${address}, then`), "at [address left out], then");
  }
  for (const text of [
    "0000:00:03.0",
    "7f994553-0000-4000-8000-000000000001",
    "0xff",
    "data=0x7fa00000",
    "ffff",
    "0x100",
  ]) {
    assert.equal(redactText(text), text);
  }
});

test("log lines lose command lines and KASLR's place, whole", () => {
  assert.equal(redactLogLine("Command line: root=/dev/sda secret=hunter2"), "Command line: [left out]");
  assert.equal(redactLogLine("Kernel command line: quiet token=abc"), "Kernel command line: [left out]");
  assert.equal(
    redactLogLine('Unknown kernel command line parameters "token=abc", will be passed to user space.'),
    "Unknown kernel command line parameters [left out]",
  );
  assert.doesNotMatch(redactLogLine("Kernel Offset: 0x1c000000 from 0xffffffff81000000 (relocation range: …)"), /1c0/);
  assert.equal(redactLogLine("e1000: Intel(R) PRO/1000 Network Driver"), "e1000: Intel(R) PRO/1000 Network Driver");
});

test("no line of a recorded log keeps an address or a command line", () => {
  const tar = gunzipSync(readFileSync(join(traces, "plain.tar.gz"))).toString("latin1");
  const lines = tar.split("\n");
  const kept = lines.map(redactLogLine);
  assert.ok(
    lines.some((line) => /ffffffff[89a-f]/.test(line)),
    "the recording holds addresses",
  );
  assert.deepEqual(
    kept.filter((line) => /(?<![0-9a-z])(?:0x)?(?!f{13})ff[0-9a-f]{14}(?![0-9a-z])/i.test(line)),
    [],
  );
  assert.deepEqual(
    kept.filter((line) => /command line: (?!\[left out\])/i.test(line)),
    [],
  );
});

test("no log line and no event keeps a secret of a command line", () => {
  for (const { line } of SECRET_LINES) {
    assert.doesNotMatch(redactLogLine(line), /hunter/, line);
    assert.doesNotMatch(redactEventText(line), /hunter/, line);
  }
});

test("words of the command line that become the first process's arguments and environment are left out", () => {
  const texts = [
    "Run /init as init process",
    "  with arguments:",
    "    /init",
    "    hunter",
    "  with environment:",
    "    stage=hunter",
    "x",
  ];
  const lines = texts.map((text) => ({ boot: "new", text }) as PlacedPrintk);
  const kept = [
    "Run /init as init process",
    "  with arguments:",
    "    [left out]",
    "    [left out]",
    "  with environment:",
    "    [left out]",
    "x",
  ];
  assert.deepEqual(
    redactLog(lines).map(({ text }) => text),
    kept,
  );
});
