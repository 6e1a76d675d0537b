import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import {
  anyNumber,
  atMostOne,
  choiceOption,
  decimalOption,
  durationOption,
  flagOption,
  integerOption,
  type Options,
  one,
  oneOrMore,
  repeated,
  required,
  textOption,
  withDefault,
} from "./options.js";
import { asksForHelp, parseArguments } from "./options-parse.js";

const options = {
  json: flagOption("print JSON", "j"),
  verbose: flagOption("say more", "v"),
  output: textOption("FILE", "write to FILE", "o"),
  top: withDefault(integerOption("N", { min: 1, max: 1000 }, "how many", "n"), 20),
  alpha: withDefault(decimalOption("P", { min: 0, max: 1 }, "level"), 0.05),
  slack: durationOption("TIME", "how much more is allowed"),
  format: choiceOption("FORMAT", ["json", "text", "markdown"], "the form"),
  label: repeated(textOption("KEY=VALUE", "only these", "l")),
} as const satisfies Options;
const positionals = { capture: one("a capture"), others: anyNumber("more captures") } as const;

function parse(...args: readonly string[]) {
  return parseArguments(options, positionals, args);
}

function values(...args: readonly string[]) {
  const parsed = parse(...args);
  assert.ok(parsed.ok, parsed.ok ? "" : parsed.error);
  return parsed.value;
}

function refusal(...args: readonly string[]): string {
  const parsed = parse(...args);
  assert.ok(!parsed.ok, `accepted ${args.join(" ")}`);
  return parsed.error;
}

test("every way to write an option", () => {
  assert.equal(values("c", "--output", "f").options.output, "f");
  assert.equal(values("c", "--output=f").options.output, "f");
  assert.equal(values("c", "--output=a=b").options.output, "a=b");
  assert.equal(values("c", "-o", "f").options.output, "f");
  assert.equal(values("c", "-of").options.output, "f");
  assert.equal(values("c", "-jvof").options.output, "f");
  assert.equal(values("c", "-jvof").options.verbose, true);
  assert.equal(values("c", "-o", "-").options.output, "-");
  assert.equal(values("c", "--output=--json").options.output, "--json");
  assert.deepEqual(values("-l", "a=1", "c", "--label=b=2").options.label, ["a=1", "b=2"]);
});

test("types and defaults follow from the description", () => {
  const { options: given, positionals: places } = values("c");
  // Each of these assignments is also a check by the compiler.
  const json: boolean = given.json;
  const output: string | null = given.output;
  const top: number = given.top;
  const slack: number | null = given.slack;
  const format: "json" | "text" | "markdown" | null = given.format;
  const label: readonly string[] = given.label;
  const capture: string = places.capture;
  const others: readonly string[] = places.others;
  assert.deepEqual([json, output, top, slack, format, label], [false, null, 20, null, null, []]);
  assert.deepEqual([capture, others], ["c", []]);
  // @ts-expect-error an option that is not described is not there
  assert.equal(given.jsn, undefined);
  assert.equal(values("c", "--slack=2.5ms").options.slack, 2_500_000);
  assert.equal(values("c", "--alpha", "1e-3").options.alpha, 0.001);
  assert.equal(values("c", "-n", "7").options.top, 7);
});

test("positionals mix with options, and -- ends the options", () => {
  assert.deepEqual(values("a", "--json", "b", "c").positionals, { capture: "a", others: ["b", "c"] });
  assert.deepEqual(values("--", "--json", "-o").positionals, { capture: "--json", others: ["-o"] });
  assert.deepEqual(values("-").positionals, { capture: "-", others: [] });
  const ends = { members: oneOrMore("members"), base: one("base") } as const;
  const split = parseArguments({}, ends, ["a", "b", "c"]);
  assert.deepEqual(split.ok && split.value.positionals, { members: ["a", "b"], base: "c" });
  const maybe = parseArguments({}, { capture: atMostOne("a capture") }, []);
  assert.deepEqual(maybe.ok && maybe.value.positionals, { capture: null });
});

test("refusals say what was found, what was expected, and what was meant", () => {
  assert.equal(refusal("c", "--jsn"), "unknown option --jsn: did you mean --json?");
  assert.equal(refusal("c", "--jsn=1"), "unknown option --jsn: did you mean --json?");
  assert.equal(refusal("c", "--zebra"), "unknown option --zebra");
  assert.equal(refusal("c", "-json"), "unknown option -s");
  assert.equal(refusal("c", "-x"), "unknown option -x");
  assert.equal(refusal("c", "-J"), "unknown option -J: did you mean -j?");
  assert.equal(refusal("c", "--top", "x"), '--top must be a whole number from 1 to 1000, found "x"');
  assert.equal(refusal("c", "--top=0"), '--top must be a whole number from 1 to 1000, found "0"');
  assert.equal(refusal("c", "--top=-5"), '--top must be a whole number from 1 to 1000, found "-5"');
  assert.equal(refusal("c", "--top="), '--top must be a whole number from 1 to 1000, found ""');
  assert.equal(refusal("c", "--top", "-5"), '--top must be a whole number from 1 to 1000, found "-5"');
  assert.equal(
    refusal("c", "--format", "jsn"),
    '--format must be one of json, text, markdown, found "jsn": did you mean json?',
  );
  assert.match(refusal("c", "--slack", "5"), /--slack must be a duration with its unit, like .*, found "5"/);
  assert.equal(refusal("c", "--output"), "--output needs a value, FILE: a text that is not empty");
  assert.match(refusal("c", "--output", "--json"), /needs a value.*found the option --json .*write --output=--json/);
  assert.equal(refusal("c", "--json=yes"), '--json takes no value, found "yes"');
  assert.equal(refusal("c", "-n", "1", "-n2"), '--top is given 2 times, with "1" and "2": give it once');
  assert.equal(refusal(), "CAPTURE is missing: a capture");
  const none = parseArguments({}, {}, ["x"]);
  assert.equal(!none.ok && none.error, 'unexpected argument "x": none is taken here');
  const must = parseArguments({ baseline: required(textOption("FILE", "what to compare with")) }, {}, []);
  assert.equal(!must.ok && must.error, "--baseline FILE is missing: what to compare with");
});

test("names that every object has are not options", () => {
  for (const name of ["--constructor", "--__proto__", "--toString"]) {
    assert.match(refusal("c", name), /^unknown option/);
  }
});

test("what is repeated in a message is escaped and cut", () => {
  assert.equal(refusal("c", "--top", "\x1b[31m"), '--top must be a whole number from 1 to 1000, found "\\u001b[31m"');
  assert.ok(refusal("c", "--top", "9".repeat(100_000)).length < 200);
});

test("--help counts before --, not after", () => {
  assert.equal(asksForHelp(["--top", "x", "--help"]), true);
  assert.equal(asksForHelp(["-h"]), true);
  assert.equal(asksForHelp(["--", "--help"]), false);
});

test("property: any arguments give values or a sentence, never an exception or a control character", () => {
  const arg = fc.oneof(
    fc.string(),
    fc.string({ unit: "binary" }),
    fc.constantFrom(
      "--",
      "-",
      "-o",
      "-jv",
      "--top",
      "--top=5",
      "--label",
      "--output=",
      "-n",
      "--=",
      "---",
      "-=",
      "\x1b",
    ),
    fc.string().map((name) => `--${name}`),
    fc.string({ unit: "binary" }).map((name) => `-${name}`),
  );
  fc.assert(
    fc.property(fc.array(arg, { maxLength: 8 }), (args) => {
      const parsed = parse(...args);
      if (!parsed.ok) assert.doesNotMatch(parsed.error, /[\x00-\x1f\x7f-\x9f]/);
    }),
    { numRuns: 1000 },
  );
});

test("property: what is written down is read back, in any order and syntax", () => {
  const value = fc.string({ minLength: 1, maxLength: 10 });
  const written = fc.record({
    json: fc.boolean(),
    output: fc.option(value),
    top: fc.option(fc.integer({ min: 1, max: 1000 })),
    label: fc.array(value, { maxLength: 3 }),
    capture: value,
    others: fc.array(value, { maxLength: 3 }),
    joined: fc.boolean(),
  });
  fc.assert(
    fc.property(written, ({ json, output, top, label, capture, others, joined }) => {
      const option = (long: string, short: string, given: string) =>
        joined ? [`${long}=${given}`] : [`${short}${given}`];
      const args = [
        ...(json ? [joined ? "--json" : "-j"] : []),
        ...label.flatMap((given) => option("--label", "-l", given)),
        ...(output === null ? [] : option("--output", "-o", output)),
        ...(top === null ? [] : joined ? ["--top", String(top)] : ["-n", String(top)]),
        "--",
        capture,
        ...others,
      ];
      const parsed = values(...args);
      assert.deepEqual(parsed.positionals, { capture, others });
      assert.deepEqual(
        [parsed.options.json, parsed.options.output, parsed.options.top, parsed.options.label],
        [json, output, top ?? 20, label],
      );
    }),
  );
});
