import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { Ajv } from "ajv";
import fc from "fast-check";
import { parse } from "yaml";
import { projectRoot } from "../../testing/places.js";
import { schemaPath } from "../../testing/samples/samples.js";
import { parseBudget } from "./budget-file.js";

const example = readFileSync(join(projectRoot, "examples/budget.yaml"), "utf8");
const validate = new Ajv({ strictTypes: false }).compile(JSON.parse(readFileSync(schemaPath("budget"), "utf8")));

function problem(text: string): string {
  const budget = parseBudget(text, "b.yaml");
  return budget.ok ? "accepted" : budget.error;
}

test("the example is read in full, and is as the schema says", () => {
  const budget = parseBudget(example, "b.yaml");
  assert.ok(budget.ok, budget.ok ? "" : budget.error);
  assert.ok(validate(parse(example)), JSON.stringify(validate.errors));
  const { limits, regression, failedAtMost, updatesAtLeast, decideBy } = budget.value;
  assert.equal(decideBy, "bounds");
  assert.deepEqual(
    limits.map(({ text, atMostNs }) => [text, atMostNs]),
    [
      ["blackout p50 <= 6s", 6e9],
      ["blackout max <= 20s", 20e9],
      ["kexec p50 <= 6s", 6e9],
      ["device:e1000/shutdown p50 <= 400ms", 4e8],
      ["initcall:acpi_* p50 <= 500ms", 5e8],
    ],
  );
  assert.match(limits[1]?.why ?? "", /TCP/);
  assert.deepEqual(regression?.floors, { absoluteNs: 1e6, relative: 0.05 });
  assert.deepEqual([failedAtMost?.count, updatesAtLeast?.count], [0, 5]);
  const lines = example.split("\n");
  assert.match(lines[(limits[0]?.line ?? 0) - 1] ?? "", /blackout p50/);
});

/** Each is refused with its line, what was found, and what was expected or meant; and by the schema, but for words. */
const WRONG: readonly (readonly [text: string, expected: RegExp, bySchema: boolean])[] = [
  ["", /^b\.yaml:1: budget: found nothing, expected a mapping/, true],
  ["limits: []", /no version, expected version: 1/, true],
  ["version: 2", /^b\.yaml:1: version: found 2, expected 1/, true],
  ["version: 1", /limits nothing/, true],
  ["version: 1\nlimit:\n  - blackout p50 <= 1s", /^b\.yaml:2: budget: unknown key limit: did you mean limits\?/, true],
  ["version: 1\nregression:\n  flor: 1ms", /^b\.yaml:3: regression: unknown key flor: did you mean floor\?/, true],
  ["version: 1\nxyzzy: 1", /unknown key xyzzy, expected version, decide-by/, true],
  ["version: 1\nlimits:\n  - blackout p50 < 1s", /^b\.yaml:3: limits: found blackout p50 < 1s, expected METRIC/, true],
  ["version: 1\nlimits:\n  - blackot p50 <= 1s", /^b\.yaml:3: limits: found blackot.*did you mean blackout\?/, false],
  ["version: 1\nlimits:\n  - blackout q50 <= 1s", /found q50, expected a percentile.*did you mean p50\?/, true],
  ["version: 1\nlimits:\n  - blackout p0 <= 1s", /found p0/, false],
  ["version: 1\nlimits:\n  - blackout p50 <= 5", /found 5, expected a duration with its unit/, false],
  ["version: 1\nlimits: 5", /found 5, expected a list/, true],
  ["version: 1\nlimits:\n  - [1]", /found a list, expected a mapping/, true],
  ["version: 1\nlimits:\n  - a: b", /unknown key a/, true],
  ["version: 1\nlimits:\n  - blackout p50 <= 1s\n  - blackout p50 <= 1s", /^b\.yaml:4: .*is on line 3 already/, false],
  ["version: 1\nregression:\n  floor-percent: 200", /expected a percentage/, true],
  ["version: 1\nregression:\n  floor: 5", /expected a duration with its unit/, true],
  [
    "version: 1\nregression:\n  fail-on: [blackouts]",
    /found blackouts, expected blackout.*did you mean blackout\?/,
    true,
  ],
  ["version: 1\nregression:\n  fail-on: []", /fail-on: found nothing/, true],
  ["version: 1\noutcomes:\n  failed: -1", /expected a whole number/, true],
  ["version: 1\nversion: 1", /^b\.yaml:2: .*YAML/, false],
  ["version: 1\n  limits: [", /YAML/, false],
];

for (const [text, expected, bySchema] of WRONG) {
  test(`refused: ${JSON.stringify(text)}`, () => {
    assert.match(problem(text), expected);
    if (bySchema) assert.ok(!validate(parse(text)), "the schema accepts it");
  });
}

test("whatever a file holds, it is read or refused with its line", () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.jsonValue().map((value) => JSON.stringify(value)),
      ),
      (text) => {
        const found = problem(text);
        if (found !== "accepted") assert.match(found, /^b\.yaml:\d+: /s);
      },
    ),
  );
  const bomb = `a: &a [x,x,x,x]\nb: &b [*a,*a,*a,*a]\nversion: &v 1\nlimits: *b\n`;
  assert.match(problem(bomb), /unknown key a/);
});

test("limits on complaints and outcomes, and the lines that are allowed", () => {
  const text = `version: 1
limits:
  - health warning <= 0
  - limit: outcomes partly-restored <= 0
    why: a VM was lost
  - blackout p50 <= 6s
health:
  allow:
    - "^ACPI BIOS Error"
`;
  const budget = parseBudget(text, "b.yaml");
  assert.ok(budget.ok, budget.ok ? "" : budget.error);
  assert.ok(validate(parse(text)), JSON.stringify(validate.errors));
  assert.deepEqual(budget.value.counts, [
    { of: { kind: "health", name: "warning" }, atMost: 0, text: "health warning <= 0", why: "", line: 3 },
    {
      of: { kind: "outcomes", name: "partly-restored" },
      atMost: 0,
      text: "outcomes partly-restored <= 0",
      why: "a VM was lost",
      line: 4,
    },
  ]);
  assert.deepEqual(
    budget.value.allowed.map(({ pattern, line }) => [pattern.source, line]),
    [["^ACPI BIOS Error", 9]],
  );
  assert.equal(budget.value.limits.length, 1);
  const limits = (line: string): string => problem(`version: 1\nlimits: ["${line}"]\n`);
  assert.match(limits("health warnings <= 0"), /^b\.yaml:2: limits: found health warnings, expected any, .*warning/);
  assert.match(limits("outcomes lost <= 0"), /found outcomes lost, expected completed, partly-restored/);
  assert.match(limits("health any <= -1"), /after <=, expected a whole number/);
  assert.equal(limits("health any <= 0"), "accepted");
  assert.match(problem('version: 1\nlimits: ["health any <= 0", "health any <= 0"]\n'), /is on line 2 already/);
  assert.match(
    problem('version: 1\nlimits: ["health any <= 0"]\nhealth: {allow: ["("]}\n'),
    /not a regular expression/,
  );
  assert.match(problem('version: 1\nlimits: ["health any <= 0"]\nhealth: {}\n'), /health: expected allow/);
});
