import assert from "node:assert/strict";
import { test } from "node:test";
import { allExportFaults, exportedNames, exportFaults } from "../lib/exports.mjs";

test("no name of the tree is exported twice", () => {
  assert.deepEqual(allExportFaults(), []);
});

test("declarations and lists are exports; re-exports and inner text are not", () => {
  const text = [
    "export function a() {}",
    "export async function b() {}",
    "export interface C {}",
    "export const d = 1;",
    "const e = 1;",
    "export { e, f as g };",
    'export { h } from "./h.js";',
    'export * from "./i.js";',
    "  export const j = 1;",
    'import { type K, l } from "./k.js";',
    "export { type K, l };",
  ].join("\n");
  assert.deepEqual(exportedNames(text), ["a", "b", "C", "d", "e", "g"]);
});

test("a name that a second module exports fails, whatever the name", () => {
  const modules = [
    ["src/a.ts", "export type Axis = 1;\nexport const constructor = 1;"],
    ["src/b.ts", "export interface Axis {}"],
  ];
  assert.deepEqual(exportFaults(modules), ["Axis: src/a.ts, src/b.ts export this name; rename the less central one"]);
  assert.equal(exportFaults([["src/a.ts", "export const constructor = 1;\nexport const b = 1;"]]).length, 0);
});
