/**
 * Biome's rules, and this project's own: which room may import which, what documents point at, and how text is written.
 */
import { readFileSync } from "node:fs";
import { allLanguageFaults, ratchetFaults } from "./lib/language.mjs";
import { allLinkFaults } from "./lib/links.mjs";
import { inProject } from "./lib/project.mjs";
import { allImportFaults } from "./lib/rooms.mjs";
import { exitCodeOf, main } from "./lib/step.mjs";

/** Resolves to the number of kinds of checks that failed. */
export async function lint() {
  const biome = inProject("node_modules/@biomejs/biome/bin/biome");
  const code = await exitCodeOf(process.execPath, [biome, "check", "--error-on-warnings", "."]);
  const limits = JSON.parse(readFileSync(inProject("scripts/lib/language-ratchet.json"), "utf8"));
  const faults = [...allImportFaults(), ...allLinkFaults(), ...ratchetFaults(allLanguageFaults(), limits)];
  for (const fault of faults) process.stderr.write(`${fault}\n`);
  return (code === 0 ? 0 : 1) + (faults.length === 0 ? 0 : 1);
}

await main(import.meta, async () => ((await lint()) === 0 ? 0 : 1));
