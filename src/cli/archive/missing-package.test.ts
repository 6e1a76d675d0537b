import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";
import { shippedCohort } from "../../testing/places.js";

const main = join(import.meta.dirname, "../main.js");

/** Node's options under which a package is not found, as if it had not been installed. */
function without(name: string): readonly string[] {
  const hooks = `export async function resolve(specifier, context, next) {
    if (specifier === ${JSON.stringify(name)}) throw new Error("Cannot find package '${name}'");
    return next(specifier, context);
  }`;
  const register = `import { register } from "node:module"; register(${JSON.stringify(dataUrl(hooks))});`;
  return ["--import", dataUrl(register)];
}

const dataUrl = (code: string): string => `data:text/javascript,${encodeURIComponent(code)}`;

test("without DuckDB or the ClickHouse client, only what needs them is refused: a sentence, and an exit code of its own", () => {
  const folder = mkdtempSync(join(tmpdir(), "blackout-"));
  const [capture = ""] = shippedCohort("base");
  const blackout = (missing: string, ...args: readonly string[]) =>
    spawnSync(process.execPath, [...without(missing), main, ...args], { encoding: "utf8" });
  try {
    const added = blackout("@duckdb/node-api", "archive", "add", join(folder, "fleet"), capture);
    assert.deepEqual([added.status, added.stdout], [69, ""]);
    assert.match(
      added.stderr,
      /^blackout: an archive needs the optional package @duckdb\/node-api, which cannot be loaded on /,
    );
    assert.match(added.stderr, /\n {2}Install it: npm install @duckdb\/node-api/);
    assert.equal(blackout("@duckdb/node-api", "cohort", "--json", capture).status, 0);
    assert.equal(blackout("@clickhouse/client", "archive", "add", join(folder, "fleet"), capture).status, 0);
    const pushed = blackout(
      "@clickhouse/client",
      "archive",
      "push",
      join(folder, "fleet"),
      "--clickhouse",
      "http://127.0.0.1:9/x",
    );
    assert.deepEqual([pushed.status, pushed.stdout], [69, ""]);
    assert.match(pushed.stderr, /archive push needs the optional package @clickhouse\/client/);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
