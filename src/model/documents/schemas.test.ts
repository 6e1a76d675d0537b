import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { Ajv } from "ajv";
import { jsonSchemaOf, schemaText } from "../../base/json-schema.js";
import { projectRoot } from "../../testing/places.js";
import { DOCUMENT_SCHEMAS } from "./all.js";

const docs = join(projectRoot, "docs");

test("The schemas in docs/ are those of the declarations", () => {
  const files = readdirSync(docs).filter((name) => name.endsWith(".schema.json"));
  const names = DOCUMENT_SCHEMAS.map(({ name }) => `${name}.schema.json`);
  assert.deepEqual(files.sort(), names.sort());
  for (const document of DOCUMENT_SCHEMAS) {
    const file = `${document.name}.schema.json`;
    const advice = `${file} is not what its declaration says: run node scripts/schemas.mjs`;
    assert.equal(readFileSync(join(docs, file), "utf8"), schemaText(document), advice);
  }
});

test("Every schema is valid, refers to no definition that it lacks, and has none that nothing refers to", () => {
  for (const document of DOCUMENT_SCHEMAS) {
    const schema = jsonSchemaOf(document);
    new Ajv({ strict: true, allowUnionTypes: true }).compile(schema);
    const text = JSON.stringify(schema);
    for (const name of Object.keys(schema.definitions ?? {})) {
      assert.ok(text.includes(`"#/definitions/${name}"`), `${document.name}: ${name}`);
    }
  }
});
