import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { bindFilter, eventNamesIn, type FilterExpression, parseEventFilter } from "./event-filter.js";

function parsed(text: string): FilterExpression {
  const found = parseEventFilter(text);
  assert.ok(found.ok, found.ok ? "" : `${text}: ${found.error}`);
  return found.value;
}

test("terms side by side, signs and words, lists and ranges", () => {
  const same = (a: string, b: string): void => assert.deepEqual(parsed(a), parsed(b), `${a} and ${b}`);
  same("event=sched_* cpu=0", "event == sched_* && cpu == 0");
  same("name~sched_* and comm=a", "event='sched_*' task=\"a\"");
  same("!cpu=0 or pid=1 pid=2", "(not (cpu=0)) || (pid=1 && pid=2)");
  same("cpu=0,2,4", "cpu = 0 , 2 , 4");
  assert.deepEqual(parsed(".prev_pid=100..200,7"), {
    kind: "term",
    key: null,
    field: "prev_pid",
    op: "=",
    values: [
      { kind: "range", low: "100", high: "200" },
      { kind: "text", text: "7" },
    ],
  });
  // `or` before a comparison would be a key, and there is none of that name.
  assert.equal(parseEventFilter("cpu=0 or=1").ok, false);
  assert.deepEqual(eventNamesIn(parsed("event=a,b !event=c (pid=1 || event=d)")), ["a", "b", "d"]);
});

test("faults of a filter are named", () => {
  const cases: readonly (readonly [string, RegExp])[] = [
    ["", /it is empty; an example/],
    ["pdi=3", /unknown key 'pdi': did you mean pid\?/],
    ["prev_comm=x", /unknown key 'prev_comm': they are event, task, cpu, pid and time; .* written \.prev_comm/],
    ["cpu", /cpu is followed by no comparison/],
    ["cpu=", /cpu is compared with nothing/],
    ["cpu=a", /cpu 'a' must be a whole number/],
    ["time=5x", /time '5x' must be seconds as printed/],
    ["cpu<1,2", /cpu < takes one value/],
    ["cpu<1..2", /cpu < takes no range: write cpu=LOW\.\.HIGH/],
    ["event<a", /event is a text: compare it with = or !=/],
    ["(cpu=1", /a parenthesis is not closed/],
    ["cpu=1)", /'\)' cannot stand here/],
    ["task='a", /the quotation ''a' has no end/],
    ["cpu=1 &&", /it ends where a term is expected/],
    ["time=..", /a range has at least one end/],
    [`${"(".repeat(200)}cpu=1${")".repeat(200)}`, /nested more than 100 deep/],
    ["cpu=1 ".repeat(5000), /longer than 10000 characters/],
  ];
  for (const [text, message] of cases) {
    const found = parseEventFilter(text);
    assert.match(found.ok ? "accepted" : found.error, message, text);
  }
  const counts = bindFilter(parsed("time>=4.5"), "counts");
  assert.match(counts.ok ? "" : counts.error, /clock counts, it knows no seconds/);
});

test("any text is a filter or an error, never an exception", () => {
  const word = fc.constantFrom(
    "cpu",
    "pid",
    "time",
    "event",
    ".x",
    "=",
    "!=",
    "<",
    "(",
    ")",
    "!",
    "&&",
    "or",
    "1",
    "1..2",
    ",",
    "'",
    "*",
    " ",
  );
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.array(word).map((words) => words.join("")),
      ),
      (text) => {
        const found = parseEventFilter(text);
        if (!found.ok) return;
        for (const time of ["trace", "axis", "counts"] as const) bindFilter(found.value, time);
      },
    ),
    { numRuns: Number(process.env.FUZZ_RUNS ?? 2000) },
  );
});
