/** Writes docs/*.schema.json from the declarations in src/model, as last built. A test finds schemas that differ. */
import { readFileSync, writeFileSync } from "node:fs";
import { schemaText } from "../dist/base/json-schema.js";
import { DOCUMENT_SCHEMAS } from "../dist/model/documents/all.js";
import { inProject } from "./lib/project.mjs";

for (const document of DOCUMENT_SCHEMAS) {
  const path = inProject(`docs/${document.name}.schema.json`);
  const text = schemaText(document);
  if (readFileSync(path, { encoding: "utf8", flag: "a+" }) === text) continue;
  writeFileSync(path, text);
  process.stdout.write(`wrote docs/${document.name}.schema.json\n`);
}
