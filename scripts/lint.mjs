/**
 * Biome's rules, and this project's own: which room may import which, how many files a folder holds, which names are
 * exported twice, what documents point at, and how text is written.
 */
import { allExportFaults } from "./lib/exports.mjs";
import { allFolderFaults } from "./lib/folders.mjs";
import { allLanguageFaults } from "./lib/language.mjs";
import { allLinkFaults } from "./lib/links.mjs";
import { inProject } from "./lib/project.mjs";
import { allImportFaults } from "./lib/rooms.mjs";
import { exitCodeOf, main } from "./lib/step.mjs";

/** Resolves to the number of kinds of checks that failed. */
export async function lint() {
  const biome = inProject("node_modules/@biomejs/biome/bin/biome");
  const code = await exitCodeOf(process.execPath, [biome, "check", "--error-on-warnings", "."]);
  const languageFaults = allLanguageFaults().map(({ file, line, what }) => `${file}:${line}: ${what}`);
  const faults = [
    ...allImportFaults(),
    ...allFolderFaults(),
    ...allExportFaults(),
    ...allLinkFaults(),
    ...languageFaults,
  ];
  for (const fault of faults) process.stderr.write(`${fault}\n`);
  return (code === 0 ? 0 : 1) + (faults.length === 0 ? 0 : 1);
}

await main(import.meta, async () => ((await lint()) === 0 ? 0 : 1));
