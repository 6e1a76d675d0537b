import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { colourful, plain } from "./terminal-style.js";
import { leftColumn, renderTable, rightColumn } from "./terminal-table.js";
import { displayWidth } from "./terminal-text.js";

const columns = [rightColumn("time"), leftColumn("span", "end"), leftColumn("file", "middle")];
const rows = [
  ["1.204 s", "luo_session_deserialize", "old/ring/per_cpu/cpu0/trace_pipe_raw"],
  ["12 ms", "kexec"],
  ["", "größe", "new/trace"],
];

test("columns line up, numbers at the right, no trailing blanks", () => {
  assert.equal(
    renderTable(columns, rows),
    `   time  span                     file
1.204 s  luo_session_deserialize  old/ring/per_cpu/cpu0/trace_pipe_raw
  12 ms  kexec
         größe                    new/trace
`,
  );
  assert.equal(renderTable(columns, []), "");
});

test("a narrow terminal cuts what may be cut, the widest first, never a number", () => {
  assert.equal(
    renderTable(columns, rows, { width: 52, palette: plain, indent: 2 }),
    `     time  span                 file
  1.204 s  luo_session_deseri…  old/ring/p…_pipe_raw
    12 ms  kexec
           größe                new/trace
`,
  );
  const narrow = renderTable(columns, rows, { width: 10, palette: plain, indent: 0 });
  assert.match(narrow, /1\.204 s {2}luo_session… {2}old\/ri…e_raw/);
});

test("styles paint texts, not gaps, and do not disturb the columns", () => {
  const table = renderTable(
    [leftColumn(""), rightColumn("")],
    [
      [{ text: "blackout", style: "strong" }, "9 ms"],
      ["x", { text: "10 ms", style: "bad" }],
    ],
    { width: null, palette: colourful, indent: 0 },
  );
  assert.equal(table, "\x1b[1mblackout\x1b[22m   9 ms\nx         \x1b[31m10 ms\x1b[39m\n");
});

test("a name from a capture cannot command the terminal", () => {
  assert.equal(renderTable([leftColumn("")], [["\x1b[2J\nforged row"]]), "\\x1b[2J\\nforged row\n");
});

test("names of any length are cut in bounded time", () => {
  const hostile = "x".repeat(3_000_000);
  const table = renderTable(columns, [["1 s", hostile, hostile]], { width: 80, palette: plain, indent: 0 });
  assert.equal(Math.max(...table.split("\n").map(displayWidth)), 80);
});

test("a row with more cells than columns is a bug", () => {
  assert.throws(() => renderTable([leftColumn("")], [["a", "b"]]), RangeError);
});

test("property: one line a row, no control character, and the width kept where names can give way", () => {
  const cell = fc.string({ unit: "binary", maxLength: 60 });
  const number = fc.nat(1e9).map(String);
  fc.assert(
    fc.property(
      fc.array(fc.tuple(number, cell, cell), { minLength: 1, maxLength: 8 }),
      fc.integer({ min: 40, max: 120 }),
      (cells, width) => {
        const lines = renderTable(columns, cells, { width, palette: plain, indent: 0 }).split("\n");
        assert.equal(lines.length, cells.length + 2);
        for (const line of lines) {
          assert.doesNotMatch(line, /\p{Cc}/u);
          assert.ok(displayWidth(line) <= width, line);
        }
      },
    ),
  );
});
