/** Writes THIRD-PARTY-NOTICES.txt and sbom.cdx.json from package-lock.json and the packages' own licence files. */
import { writeFileSync } from "node:fs";
import { inProject } from "./lib/project.mjs";
import { main, say } from "./lib/step.mjs";
import { billOfMaterials, noticesText } from "./lib/third-party.mjs";

await main(import.meta, () => {
  writeFileSync(inProject("THIRD-PARTY-NOTICES.txt"), noticesText());
  writeFileSync(inProject("sbom.cdx.json"), billOfMaterials());
  say("wrote THIRD-PARTY-NOTICES.txt and sbom.cdx.json");
});
