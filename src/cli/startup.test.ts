/** What starting costs: `--version` and `--help` load nothing that only a command needs. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import test from "node:test";

const main = join(import.meta.dirname, "main.js");

/** Packages and files that are imported, directly or not, without being asked for (`import("…")` is not followed). */
function importedBy(file: string, seen: Set<string> = new Set()): Set<string> {
  if (seen.has(file)) return seen;
  seen.add(file);
  for (const [, specifier = ""] of readFileSync(file, "utf8").matchAll(
    /^(?:import|export)\b(?:[^";]*\bfrom)?\s*"([^"]+)";$/gm,
  )) {
    if (specifier.startsWith(".")) importedBy(resolve(dirname(file), specifier), seen);
    else if (!specifier.startsWith("node:")) seen.add(specifier);
  }
  return seen;
}

test("the program imports no package, and few files, before a command runs", () => {
  const imported = importedBy(main);
  assert.deepEqual(
    [...imported].filter((each) => !each.startsWith("/")),
    [],
  );
  assert.ok(imported.size > 5 && imported.size < 30, `${imported.size} files`);
});

test("packages are imported only by the commands that need them", () => {
  const packagesOf = (command: string): readonly string[] =>
    [...importedBy(join(import.meta.dirname, `${command}.js`))].filter((each) => !each.startsWith("/")).sort();
  assert.deepEqual(packagesOf("update/analyze"), ["fzstd", "tar-stream"]);
  assert.deepEqual(packagesOf("trace/convert"), ["fzstd"]);
  for (const name of ["recording/doctor", "recording/record"]) assert.deepEqual(packagesOf(name), [], name);
  for (const name of ["cohort/compare", "cohort/history", "cohort/cohort", "archive/archive", "archive/query"]) {
    const own = packagesOf(name);
    for (const heavy of ["protobufjs", "yaml", "hdr-histogram-js", "@duckdb", "@clickhouse"]) {
      assert.ok(!own.some((each) => each.startsWith(heavy)), `${name} imports ${own.join(", ")}`);
    }
  }
});

test("--version and --help take at most four times bare node's CPU time", () => {
  const reporter = `data:text/javascript,process.on("exit",()=>process.stderr.write("CPU "+process.cpuUsage().user))`;
  const cpuUs = (...args: readonly string[]): number => {
    const { stderr } = spawnSync(process.execPath, ["--import", reporter, ...args], { encoding: "utf8" });
    return Number(/CPU (\d+)$/.exec(stderr)?.[1]);
  };
  const least = { bare: Number.POSITIVE_INFINITY, version: Number.POSITIVE_INFINITY, help: Number.POSITIVE_INFINITY };
  // Interleaved, and the least of each: other load on the machine only adds.
  for (let run = 0; run < 5; run += 1) {
    least.bare = Math.min(least.bare, cpuUs("-e", "0"));
    least.version = Math.min(least.version, cpuUs(main, "--version"));
    least.help = Math.min(least.help, cpuUs(main, "--help"));
  }
  assert.ok(least.version <= 4 * least.bare && least.help <= 4 * least.bare, JSON.stringify(least));
});
