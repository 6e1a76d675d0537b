import assert from "node:assert/strict";
import test from "node:test";
import { Ajv } from "ajv";
import fc from "fast-check";
import { jsonSchemaOf, schemaText } from "./json-schema.js";
import * as s from "./schema.js";
import { readerOf } from "./schema-read.js";

interface Tree {
  readonly name: string;
  readonly children: readonly Tree[];
}

const tree = s.recursive<Tree>("tree", (self) => s.record({ name: s.text(), children: s.list(self) }));

const everything = s.document("all", "All kinds", "Of each kind one.", {
  text: s.text("A text."),
  token: s.matching("^0x[0-9a-f]+$"),
  whole: s.integer(),
  count: s.count(),
  share: s.number(undefined, { min: 0, max: 1 }),
  flag: s.flag(),
  kind: s.choice(["a", "b"]),
  version: s.constant(1),
  some: s.list(s.integer()),
  both: s.pair(s.integer()),
  labels: s.map(s.text()),
  phases: s.each(["one", "two"], s.nullable(s.count())),
  nothing: s.nullable(s.choice(["x", "y"])),
  inner: s.nullable(s.record({ at: s.integer() })),
  either: s.either([s.text(), s.integer()]),
  tree,
  maybe: s.optional(s.integer(), 5),
  late: s.late(s.nullable(s.text()), null),
});

const value: s.Of<typeof everything> = {
  text: "t",
  token: "0x1f",
  whole: -1,
  count: 0,
  share: 0.5,
  flag: true,
  kind: "a",
  version: 1,
  some: [1, 2],
  both: [1, 2],
  labels: { a: "b" },
  phases: { one: 1, two: null },
  nothing: null,
  inner: { at: 3 },
  either: "e",
  tree: { name: "root", children: [{ name: "leaf", children: [] }] },
  late: null,
};

const validate = new Ajv({ strict: true, allowUnionTypes: true }).compile(jsonSchemaOf(everything));
const read = readerOf(everything);

test("the reader and the schema accept the same document", () => {
  assert.ok(validate(value), JSON.stringify(validate.errors));
  assert.deepEqual(read(value), { ok: true, value });
});

test("what the reader accepts, the schema accepts, whatever a field is changed to", () => {
  fc.assert(
    fc.property(fc.constantFrom(...Object.keys(value)), fc.jsonValue(), (key, changed) => {
      const found = read({ ...value, [key]: changed });
      if (!found.ok) assert.match(found.error, /: found .*, expected /);
      else assert.ok(validate(found.value), `${key}: ${JSON.stringify(changed)}: ${JSON.stringify(validate.errors)}`);
    }),
  );
});

test("the reader drops fields that are not declared, and fills those that were added later", () => {
  const { late: _, ...older } = value;
  assert.deepEqual(read({ ...older, unknown: 1 }), { ok: true, value });
});

test("a refusal names the place, what was found, and what was expected", () => {
  const refusal = (change: object): string => {
    const found = read({ ...value, ...change });
    return found.ok ? "accepted" : found.error;
  };
  assert.equal(refusal({ whole: 0.5 }), "whole: found 0.5, expected a whole number of at most 2^53 - 1 in size");
  assert.equal(refusal({ count: -1 }), "count: found -1, expected a whole number from 0 to 2^53 - 1");
  assert.equal(
    refusal({ phases: { one: "x", two: 1 } }),
    'phases.one: found "x", expected a whole number from 0 to 2^53 - 1',
  );
  assert.equal(
    refusal({ some: [1, null] }),
    "some[1]: found null, expected a whole number of at most 2^53 - 1 in size",
  );
  const deep = { name: "root", children: [{ name: 1, children: [] }] };
  assert.equal(refusal({ tree: deep }), "tree.children[0].name: found 1, expected a text");
  assert.equal(refusal({ both: [1] }), "both: found 1 items, expected at least 2");
  assert.equal(
    refusal({ labels: Object.fromEntries(Array.from({ length: 1_001 }, (_, i) => [i, ""])) }),
    "labels: found 1001 keys, expected at most 1000",
  );
});

test("a document nested too deeply is refused or read, never a crash", () => {
  let nested: object = { name: "leaf", children: [] };
  for (let i = 0; i < 200_000; i += 1) nested = { name: "node", children: [nested] };
  const found = read({ ...value, tree: nested });
  assert.equal(found.ok ? "" : found.error, "found a document nested too deeply, expected fewer levels");
});

test("the schema's text has one keyword a line, and short lists on one line", () => {
  const text = schemaText(everything);
  assert.deepEqual(JSON.parse(text), JSON.parse(JSON.stringify(jsonSchemaOf(everything))));
  assert.match(text, /\n {6}"enum": \["a", "b"\]\n/);
  assert.match(text, /"maybe": \{\n {6}"type": "integer",\n {6}"default": 5\n/);
});
