import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import fc from "fast-check";
import { formatBytes } from "../../base/text/format.js";
import { quoted } from "../../base/text/quote.js";
import { projectRoot } from "../../testing/places.js";
import { DEFAULT_LIMITS, pathFault } from "./capture-error.js";

const document = readFileSync(join(projectRoot, "docs/capture-format.md"), "utf8");

/** Codes in the first column of the table under a heading. */
function tableCodes(heading: string): readonly string[] {
  const section = document.split(`\n## ${heading}\n`)[1]?.split("\n## ")[0] ?? "";
  return [...section.matchAll(/^\| `([a-z0-9-]+)` \|/gm)].map((match) => match[1] as string).sort();
}

function sources(): readonly string[] {
  return ["src/model", "src/collect", "src/analyze"].flatMap((folder) =>
    readdirSync(join(projectRoot, folder), { recursive: true, encoding: "utf8" })
      .filter((name) => name.endsWith(".ts") && !name.endsWith(".test.ts"))
      .map((name) => readFileSync(join(projectRoot, folder, name), "utf8")),
  );
}

/** The value of a constant that a code is given by; any other expression unchanged. */
function named(expression: string): string {
  if (!/^[A-Z_]+$/.test(expression)) return expression;
  const value = new RegExp(`const ${expression} = ("[a-z0-9-]+");`);
  return sources().flatMap((source) => value.exec(source)?.[1] ?? [])[0] ?? expression;
}

/** Every code next to a severity: a text, a constant, or a choice of two. */
function defectCodes(): readonly string[] {
  const codes = new Set<string>();
  for (const source of sources()) {
    for (const [, expression] of source.matchAll(/\bcode: ([^\n]*?),\s*(?:\n\s*)?severity: /g)) {
      const text = named(expression as string);
      // A parameter's type: its callers name the code. Or one that was read from a document that another run wrote.
      if (text === "string" || text.startsWith("text(")) continue;
      const found = [...text.replace(/^lost === "pause" /, "").matchAll(/"([a-z0-9-]+)"/g)].map(
        (match) => match[1] as string,
      );
      assert.ok(found.length > 0, `a code that the test cannot read: ${text}`);
      for (const code of found) codes.add(code);
    }
    // A loss's code stands apart from its severity.
    for (const [, code] of source.matchAll(/\bcode: "(ring-[a-z-]+)", file: /g)) codes.add(code as string);
  }
  return [...codes].sort();
}

test("docs/capture-format.md lists every defect code that the sources emit, and no other", () => {
  const codes = defectCodes();
  assert.ok(codes.length > 25);
  assert.deepEqual(tableCodes("Defects"), codes);
});

test("docs/capture-format.md lists every capture error code, and no other", () => {
  const source = readFileSync(join(projectRoot, "src/collect/files/capture-error.ts"), "utf8");
  const union = /export type CaptureErrorCode =\n([^;]*);/.exec(source)?.[1] ?? "";
  const codes = [...union.matchAll(/"([a-z-]+)"/g)].map((match) => match[1] as string).sort();
  assert.ok(codes.length > 10);
  assert.deepEqual(tableCodes("Errors"), codes);
});

test("docs/capture-format.md states the limits that hold", () => {
  const { totalBytes, memberBytes, members, pathLength, depth, ratio } = DEFAULT_LIMITS;
  for (const row of [
    `| all files, unpacked | ${totalBytes / 2 ** 30} GiB |`,
    `| one file, unpacked | ${memberBytes / 2 ** 30} GiB |`,
    `| files and folders | ${members.toLocaleString("en")} |`,
    `| a path | ${pathLength} characters, ${depth} folders deep, 255 bytes each part |`,
    `| unpacked bytes per packed byte, beyond the first 64 MiB | ${ratio.toLocaleString("en")} |`,
  ]) {
    assert.ok(document.includes(row), row);
  }
});

const fault = (path: string): string | null => pathFault(path, DEFAULT_LIMITS);

test("a path is usable if it is relative, printable and free of parts that lead elsewhere", () => {
  for (const good of ["capture.json", "old/per_cpu/cpu0/stats", "a b/ü", "..a", "a..", "a/...", "-"]) {
    assert.equal(fault(good), null, good);
  }
  for (const bad of [
    "",
    "/",
    "/a",
    "..",
    "a/..",
    "../a",
    "a/../b",
    "a//b",
    "a/",
    "./a",
    "a/./b",
    "a\\b",
    "C:a",
    "a\0",
    "a\n",
  ]) {
    assert.notEqual(fault(bad), null, JSON.stringify(bad));
  }
});

test("whatever passes stays inside the folder it is joined to", () => {
  const part = fc.oneof(fc.constantFrom("..", ".", "", "a", "\\", "/"), fc.string({ maxLength: 4 }));
  fc.assert(
    fc.property(fc.array(part, { maxLength: 6 }), (parts) => {
      const path = parts.join("/");
      if (fault(path) === null) assert.equal(join("/top", path), `/top/${path}`);
    }),
    { numRuns: 2_000 },
  );
});

test("limits are inclusive", () => {
  const limits = { pathLength: 5, depth: 1 };
  assert.equal(pathFault("a/bcd", limits), null);
  assert.match(pathFault("a/bcde", limits) ?? "", /6 characters, more than 5/);
  assert.match(pathFault("a/b/c", limits) ?? "", /more than 1 folders deep/);
});

test("texts for messages: quoted and cut, bytes with separators", () => {
  assert.equal(quoted("a\u001b"), '"a\\u001b"');
  assert.ok(quoted("x".repeat(10_000)).length < 220);
  assert.equal(formatBytes(1_234_567), "1,234,567 bytes");
});
