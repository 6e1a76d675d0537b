import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import type { DefectInput } from "../../base/defect.js";
import { type LuoMapping, MAX_STORED, parseLuoMapping } from "./systemd.js";

const FILE = "agents/luo-mapping.json";

function parse(what: unknown): LuoMapping & { readonly defects: readonly DefectInput[] } {
  const defects: DefectInput[] = [];
  const text = typeof what === "string" ? what : JSON.stringify(what);
  return { ...parseLuoMapping(text, FILE, { defect: (found) => defects.push(found) }), defects };
}

const unit = (...fdstore: readonly unknown[]) => ({ fdstore });

test("a mapping as systemd 261 writes it: tokens and sessions by unit and fd name", () => {
  const mapping = parse({
    version: 1,
    state: {},
    units: {
      "nginx.service": unit({ type: "fd", name: "http", token: 1 }, { type: "fd", name: "https", token: 2 }),
      "vmm@7.service": unit({ type: "luo_session", name: "guest", sessionName: "vmm@7.service/guest" }),
    },
  });
  assert.deepEqual(mapping, {
    fds: [
      { session: "systemd", token: 1, unit: "nginx.service", fdName: "http" },
      { session: "systemd", token: 2, unit: "nginx.service", fdName: "https" },
    ],
    sessions: [{ session: "vmm@7.service/guest", unit: "vmm@7.service", fdName: "guest" }],
    defects: [],
  });
});

test("what cannot be used as a whole says what was found", () => {
  for (const [what, message] of [
    ["{", "It is not JSON."],
    [[], "It is not a JSON object."],
    [{ "nginx.service": [] }, "It has no version number; version 1 is what can be read."],
    [{ version: 2, units: {} }, "It has version 2; version 1 is what can be read."],
    [{ version: 1, units: [] }, "Its 'units' is not an object."],
  ] as const) {
    const { fds, defects } = parse(what);
    assert.deepEqual(
      [fds, defects.map((found) => [found.code, found.message])],
      [[], [["luo-mapping-unusable", message]]],
    );
  }
  assert.deepEqual(parse({ version: 1 }).defects, [], "no unit stored anything");
});

test("an entry that cannot be used is named; the others are kept", () => {
  const { fds, sessions, defects } = parse({
    version: 1,
    units: {
      a: unit(
        7,
        { type: "fd", name: "x" },
        { type: "fd", name: "x", token: 0 },
        { type: "fd", name: "x", token: 1e300 },
        { type: "fd", name: "good", token: 3 },
        { type: "fd", name: "twin", token: 3 },
        { type: "luo_session", name: "s", sessionName: "n".repeat(64) },
        { type: "pipe", name: "x" },
        { type: "fd", name: "", token: 4 },
      ),
      b: {},
      ["c".repeat(300)]: unit(),
    },
  });
  assert.deepEqual([fds.map(({ fdName }) => fdName), sessions], [["good"], []]);
  assert.deepEqual(
    defects.map(({ message }) => message.slice(0, 48)),
    [
      'units["a"].fdstore[0]: it is not an object.',
      "units[\"a\"].fdstore[1]: its 'token' is not a whol",
      "units[\"a\"].fdstore[2]: its 'token' is not a whol",
      "units[\"a\"].fdstore[3]: its 'token' is not a whol",
      'units["a"].fdstore[5]: token 3 stands for anothe',
      "units[\"a\"].fdstore[6]: its 'sessionName' is not ",
      "units[\"a\"].fdstore[7]: its 'type' is neither 'fd",
      "units[\"a\"].fdstore[8]: its 'name' is not a text ",
      "units[\"b\"]: its 'fdstore' is not an array.",
      `units["${"c".repeat(41)}`,
    ],
  );
});

test("a flood of fds is cut at the limit, with a defect", () => {
  const entry = (token: number) => ({ type: "fd", name: "x", token });
  const many = Array.from({ length: MAX_STORED + 5 }, (_, i) => entry(i + 1));
  const { fds, defects } = parse({ version: 1, units: { a: unit(...many), b: unit(entry(MAX_STORED + 9)) } });
  assert.equal(fds.length, MAX_STORED);
  assert.deepEqual(
    defects.map(({ message }) => message),
    [
      `units["a"]: more than ${MAX_STORED} fds are stored; the rest is left out.`,
      `units["b"]: more than ${MAX_STORED} fds are stored; this unit and all after it are left out.`,
    ],
  );
});

test("anything at all: no crash, and only names and tokens of the stated kinds come out", () => {
  const entry = fc.record(
    {
      type: fc.constantFrom("fd", "luo_session", "x"),
      name: fc.anything(),
      token: fc.anything(),
      sessionName: fc.anything(),
    },
    { requiredKeys: [] },
  );
  const units = fc.dictionary(fc.string(), fc.oneof(fc.anything(), fc.record({ fdstore: fc.array(entry) })));
  const json = fc.oneof(
    fc.string(),
    fc.json(),
    fc
      .record({ version: fc.constant(1), units })
      .map((value) => JSON.stringify(value, (_, each) => (typeof each === "bigint" ? `${each}` : each))),
  );
  fc.assert(
    fc.property(json, (text) => {
      const { fds, sessions } = parse(text);
      for (const { token, unit: name, fdName } of fds) {
        assert.ok(Number.isSafeInteger(token) && token > 0 && name !== "" && fdName !== "");
      }
      for (const { session } of sessions) assert.ok(session.length > 0 && session.length < 64);
      assert.equal(new Set(fds.map(({ token }) => token)).size, fds.length);
    }),
  );
});
