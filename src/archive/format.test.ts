import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { type FieldNode, recordNode } from "../base/schema.js";
import { updateSampleSchema } from "../model/update-sample.js";
import { projectRoot } from "../testing/places.js";
import { type ArchiveColumn, type ColumnKind, TABLE_NAMES, TABLES } from "./format.js";

const TYPES: Readonly<Record<ColumnKind, string>> = { text: "VARCHAR (UTF-8)", int: "BIGINT", date: "DATE" };

function line({ name, kind, nullable, about }: ArchiveColumn): string {
  return `| \`${name}\` | ${TYPES[kind]} | ${nullable ? "yes" : "no"} | ${about} |`;
}

test("docs/archive-format.md lists each table's columns as they are declared", () => {
  const page = readFileSync(join(projectRoot, "docs/archive-format.md"), "utf8");
  const own = TABLES.updates.findIndex(({ name }) => name === "basis") + 1;
  for (const table of TABLE_NAMES) {
    const isFirst = table === "updates";
    const lines = TABLES[table].slice(isFirst ? 0 : own).map(line);
    const again = isFirst ? [] : ["| `segment` … `basis` | | | as in `updates`, of the row's update |"];
    const expected = ["| column | type | null | meaning |", "| --- | --- | --- | --- |", ...again, ...lines, ""].join(
      "\n",
    );
    assert.ok(page.includes(expected), `${table}: docs/archive-format.md lacks\n${expected}`);
  }
});

/** The paths of all single values of a record, and of the lists and maps in it. */
function pathsOf(fields: Readonly<Record<string, FieldNode>>, place: string): readonly string[] {
  return Object.entries(fields).flatMap(([name, { node }]) => {
    const isRecord = node.kind === "record";
    return isRecord ? pathsOf(recordNode(node).fields, `${place}${name}.`) : [`${place}${name}`];
  });
}

test("every field of an update's sample is held by a column, or has rows of its own", () => {
  const rowsOfTheirOwn = /^(?:labels|phases\..*|work|vms|causes|outsideCauses|defectCodes|health|format|version)$/;
  const held = new Set(TABLES.updates.map(({ field }) => field));
  const fields = pathsOf(recordNode(updateSampleSchema.node).fields, "").filter((path) => !/^image/.test(path));
  assert.deepEqual(
    fields.filter((path) => !held.has(path) && !rowsOfTheirOwn.test(path)),
    [],
  );
});
