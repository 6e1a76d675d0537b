/**
 * Everything a change must pass, from a bare checkout on: setup, build, lint (with the import rule), tests. With
 * arguments, only the test files whose paths contain one of them, and no lint: `npm test -- clock-map`.
 */
import { availableParallelism } from "node:os";
import { build } from "./build.mjs";
import { announceTools } from "./lib/debian-tools.mjs";
import { filesUnder } from "./lib/dist.mjs";
import { isInstalled } from "./lib/node-modules.mjs";
import { inProject } from "./lib/project.mjs";
import { exitCodeOf, main, StepFailure, say, step } from "./lib/step.mjs";
import { lint } from "./lint.mjs";
import { setup } from "./setup.mjs";

/** A test that hangs fails with its name, long before CI kills the job silently. */
const testTimeoutMs = 300_000;

function testFiles(patterns) {
  const files = [
    ...filesUnder(inProject("dist"))
      .filter((path) => path.endsWith(".test.js"))
      .map((path) => `dist/${path}`),
    ...["viewer/test", "scripts/test"].flatMap((folder) =>
      filesUnder(inProject(folder))
        .filter((path) => path.endsWith(".test.mjs"))
        .map((path) => `${folder}/${path}`),
    ),
  ];
  return patterns.length === 0 ? files : files.filter((file) => patterns.some((pattern) => file.includes(pattern)));
}

async function test(patterns) {
  if (patterns.length === 0) {
    say("all tests: about 15 minutes on two idle cores; 'npm test -- NAME' runs the files whose path contains NAME");
    if (!isInstalled()) say("the packages of package-lock.json will be installed (npm ci, in node_modules)");
    await announceTools();
  }
  await setup({ forTests: true });
  await build();
  const files = testFiles(patterns);
  if (files.length === 0) throw new StepFailure(`no test file's path contains ${patterns.join(" or ")}`);

  const failed = [];
  if (patterns.length === 0) {
    if ((await step("lint", lint)) !== 0) failed.push("lint");
  }
  const tests = await step(`${files.length} test files`, () =>
    exitCodeOf(
      process.execPath,
      [
        "--test",
        `--test-concurrency=${Math.min(2, availableParallelism())}`,
        `--test-timeout=${testTimeoutMs}`,
        `--test-reporter=${inProject("scripts/lib/test-reporter.mjs")}`,
        ...files,
      ],
      { env: { BLACKOUT_TEST_FILES: String(files.length) } },
    ),
  );
  if (tests !== 0) failed.push("tests");
  if (failed.length > 0) throw new StepFailure(failed.join(" and "));
  say("passed");
}

await main(import.meta, test);
