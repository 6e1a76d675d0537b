import assert from "node:assert/strict";
import test from "node:test";
import { DEFAULT_FLOORS } from "../../analyze/compare/levels.js";
import { qualify } from "../../analyze/qualify/qualify.js";
import { madeSample } from "../../testing/samples/samples.js";
import { qualifyHtml } from "./qualify-html.js";
import { qualifyMarkdown } from "./qualify-markdown.js";

const evil = "<script>alert(1)</script> | **x** \u0000";

test("no text of a capture can act in the outputs", () => {
  const failed = madeSample(1, {
    outcome: "failed",
    outcomeReason: evil,
    source: evil,
    kernel: { old: evil, new: "7.3" },
  });
  const floors = DEFAULT_FLOORS;
  const matrix = qualify([failed], { from: [], to: [], reference: "old", budget: null, floors, seed: 1 });
  const html = qualifyHtml(matrix);
  assert.ok(!html.includes("<script"));
  assert.ok(html.includes("&lt;script&gt;alert(1)"));
  assert.ok(!html.includes("\u0000"));
  assert.match(html, /default-src 'none'/);
  const markdown = qualifyMarkdown(matrix);
  assert.ok(!markdown.includes("<script"));
  assert.equal(markdown.split("\n").filter((line) => line.startsWith("| ")).length, 4);
});
