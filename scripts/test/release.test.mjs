import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { inProject } from "../lib/project.mjs";
import { isLater, releasedChangelog } from "../release.mjs";

test("a release's heading is put below Unreleased, which must say something", () => {
  const before = "# Changelog\n\n## Unreleased\n\n- a\n- b\n\n## 0.1.0, 2026-01-01\n\n- c\n";
  const after = "# Changelog\n\n## Unreleased\n\n## 0.2.0, 2026-02-02\n\n- a\n- b\n\n## 0.1.0, 2026-01-01\n\n- c\n";
  assert.equal(releasedChangelog(before, "0.2.0", "2026-02-02"), after);
  assert.throws(() => releasedChangelog(after, "0.3.0", "2026-02-03"), /nothing under "## Unreleased"/);
  assert.throws(() => releasedChangelog("# Changelog\n", "0.3.0", "2026-02-03"), /nothing under/);
  assert.match(
    releasedChangelog(readFileSync(inProject("CHANGELOG.md"), "utf8"), "9.0.0", "2026-02-03"),
    /## 9\.0\.0, /,
  );
});

test("versions are compared as numbers", () => {
  assert.ok(isLater("0.10.0", "0.9.9"));
  assert.ok(isLater("1.0.0", "0.99.0"));
  assert.ok(!isLater("0.2.0", "0.2.0"));
  assert.ok(!isLater("0.2.0", "0.3.0"));
});
