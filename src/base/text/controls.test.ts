import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { escapeControls, escapeInvisible } from "./controls.js";
import { hasObeyed } from "./obeyed.js";

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

test("what nobody sees is shown: two names that look alike are not printed alike", () => {
  for (const code of [
    0xad, 0x34f, 0x61c, 0x115f, 0x1160, 0x17b4, 0x180b, 0x180e, 0x200b, 0x200c, 0x200d, 0x2060, 0x2061, 0x206a, 0x3164,
    0xfe0f, 0xfeff, 0xffa0, 0xfff9, 0x1bca0, 0x1d173, 0xe0001, 0xe0041, 0xe0100,
  ]) {
    const name = `base${String.fromCodePoint(code)}`;
    assert.match(escapeControls(name), /^base\\(?:x|u)\{?[0-9a-f]+\}?$/, code.toString(16));
    assert.match(escapeInvisible(name), /^base(?:\\u[0-9a-f]{4}){1,2}$/, code.toString(16));
    assert.equal(hasObeyed(name), true, code.toString(16));
  }
  for (const name of ["base", "größe", "停電", "🙂", "a b", "Ⅷ", "👩\u200d🚀", "❤\ufe0f", "می\u200cخواهم"]) {
    assert.equal(hasObeyed(name), false);
    assert.equal(escapeInvisible(name), name);
  }
});

test("property: a document of JSON without invisible characters is the same document", () => {
  fc.assert(
    fc.property(fc.jsonValue(), (document) => {
      const text = escapeInvisible(JSON.stringify(document));
      assert.deepEqual(JSON.parse(text), JSON.parse(JSON.stringify(document)));
      assert.doesNotMatch(text, /[\x7f-\x9f\u202a-\u202e\u200b]/);
    }),
  );
});
