import assert from "node:assert/strict";
import test from "node:test";
import { replaceObeyed } from "./obeyed.js";

const marked = (text: string): string => replaceObeyed(text, (_, code) => `<${code.toString(16)}>`);

test("controls, reordering and invisible characters and lone surrogates are replaced", () => {
  assert.equal(marked("a\x1b[31m\n\x9b"), "a<1b>[31m<a><9b>");
  assert.equal(marked("\u202egpj.exe\u2066\u2028"), "<202e>gpj.exe<2066><2028>");
  assert.equal(marked("a\u200bb\u00ad\ufeff\u{e0041}"), "a<200b>b<ad><feff><e0041>");
  assert.equal(marked("\ud800x"), "<d800>x");
});

test("text that is only shown stays as it is, in any script", () => {
  for (const text of ["plain", "µs ± 3", "डेटा", "👩‍🚀", "😀"]) assert.equal(marked(text), text);
});
