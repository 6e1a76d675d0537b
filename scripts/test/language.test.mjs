import assert from "node:assert/strict";
import { test } from "node:test";
import { languageFaults, textsOfCode, textsOfScript } from "../lib/language.mjs";

const faultsOf = (file, text) => languageFaults(file, text).map(({ line, what }) => `${line}: ${what}`);

test("a forbidden phrase is a fault in a comment, a string, a template, a script and a document", () => {
  const code = ["const a = 1;", "// It is none.", 'const b = "it told";', "const c = `said $", "{a}`;"].join("\n");
  assert.equal(faultsOf("src/x/y.ts", code).length, 3);
  assert.equal(faultsOf("src/x/y.sh", "x=1 # who is told\necho 'it said so'\n").length, 2);
  assert.equal(faultsOf("docs/x.md", "It is none.\n\n    it is none\n\n`is none` ```\n").length, 1);
});

test("code itself is not text: names, patterns and divisions are passed over", () => {
  assert.deepEqual(faultsOf("src/x/y.ts", "const told = said / 2; f(/is none/, a / b); // fine\n"), []);
});

test("a phrase that is broken over two lines of a comment is found, on the line where it begins", () => {
  assert.deepEqual(faultsOf("src/x/y.ts", "\n/**\n * What is\n * none of these.\n */\n"), [
    '3: "is none": write "not a …", "ignored" or "no … found"',
  ]);
});

test("usual English is no fault", () => {
  for (const text of ["There is no TLS.", "There is none.", "It is no longer there.", "It is no more than 3 s."]) {
    assert.deepEqual(faultsOf("docs/x.md", text), [], text);
  }
});

test('"where" is for places: a condition is a fault, a place is not', () => {
  for (const text of [
    "Null where the record is too short.",
    "The time; null where it is not known.",
    "The bytes, where they are known.",
    "One line, where no CPU has pages.",
    "The list; empty where nothing was traced.",
  ]) {
    assert.notDeepEqual(faultsOf("docs/x.md", `${text}\n`), [], text);
    assert.notDeepEqual(faultsOf("src/x/y.ts", `// ${text}\n`), [], text);
  }
  for (const text of [
    "It stays where it is on the screen.",
    "It is split where one kernel ends and the next begins.",
    "Print where this is recorded.",
    "Find where the header ends.",
  ]) {
    assert.deepEqual(faultsOf("docs/x.md", `${text}\n`), [], text);
  }
});

test("lines of more than 120 columns are faults in comments and prose; tables and links may be wider", () => {
  const wide = "a ".repeat(61);
  assert.equal(faultsOf("src/x/y.ts", `// ${wide}\n`).length, 1);
  assert.equal(faultsOf("src/x/y.ts", `const a = "${wide}";\n`).length, 0);
  const prose = `${"Short one. ".repeat(11)}\n`;
  assert.equal(faultsOf("docs/x.md", prose).length, 1);
  assert.equal(faultsOf("docs/x.md", `| ${prose.trim()} |\n`).length, 0);
  assert.equal(faultsOf("docs/x.md", `[a](b.md) ${prose}`).length, 0);
});

test("a sentence of more than 40 words is a fault, over the lines of its paragraph", () => {
  const words = (n) => Array.from({ length: n }, () => "word").join(" ");
  assert.equal(faultsOf("docs/x.md", `${words(20)}\n${words(21)}.\n`).length, 1);
  assert.equal(faultsOf("docs/x.md", `${words(20)}.\n${words(21)}.\n`).length, 0);
  assert.equal(faultsOf("docs/x.md", `- ${words(20)}\n- ${words(21)}\n`).length, 0);
});

test("strings, comments and patterns are distinguished", () => {
  const text = ['const a = "// no comment"; // yes', "const b = /[/\"]/; const c = 'x';", "/* two\nlines */"].join(
    "\n",
  );
  assert.deepEqual(
    textsOfCode(text).map(({ kind, line }) => `${kind} ${line}`),
    ["string 1", "comment 1", "string 2", "comment 3"],
  );
  assert.deepEqual(
    textsOfCode(["`a $", "{f(`b`, '}')} c` // d"].join("")).map(({ kind }) => kind),
    ["string", "comment"],
  );
  assert.deepEqual(
    textsOfScript(["#!/bin/sh\na=$", "{b#c} # d\n"].join("")).map(({ text }) => text),
    [" # d"],
  );
});

test("an exception for one phrase leaves all other phrases of its file forbidden", () => {
  const file = "src/analyze/evidence/boundaries.ts";
  assert.deepEqual(faultsOf(file, 'const a = "it said";\n'), []);
  assert.equal(faultsOf(file, 'const a = "it told";\n').length, 1);
  assert.equal(faultsOf("src/x/y.ts", 'const a = "it said";\n').length, 1);
});
