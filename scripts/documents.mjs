/**
 * Writes the JSON documents of every capture (the shipped ones and, if present, the full set beside the checkout), so
 * that two builds can be compared: `node scripts/documents.mjs -o before`, then `diff -r before after`. With `--cli
 * DIST/cli/main.js`, the documents of another build. docs/format-changelog.md names what may differ.
 */
import { execFile } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { basename, join, resolve } from "node:path";
import { parseArgs, promisify } from "node:util";
import { inProject } from "./lib/project.mjs";
import { main, StepFailure, say } from "./lib/step.mjs";

const run = promisify(execFile);

/** The commands for one capture, as command lines without the capture. */
const questions = {
  analyze: ["analyze"],
  findings: ["findings"],
  blame: ["blame"],
  "blame-device": ["blame", "--by", "device"],
  tree: ["tree"],
  "critical-chain": ["critical-chain"],
  sessions: ["sessions"],
  "what-if": ["what-if", "--set", "device:e1000=0"],
};

/** Captures in a folder, by name; cohorts are apart. */
function capturesIn(folder) {
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .filter((name) => name.endsWith(".tar.gz") || existsSync(join(folder, name, "capture.json")))
    .sort()
    .map((name) => join(folder, name));
}

function jobs() {
  const shared = inProject("../shared/captures");
  const single = [
    ...capturesIn(inProject("traces")),
    ...capturesIn(inProject("traces/dialects")),
    ...capturesIn(shared).filter((path) => basename(path) !== "cohorts"),
  ];
  const list = single.flatMap((path) =>
    Object.entries(questions).map(([name, args]) => ({
      name: `${path.startsWith(shared) ? "full" : "shipped"}-${basename(path).replace(/\.tar\.gz$/, "")}.${name}`,
      args: [...args, path],
    })),
  );
  const homes = { shipped: inProject("traces/cohorts"), full: join(shared, "cohorts") };
  for (const [home, folder] of Object.entries(homes)) {
    const names = existsSync(folder) ? readdirSync(folder).filter((name) => name !== "matrix") : [];
    for (const name of names) {
      for (const command of ["percentiles", "cohort", "history", "qualify"]) {
        list.push({ name: `${home}-${name}.${command}`, args: [command, join(folder, name)] });
      }
    }
    for (const name of names.filter((other) => other !== "base")) {
      list.push({
        name: `${home}-${name}.compare`,
        args: ["compare", join(folder, "base"), join(folder, name), "--force"],
      });
    }
    if (names.includes("base")) {
      const budget = ["gate", "--budget", inProject("examples/budget.yaml")];
      list.push({ name: `${home}-base.gate`, args: [...budget, join(folder, "base")] });
    }
  }
  return list;
}

async function documents(args) {
  const { values } = parseArgs({
    args,
    options: { output: { type: "string", short: "o" }, cli: { type: "string" } },
  });
  if (values.output === undefined) throw new StepFailure("give a folder to write to: -o FOLDER");
  const cli = resolve(values.cli ?? inProject("dist/cli/main.js"));
  const out = resolve(values.output);
  mkdirSync(out, { recursive: true });
  const queue = jobs();
  say(`${queue.length} documents of ${cli}`);
  const worker = async () => {
    for (let job = queue.shift(); job !== undefined; job = queue.shift()) {
      const found = await run(process.execPath, [cli, ...job.args, "--json"], { maxBuffer: 1 << 30 }).catch(
        (error) => error,
      );
      const text = `${found.stdout}${found.code ? `exit ${found.code}\n${found.stderr}` : ""}`;
      writeFileSync(join(out, `${job.name}.json`), text);
    }
  };
  await Promise.all(Array.from({ length: Math.min(2, availableParallelism()) }, worker));
}

await main(import.meta, documents);
