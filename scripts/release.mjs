/**
 * Makes a release from a clean checkout: `node scripts/release.mjs 0.2.0 [--dry-run]`. Sets the version in
 * package.json and package-lock.json, dates CHANGELOG.md's "Unreleased", writes the bill of materials again, packs,
 * commits, and tags `v0.2.0`. It pushes and publishes nothing: it prints the commands that would.
 */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { inProject } from "./lib/project.mjs";
import { main, run, runNode, StepFailure, say } from "./lib/step.mjs";

const git = (...args) => execFileSync("git", args, { cwd: inProject("."), encoding: "utf8" }).trim();

/** The changelog with the version's own heading; throws if nothing is unreleased. */
export function releasedChangelog(text, version, date) {
  const [, body] = /^## Unreleased\n\n(.*?)(?=^## |(?![\s\S]))/ms.exec(text) ?? [];
  if (body === undefined || body.trim() === "") {
    throw new StepFailure('CHANGELOG.md has nothing under "## Unreleased": state what the release changes');
  }
  return text.replace(/^## Unreleased\n/m, `## Unreleased\n\n## ${version}, ${date}\n`);
}

/** Whether `next` is a later version than `last`; both MAJOR.MINOR.PATCH. */
export function isLater(next, last) {
  const [a, b] = [next, last].map((version) => version.split(".").map(Number));
  const at = a.findIndex((part, i) => part !== b[i]);
  return at >= 0 && a[at] > b[at];
}

async function release(args) {
  const dryRun = args.includes("--dry-run");
  const [version] = args.filter((arg) => arg !== "--dry-run");
  if (!/^\d+\.\d+\.\d+$/.test(version ?? "")) throw new StepFailure("usage: release.mjs MAJOR.MINOR.PATCH [--dry-run]");
  const tags = git("tag", "--list", "v*.*.*")
    .split("\n")
    .filter((tag) => tag !== "");
  const earlier = tags.map((tag) => tag.slice(1)).find((tag) => !isLater(version, tag));
  if (earlier !== undefined) throw new StepFailure(`v${earlier} exists: ${version} must be later`);
  if (git("status", "--porcelain") !== "")
    throw new StepFailure("the checkout has changes: commit or remove them first");

  const changelog = releasedChangelog(
    readFileSync(inProject("CHANGELOG.md"), "utf8"),
    version,
    new Date().toISOString().slice(0, 10),
  );
  if (dryRun) return say(`would release ${version}; tags so far: ${tags.join(", ") || "none"}`);
  writeFileSync(inProject("CHANGELOG.md"), changelog);
  await run("npm", ["version", version, "--no-git-tag-version", "--ignore-scripts", "--allow-same-version"], {
    quiet: true,
  });
  await runNode(["scripts/third-party.mjs"]);
  await run("npm", ["pack", "--silent"], { quiet: true });
  const tarball = `blackout-${version}.tgz`;
  const digest = createHash("sha256")
    .update(readFileSync(inProject(tarball)))
    .digest("hex");
  git("commit", "-aqm", `Release ${version}`);
  git("tag", "-a", `v${version}`, "-m", `blackout ${version}\n\nsha256 ${digest}  ${tarball}`);
  say(`committed and tagged v${version}; ${tarball}: sha256 ${digest}`);
  say(`next: git push --follow-tags; npm publish ${tarball}`);
}

await main(import.meta, release);
