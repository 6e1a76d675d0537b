/** What ships: the files of the package, the notices of others' code, the bill of materials. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { basename } from "node:path";
import { test } from "node:test";
import { filesUnder } from "../lib/dist.mjs";
import { inProject } from "../lib/project.mjs";
import { billOfMaterials, noticesText, shippedPackages } from "../lib/third-party.mjs";

const packed = JSON.parse(
  spawnSync("npm", ["pack", "--dry-run", "--json", "--ignore-scripts"], { cwd: inProject("."), encoding: "utf8" })
    .stdout,
)[0].files.map(({ path }) => path);

test("the package contains the command, the viewer, the recorder and its papers", () => {
  for (const path of [
    "LICENSE",
    "README.md",
    "SECURITY.md",
    "THIRD-PARTY-NOTICES.txt",
    "sbom.cdx.json",
    "dist/cli/main.js",
    "dist/viewer/report-template.html",
    "dist/recorder/recorder.sh",
    "traces/plain.tar.gz",
  ]) {
    assert.ok(packed.includes(path), path);
  }
});

test("the package contains no tests, no source maps, no build notes", () => {
  const kinds = /\.test\.|\.map$|tsbuildinfo|(^|\/)(testing|node_modules|bench|scripts)\/|golden|(^|[/-])samples\//;
  assert.deepEqual(
    packed.filter((path) => kinds.test(path)),
    [],
  );
  for (const path of packed.filter((each) => each.endsWith(".js"))) {
    assert.doesNotMatch(readFileSync(inProject(path), "utf8"), /^\/\/# sourceMappingURL=/m, path);
  }
});

test("every file of dist that is not a script is read by a script of the package", () => {
  const scripts = packed.filter((path) => /^dist\/.*\.js$/.test(path));
  const text = scripts.map((path) => readFileSync(inProject(path), "utf8")).join("\n");
  const unread = packed
    .filter((path) => path.startsWith("dist/") && !/^dist\/(man|completions|schemas)\/|\.(js|cjs|d\.ts)$/.test(path))
    // A whole folder of files may be copied: then the folder is named.
    .filter((path) => !text.includes(basename(path)) && !text.includes(`"${path.split("/").at(-2)}"`));
  assert.deepEqual(unread, []);
});

test("the notices and the bill of materials are those of package-lock.json", () => {
  const written = (path) => readFileSync(inProject(path), "utf8");
  assert.equal(written("THIRD-PARTY-NOTICES.txt"), noticesText(), "run: node scripts/third-party.mjs");
  assert.equal(written("sbom.cdx.json"), billOfMaterials(), "run: node scripts/third-party.mjs");
});

test("the bill of materials lists each package once, with a checksum, and refers to listed packages only", () => {
  const bill = JSON.parse(readFileSync(inProject("sbom.cdx.json"), "utf8"));
  const refs = bill.components.map((each) => each["bom-ref"]);
  assert.equal(new Set(refs).size, refs.length);
  assert.deepEqual(
    refs,
    shippedPackages().map(({ name, version }) => `${name}@${version}`),
  );
  for (const { hashes, name } of bill.components) assert.match(hashes[0].content, /^[0-9a-f]{128}$/, name);
  const all = new Set([...refs, bill.metadata.component["bom-ref"]]);
  for (const { ref, dependsOn } of bill.dependencies) {
    for (const each of [ref, ...dependsOn]) assert.ok(all.has(each), each);
  }
  assert.match(bill.serialNumber, /^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-8[0-9a-f]{3}-[0-9a-f]{12}$/);
});

test("every page of the viewer contains the licences of the code in it", () => {
  for (const page of filesUnder(inProject("dist/viewer"))) {
    const text = readFileSync(inProject("dist/viewer", page), "utf8");
    assert.match(text, /This page contains uplot .*Copyright \(c\) \d+ Leon Sorokin.*THE SOFTWARE IS PROVIDED/s, page);
  }
});

test("the workflows pin what they run: actions by commit, packages by a lock file", () => {
  for (const name of filesUnder(inProject("examples/github"))) {
    const text = readFileSync(inProject("examples/github", name), "utf8");
    for (const [, action] of text.matchAll(/uses: *(\S+)/g)) assert.match(action, /@[0-9a-f]{40}$/, action);
    for (const [, command] of text.matchAll(/run: *(npm .*)/g)) assert.match(command, /^npm ci\b/, command);
    assert.doesNotMatch(text, /curl|wget|npx /);
  }
});
