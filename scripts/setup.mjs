/**
 * Installs what is missing: the packages of package-lock.json and, with --for-tests, the Debian programs that tests
 * compare with. Needs only Node.js and npm. Returns quickly if nothing is missing.
 */
import { installTools } from "./lib/debian-tools.mjs";
import { install, isInstalled } from "./lib/node-modules.mjs";
import { main, StepFailure } from "./lib/step.mjs";

export async function setup({ forTests = false } = {}) {
  const [major, minor] = process.versions.node.split(".").map(Number);
  if (major < 20 || (major === 20 && minor < 19)) {
    throw new StepFailure(`Node.js 20.19 or later is needed, this is ${process.versions.node}`);
  }
  // One waits for the npm registry, the other for Debian's archive, so they run in parallel. Both may finish, so that
  // neither is killed half-way because the other failed.
  const outcomes = await Promise.allSettled([isInstalled() || install(), forTests && installTools()]);
  for (const outcome of outcomes) if (outcome.status === "rejected") throw outcome.reason;
}

await main(import.meta, (args) => setup({ forTests: args.includes("--for-tests") }));
