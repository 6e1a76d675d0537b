/** Builds dist from src: compiles, builds the viewer, copies other assets, removes output without a source. */
import { existsSync } from "node:fs";
import { writeConsumerSchemas } from "./lib/consumer-schemas.mjs";
import { copyAssets, forgetIfIncomplete, makeExecutable, pruneStale } from "./lib/dist.mjs";
import { inProject } from "./lib/project.mjs";
import { main, runNode, say, step } from "./lib/step.mjs";
import { writeManual } from "./manual.mjs";

export async function build() {
  await step("build", async () => {
    const stale = pruneStale();
    if (stale.length > 0) say(`removed from dist, as their sources are gone: ${stale.join(", ")}`);
    forgetIfIncomplete();
    await runNode([inProject("node_modules/typescript/bin/tsc"), "-p", "."]);
    copyAssets();
    const viewer = inProject("scripts/build-viewer.mjs");
    if (existsSync(viewer)) await runNode([viewer]);
    for (const path of ["dist/cli/main.js", "dist/cli/launch/blackout.cjs"]) makeExecutable(inProject(path));
    await writeManual();
    await writeConsumerSchemas();
  });
}

await main(import.meta, build);
