import assert from "node:assert/strict";
import { test } from "node:test";
import { memorySource } from "../../base/bytes/byte-source.js";
import { readTrace } from "../readers/trace-file.js";
import { readKmsg } from "./kmsg.js";
import { isStamped, type LogLine, LogReader, logLineOf } from "./log-line.js";

/** Seconds of each event, null without a time, and its text: of the log alone, as `blackout events` reads it. */
function alone(text: string): readonly (readonly [number | null, string])[] {
  const rows: (readonly [number | null, string])[] = [];
  const found = readTrace(memorySource("log", Buffer.from(text, "latin1")), { defect: () => {} });
  assert.ok(found.ok, found.ok ? "" : found.error);
  assert.equal(found.value.what, "kernel log");
  const counts = found.value.parts[0]?.source().read({
    defect: () => {},
    chunk(chunk) {
      for (let row = 0; row < chunk.count; row++) {
        const time = (chunk.time[row] as number) + Number(chunk.base);
        rows.push([Number.isNaN(time) ? null : time / 1e9, chunk.text(row)]);
      }
    },
  });
  assert.equal(counts?.events, rows.length);
  return rows;
}

/** The same of a capture's log. */
const inCapture = (text: string): readonly string[] =>
  readKmsg(memorySource("dmesg", Buffer.from(text, "latin1")), "old", { defect: () => {} }).map((line) => line.text);

const NOON = Date.UTC(2026, 10, 30, 10) / 1000;

/** Each form of two lines, `hub` and `a`, and their times in seconds. */
const FORMS: readonly (readonly [string, string, readonly (number | null)[]])[] = [
  ["dmesg", "[  520.899558] hub\n[  520.899559] a\n", [520.899558, 520.899559]],
  ["dmesg -d", "[  520.899558 <    0.000000>] hub\n[  520.899559 <    0.000001>] a\n", [520.899558, 520.899559]],
  ["dmesg -r", "<6>[  520.899558] hub\n<30>[  520.899559] a\n", [520.899558, 520.899559]],
  ["dmesg -x", "kern  :info  : [  520.899558] hub\nkern  :warn  : [  520.899559] a\n", [520.899558, 520.899559]],
  ["caller ids", "[  520.899558][    T1] hub\n[  520.899559] [   C12] a\n", [520.899558, 520.899559]],
  ["a year of uptime", "[31536000.123456] hub\n[31536000.123457] a\n", [31536000.123456, 31536000.123457]],
  ["105 days", "[9007200.000001] hub\n[9007200.000002] a\n", [9007200.000001, 9007200.000002]],
  ["a hundred years", "[3155760000.000001] hub\n[3155760000.000002] a\n", [3155760000.000001, 3155760000.000002]],
  ["dmesg -T", "[Mon Nov 30 10:00:00 2026] hub\n[Mon Nov 30 10:00:01 2026] a\n", [NOON, NOON + 1]],
  [
    "dmesg -T -x",
    "kern  :info  : [Mon Nov 30 10:00:00 2026] hub\nkern  :info  : [Mon Nov 30 10:00:01 2026] a\n",
    [NOON, NOON + 1],
  ],
  ["dmesg -H", "[Nov30 10:00] hub\n[  +0.000123] a\n", [null, null]],
  ["dmesg -e", "[Nov 3 10:00] hub\n[ +99.000123] a\n", [null, null]],
  ["dmesg iso", "2026-11-30T10:00:00,500000+00:00 hub\n2026-11-30T11:00:01,500000+01:00 a\n", [NOON + 0.5, NOON + 1.5]],
  [
    "dmesg iso -x",
    "kern  :info  : 2026-11-30T10:00:00,500000Z hub\nkern  :err   : 2026-11-30T10:00:01,500000Z a\n",
    [NOON + 0.5, NOON + 1.5],
  ],
  [
    "dmesg colour",
    "\x1b[32m[  520.899558] \x1b[0m\x1b[33mhub\x1b[0m\n\x1b[32m[  520.899559] \x1b[0ma\n",
    [520.899558, 520.899559],
  ],
  ["CRLF", "[  520.899558] hub\r\n\r[  520.899559] a\r\r\n", [520.899558, 520.899559]],
  ["BOM and NULs", "\xef\xbb\xbf[  520.899558] hub\n\0\0[  520.899559] a\0\0\n", [520.899558, 520.899559]],
  [
    "/dev/kmsg",
    "6,339,520899558,-;hub\n SUBSYSTEM=acpi\n DEVICE=+acpi:PNP0A03:00\n30,340,520899559,c,caller=T12;a\n",
    [520.899558, 520.899559],
  ],
  [
    "netconsole, extended",
    "6.1.0-rc1+,6,339,520899558,-;hub\n6.1.0-rc1+,4,340,520899559,-,ncfrag=0/9;a\n",
    [520.899558, 520.899559],
  ],
  [
    "rsyslog",
    "Nov 30 10:00:00 host kernel: [  520.899558] hub\nNov 30 10:00:00 host kernel: [  520.899559] a\n",
    [520.899558, 520.899559],
  ],
  [
    "rsyslog, RFC 3339",
    "2026-11-30T10:00:00.123456+01:00 host kernel: [  520.899558] hub\n2026-11-30T10:00:00.123457+01:00 host kernel: [  520.899559] a\n",
    [520.899558, 520.899559],
  ],
  [
    "RFC 5424",
    '<6>1 2026-11-30T10:00:00.500000Z host kernel - - - hub\n<6>1 2026-11-30T10:00:01.500000Z host kernel - - [x y="z"] a\n',
    [NOON + 0.5, NOON + 1.5],
  ],
  ["journalctl short", "Nov 30 10:00:00 host kernel: hub\nNov  3 10:00:00 host kernel: a\n", [null, null]],
  [
    "journalctl short-precise",
    "Nov 30 10:00:00.123456 host kernel: hub\nNov 30 10:00:01.123456 host kernel: a\n",
    [null, null],
  ],
  [
    "journalctl short-iso",
    "2026-11-30T10:00:00+0000 host kernel: hub\n2026-11-30T12:00:01+0200 host kernel: a\n",
    [NOON, NOON + 1],
  ],
  [
    "journalctl short-iso-precise",
    "2026-11-30T10:00:00.500000+00:00 host kernel: hub\n2026-11-30T10:00:01.500000+00:00 host kernel: a\n",
    [NOON + 0.5, NOON + 1.5],
  ],
  [
    "journalctl short-full",
    "Mon 2026-11-30 10:00:00 UTC host kernel: hub\nMon 2026-11-30 10:00:01 UTC host kernel: a\n",
    [NOON, NOON + 1],
  ],
  [
    "journalctl short-unix",
    `${NOON}.500000 host kernel: hub\n${NOON + 1}.500000 host kernel: a\n`,
    [NOON + 0.5, NOON + 1.5],
  ],
  [
    "journalctl short-monotonic",
    "[  520.899558] host kernel: hub\n[  520.899559] host kernel: a\n",
    [520.899558, 520.899559],
  ],
  [
    "journalctl short-delta",
    "[  520.899558               ] host kernel: hub\n[  520.899559 <    0.000001 >] host kernel: a\n",
    [520.899558, 520.899559],
  ],
  [
    "journalctl json",
    '{"_TRANSPORT":"kernel","MESSAGE":"hub","__REALTIME_TIMESTAMP":"1","__MONOTONIC_TIMESTAMP":"520899600","_SOURCE_MONOTONIC_TIMESTAMP":"520899558"}\n{"MESSAGE":[97],"__MONOTONIC_TIMESTAMP":"520899559"}\n',
    [520.899558, 520.899559],
  ],
  [
    "journalctl export",
    "__CURSOR=s=1\n__MONOTONIC_TIMESTAMP=520899558\n_TRANSPORT=kernel\nMESSAGE=hub\n\n__CURSOR=s=2\nMESSAGE=a\n__MONOTONIC_TIMESTAMP=520899559\n\n",
    [520.899558, 520.899559],
  ],
  [
    "journalctl export, no last newline",
    "__CURSOR=s=1\n__MONOTONIC_TIMESTAMP=520899558\nMESSAGE=hub\n\n__CURSOR=s=2\nMESSAGE=a\n__MONOTONIC_TIMESTAMP=520899559",
    [520.899558, 520.899559],
  ],
  [
    "dmesg -J",
    '{\n   "dmesg": [\n      {\n         "pri": 6,\n         "time":    520.899558,\n         "msg": "hub"\n      },{\n         "pri": 5,\n         "time":    520.899559,\n         "caller": "T1",\n         "msg": "a"\n      }\n   ]\n}\n',
    [520.899558, 520.899559],
  ],
  ["tio", "[10:00:00.123] [  520.899558] hub\n[10:00:00.124] [  520.899559] a\n", [520.899558, 520.899559]],
  [
    "LAVA",
    "2026-11-30T10:00:00.123456 [  520.899558] hub\n2026-11-30T10:00:00.123457 [  520.899559] a\n",
    [520.899558, 520.899559],
  ],
  [
    "grabserial",
    "[0.000001 0.000001] [  520.899558] hub\n[12.000001 0.000001] [  520.899559] a\n",
    [520.899558, 520.899559],
  ],
  ["ts", "Nov 30 10:00:00 [  520.899558] hub\nNov 30 10:00:01 [  520.899559] a\n", [520.899558, 520.899559]],
  [
    "minicom",
    "[2026-11-30 10:00:00.123] [  520.899558] hub\n[2026-11-30 10:00:00.124] [  520.899559] a\n",
    [520.899558, 520.899559],
  ],
];

for (const [form, text, times] of FORMS) {
  test(`${form}: the same lines alone and in a capture`, () => {
    assert.deepEqual(alone(text), [
      [times[0], "hub"],
      [times[1], "a"],
    ]);
    assert.deepEqual(inCapture(text), ["hub", "a"]);
  });
}

test("another program's line in a journal keeps its name, and only a kernel's makes it a kernel log", () => {
  assert.deepEqual(
    alone("[  520.899558] host kernel: hub\n[  520.899560] host systemd[1]: Started x\n").map(([, text]) => text),
    ["hub", "systemd[1]: Started x"],
  );
  assert.equal(
    readTrace(memorySource("log", Buffer.from("Nov 30 10:00:00 host sshd[1]: a\n")), { defect: () => {} }).ok,
    false,
  );
});

test("a message that looks like a sender's is not cut where the other lines have none", () => {
  assert.deepEqual(
    alone("[    1.000000] pci kernel: x\n[    1.000001] hub\n").map(([, text]) => text),
    ["pci kernel: x", "hub"],
  );
});

test("a record of several lines is one event, and as many lines of a capture's log", () => {
  const text = "6,341,5690717,c,caller=T12;frag\\x0aline two\n";
  assert.deepEqual(alone(text), [[5.690717, "frag\nline two"]]);
  assert.deepEqual(inCapture(text), ["frag", "line two"]);
});

test("a kernel's lines are found behind firmware and boot loaders", () => {
  for (const before of ["SeaBIOS (version 1.16.2)\n\n".repeat(20), "x\n".repeat(5000), "\x1b[2J\x1b[01;01HGRUB\n"]) {
    assert.deepEqual(alone(`${before}[    0.000000] Linux version 6\n`), [[0, "Linux version 6"]]);
  }
});

test("no line is lost by any reader, whatever the form", () => {
  const reader = new LogReader([]);
  const read = (line: string): LogLine => {
    const found = reader.read(line);
    assert.ok(typeof found !== "string", line);
    return found;
  };
  assert.equal(read("<4>[    1.000000][    T1] x").level, 4);
  assert.equal(read("[    1.000000][    T1] x").caller, "T1");
  assert.equal(read("[9999999999.000000] x").fault, "invalid");
  assert.equal(isStamped(logLineOf("just text")), false);
});
