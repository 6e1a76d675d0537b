import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { displayWidth, escapeControls, truncate, wrap } from "./terminal-text.js";

test("nothing in untrusted text reaches the terminal as a command", () => {
  assert.equal(escapeControls("vfio-pci 0000:3b:00.0 (größe)"), "vfio-pci 0000:3b:00.0 (größe)");
  assert.equal(escapeControls("\x1b]0;owned\x07"), "\\x1b]0;owned\\x07");
  assert.equal(escapeControls("\x9b31m"), "\\x9b31m", "the eight-bit CSI");
  assert.equal(escapeControls("a\r\nb\tc"), "a\\x0d\\nb\\tc");
  assert.equal(escapeControls("\x7f\0"), "\\x7f\\x00");
  assert.equal(escapeControls("gate\u202etxt.exe"), "gate\\u202etxt.exe", "right-to-left override");
  assert.equal(escapeControls("\u2066\u2028\ufeff"), "\\u2066\\u2028\\ufeff");
  assert.equal(escapeControls("\u{e0041}"), "\\u{e0041}", "a tag character");
  assert.equal(escapeControls("\ud800x"), "\\ud800x", "half a surrogate pair");
  assert.equal(escapeControls("🙂"), "🙂");
});

test("property: escaped text has no control and stays as it is when escaped again", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), (text) => {
      const escaped = escapeControls(text);
      assert.doesNotMatch(escaped, /\p{Cc}|\p{Cs}|[\u2028\u2029\u202a-\u202e\u2066-\u2069]/u);
      assert.equal(escapeControls(escaped), escaped);
    }),
    { numRuns: 500 },
  );
});

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
