/** The schemas as a consumer needs them: fields that a later release adds are accepted (docs/api.md). */
import { mkdirSync, writeFileSync } from "node:fs";
import { inProject } from "./project.mjs";

/** A schema without `additionalProperties: false`, at every depth. */
export function openSchema(schema) {
  if (Array.isArray(schema)) return schema.map(openSchema);
  if (typeof schema !== "object" || schema === null) return schema;
  return Object.fromEntries(
    Object.entries(schema)
      .filter(([key, value]) => !(key === "additionalProperties" && value === false))
      .map(([key, value]) => [key, openSchema(value)]),
  );
}

/** Writes dist/schemas from the declarations in dist. */
export async function writeConsumerSchemas() {
  const { schemaText } = await import(inProject("dist/base/json-schema.js"));
  const { DOCUMENT_SCHEMAS } = await import(inProject("dist/model/documents/all.js"));
  mkdirSync(inProject("dist/schemas"), { recursive: true });
  for (const document of DOCUMENT_SCHEMAS) {
    const schema = openSchema(JSON.parse(schemaText(document)));
    writeFileSync(inProject(`dist/schemas/${document.name}.schema.json`), `${JSON.stringify(schema, null, 2)}\n`);
  }
}
