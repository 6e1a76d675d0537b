import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { escapeControls } from "../../base/text/controls.js";
import { displayWidth, truncate, wrap } from "./terminal-text.js";

test("width counts columns, not code units", () => {
  assert.equal(displayWidth("plain"), 5);
  assert.equal(displayWidth("größe"), 5);
  assert.equal(displayWidth("u\u0308"), 1);
  assert.equal(displayWidth("停電"), 4);
  assert.equal(displayWidth("🙂"), 2);
});

test("text is cut at its end or in its middle", () => {
  assert.equal(truncate("luo_session_deserialize", 10), "luo_sessi…");
  assert.equal(truncate("old/ring/per_cpu/cpu0/trace_pipe_raw", 15, "middle"), "old/rin…ipe_raw");
  assert.equal(truncate("停電停電", 4), "停…");
  assert.equal(truncate("short", 5), "short");
  assert.equal(truncate("short", 1), "…");
  assert.equal(truncate("short", 0), "");
});

test("property: what is cut fits, and what fits is not cut", () => {
  fc.assert(
    fc.property(fc.string({ unit: "grapheme" }), fc.nat(30), fc.constantFrom("end", "middle"), (given, width, cut) => {
      const text = escapeControls(given);
      const shown = truncate(text, width, cut);
      assert.ok(displayWidth(shown) <= width);
      if (displayWidth(text) <= width) assert.equal(shown, text);
    }),
  );
});

test("prose is broken at blanks only", () => {
  assert.deepEqual(wrap("one two three", 8), ["one two", "three"]);
  assert.deepEqual(wrap("unbreakable", 4), ["unbreakable"]);
  assert.deepEqual(wrap("a\n\nb", 9), ["a", "", "b"]);
});
