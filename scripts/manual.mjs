/** Writes the manual pages and the completions into dist, from the commands' declarations there. Build first. */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { inProject } from "./lib/project.mjs";
import { main } from "./lib/step.mjs";

export async function writeManual() {
  const load = (path) => import(inProject("dist/cli", path));
  const { commands } = await load("commands.js");
  const { mainExamples, mainOptions, mainSummary } = await load("frame/command-run.js");
  const { describe, describeOptions } = await load("manual/described.js");
  const { manPages } = await load("manual/man-page.js");
  const { completionFor, SHELLS } = await load("manual/completions.js");
  const { version } = JSON.parse(readFileSync(inProject("package.json"), "utf8"));
  const options = describeOptions(mainOptions);
  const described = await describe(commands);

  const folder = (name) => {
    rmSync(inProject("dist", name), { recursive: true, force: true });
    mkdirSync(inProject("dist", name), { recursive: true });
    return (file, text) => writeFileSync(inProject("dist", name, file), text);
  };
  const page = folder("man");
  for (const { file, text } of manPages(
    { version, summary: mainSummary, options, examples: mainExamples },
    described,
  )) {
    page(file, text);
  }
  const completion = folder("completions");
  const names = { bash: "blackout.bash", zsh: "_blackout", fish: "blackout.fish" };
  for (const shell of SHELLS) completion(names[shell], completionFor(shell, options, described));
}

await main(import.meta, writeManual);
