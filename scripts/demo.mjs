/**
 * Demonstrates blackout on a real recording: installs and builds what is missing, then analyses, reports and exports.
 */
import { mkdirSync } from "node:fs";
import { build } from "./build.mjs";
import { inProject } from "./lib/project.mjs";
import { main, runNode, say, step } from "./lib/step.mjs";
import { setup } from "./setup.mjs";

const capture = "traces/plain.tar.gz";
const report = "out/report.html";
const trace = "out/trace.pftrace";

async function demo() {
  await setup();
  await build();
  mkdirSync(inProject("out"), { recursive: true });
  for (const args of [
    ["analyze", capture],
    ["findings", capture],
    ["report", capture, "-o", report],
    ["perfetto", capture, "-o", trace],
  ]) {
    await step(`blackout ${args.join(" ")}`, () => runNode(["dist/cli/main.js", ...args]));
  }
  say(`open ${report} in a browser, and ${trace} in https://ui.perfetto.dev`);
}

await main(import.meta, demo);
