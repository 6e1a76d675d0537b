/**
 * Builds blackout for hosts without Node.js, one executable file for each platform, in out/:
 * `node scripts/package/single-file.mjs [linux-x64] [linux-arm64]`. DuckDB and the ClickHouse client are left out:
 * archive and query need the npm package.
 */
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, statSync } from "node:fs";
import { build } from "../build.mjs";
import { inProject } from "../lib/project.mjs";
import { main, StepFailure, say, step } from "../lib/step.mjs";
import { buildSingleFile, platforms } from "./build-single-file.mjs";

await main(import.meta, async (args) => {
  const alien = args.find((arg) => !platforms.includes(arg));
  if (alien !== undefined) throw new StepFailure(`${alien}: expected ${platforms.join(" or ")}`);
  await build();
  mkdirSync(inProject("out"), { recursive: true });
  for (const platform of args.length > 0 ? args : platforms) {
    const output = inProject("out", `blackout-${platform}`);
    const made = await step(`single file for ${platform}`, () => buildSingleFile(platform, output));
    if (made === null) throw new StepFailure(`npm's registry does not give Node.js for ${platform}`);
    const digest = createHash("sha256").update(readFileSync(made)).digest("hex");
    say(`out/blackout-${platform}: ${(statSync(made).size / 2 ** 20).toFixed(0)} MiB, sha256 ${digest}`);
  }
});
