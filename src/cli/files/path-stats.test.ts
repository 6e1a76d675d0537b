import assert from "node:assert/strict";
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { openCaptureFiles } from "../../collect/capture/capture-files.js";
import { recordedSurroundings } from "../../testing/command-testing.js";
import { commands } from "../commands.js";
import { runCli } from "../frame/command-run.js";

let folder = "";
before(() => {
  folder = mkdtempSync(join(tmpdir(), "path-stats-"));
  writeFileSync(join(folder, "file.tar.gz"), "");
  writeFileSync(join(folder, "budget.yaml"), "version: 1\nlimits:\n  - blackout p50 <= 9min\n");
  symlinkSync("circle", join(folder, "circle"));
});
after(() => rmSync(folder, { recursive: true, force: true }));

describe("a path at which nothing can lie is unusable input, never a bug", () => {
  const paths: readonly (readonly [string, string])[] = [
    ["below a file", "file.tar.gz/"],
    ["below a file, as a pattern", "file.tar.gz/*"],
    ["a name too long", "x".repeat(5000)],
    ["a circle of links", "circle"],
    ["below a circle of links", "circle/capture"],
  ];
  const reading = [
    "analyze",
    "tree",
    "events",
    "report",
    "serve",
    "cohort",
    "percentiles",
    "compare",
    "gate",
    "history",
  ];
  for (const [what, path] of paths) {
    for (const command of [...reading, "qualify"]) {
      test(`blackout ${command}: ${what}`, async () => {
        const surroundings = recordedSurroundings();
        const given = join(folder, path) + (path.endsWith("/") ? "/" : "");
        const more: Readonly<Record<string, readonly string[]>> = {
          report: ["-o", join(folder, "report.html")],
          compare: [given],
          gate: ["-b", join(folder, "budget.yaml")],
        };
        const code = await runCli([command, given, ...(more[command] ?? [])], surroundings, commands);
        assert.equal(code, 3, surroundings.complained());
      });
    }
  }

  test("nor is a TMPDIR that is not there", async () => {
    const before = process.env.TMPDIR;
    process.env.TMPDIR = join(folder, "absent");
    try {
      writeFileSync(join(folder, "some.tar"), Buffer.from([0x1f, 0x8b, 8, 0]));
      const opened = await openCaptureFiles(join(folder, "some.tar"));
      assert.ok(!opened.ok);
      assert.equal(opened.error.code, "unreadable");
      assert.match(opened.error.advice, /TMPDIR/);
    } finally {
      if (before === undefined) delete process.env.TMPDIR;
      else process.env.TMPDIR = before;
    }
  });
});
