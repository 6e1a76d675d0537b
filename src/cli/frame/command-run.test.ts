import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { recordedSurroundings } from "../../testing/command-testing.js";
import { type CommandEntry, defineCommand, misused, unusable } from "./command.js";
import { runCli } from "./command-run.js";
import { choiceOption, flagOption, integerOption, one, repeated, textOption, withDefault } from "./options.js";

const measure = defineCommand({
  usage: null,
  description: "Reads a capture and prints how long the blackout was, on one time axis across the kexec.",
  options: {
    json: flagOption("print JSON"),
    top: withDefault(integerOption("N", { min: 1, max: 1000 }, "how many spans to list", "n"), 20),
    format: choiceOption("FORMAT", ["text", "markdown"], "the form of the answer"),
    label: repeated(textOption("KEY=VALUE", "only captures with this label")),
  },
  positionals: { capture: one("a capture: a folder, .tar, .tar.gz or .tar.zst") },
  examples: [
    { command: "blackout measure traces/plain.tar.gz", what: "The blackout of the recording shipped with it." },
  ],
  exitCodes: [{ code: 1, meaning: "the blackout is longer than allowed" }],
  run: async (context, { options, positionals }) => {
    if (positionals.capture === "broken") return unusable(context, "broken: no capture.json\x1b[2J");
    if (positionals.capture === "odd") return misused(context, "--top and --json exclude each other");
    if (positionals.capture === "bug") throw new TypeError("x is not a function");
    context.progress("reading", 10).end();
    const answer = `${positionals.capture} ${options.top}`;
    context.stdout.write(options.json ? `${JSON.stringify(answer)}\n` : `${context.colour.good(answer)}\n`);
    return options.top === 1 ? 1 : 0;
  },
});
const gate = defineCommand({ ...measure, positionals: {}, options: {} });
const commands: readonly CommandEntry[] = [
  { name: "measure", group: "One live update", summary: "print how long the blackout was", load: async () => measure },
  { name: "gate", group: "Many", summary: "judge", load: async () => gate },
];

async function blackout(argv: readonly string[], given: Parameters<typeof recordedSurroundings>[0] = {}) {
  const surroundings = recordedSurroundings(given);
  const code = await runCli(argv, surroundings, commands);
  return { code, out: surroundings.written(), err: surroundings.complained() };
}

test("a command gets its values, and its code is the exit code", async () => {
  assert.deepEqual(await blackout(["measure", "c", "-n", "5"]), { code: 0, out: "c 5\n", err: "" });
  assert.deepEqual(await blackout(["measure", "c", "--top=1", "--json"]), { code: 1, out: '"c 1"\n', err: "" });
});

test("usage errors: one sentence, where to look, code 2, nothing on stdout", async () => {
  assert.deepEqual(await blackout(["measure", "c", "--jsn"]), {
    code: 2,
    out: "",
    err: "blackout: unknown option --jsn: did you mean --json?\nTry blackout measure --help.\n",
  });
  const command = await blackout(["mesure", "c"]);
  assert.equal(command.code, 2);
  assert.equal(command.err, "blackout: unknown command mesure: did you mean measure?\nTry blackout --help.\n");
  const early = await blackout(["--json", "measure", "c"]);
  assert.equal(early.code, 2);
  assert.match(early.err, /unknown option --json \(a command's options come after its name\)/);
  assert.equal((await blackout(["measure", "odd"])).code, 2);
  const empty = await blackout([]);
  assert.deepEqual([empty.code, empty.out], [2, ""]);
  assert.match(empty.err, /^Usage: blackout COMMAND/);
});

test("unusable input: code 3, and all of its text reaches the terminal escaped", async () => {
  const { code, err } = await blackout(["measure", "broken"]);
  assert.deepEqual([code, err], [3, "blackout: broken: no capture.json\\x1b[2J\n"]);
});

test("a bug: code 70, how to report it, the stack only on request", async () => {
  const { code, err } = await blackout(["measure", "bug"]);
  assert.equal(code, 70);
  assert.match(err, /a bug in blackout 0\.0\.0-test stopped 'measure': x is not a function\nPlease report it/);
  assert.doesNotMatch(err, /\n\s+at /);
  assert.match(
    (await blackout(["measure", "bug"], { env: { BLACKOUT_DEBUG: "1" } })).err,
    /\n\s+at .*command-run\.test/,
  );
});

test("help of all and of each: the same from every direction", async () => {
  const { code, out, err } = await blackout(["--help"]);
  assert.deepEqual([code, err], [0, ""]);
  for (const part of [
    /^One live update:\n {2}measure {2}print how long/m,
    /^Many:\n {2}gate {5}judge/m,
    /^ {6}--version/m,
  ]) {
    assert.match(out, part);
  }
  assert.equal((await blackout(["help"])).out, out);
  assert.equal((await blackout(["-h"])).out, out);
  const own = await blackout(["measure", "--help"]);
  assert.equal(
    own.out,
    `Usage: blackout measure [OPTION]... CAPTURE

Reads a capture and prints how long the blackout was, on one time axis across the kexec.

Arguments:
  CAPTURE  a capture: a folder, .tar, .tar.gz or .tar.zst

Options:
      --json             print JSON
  -n, --top N            how many spans to list (default: 20)
      --format FORMAT    the form of the answer (one of text, markdown)
      --label KEY=VALUE  only captures with this label (may be repeated)
      --no-color         print without colour, as NO_COLOR=1 does
  -h, --help             print this help

Examples:
  blackout measure traces/plain.tar.gz
    The blackout of the recording shipped with it.

Exit codes:
   0  success
   1  the blackout is longer than allowed
   2  wrong usage
   3  unusable input
  69  a required optional package is not installed
  70  a bug in blackout
  74  standard output cannot be written
`,
  );
  assert.equal((await blackout(["help", "measure"])).out, own.out);
  assert.equal((await blackout(["--help", "measure"])).out, own.out);
  assert.equal((await blackout(["measure", "--top", "x", "-h"])).out, own.out);
  assert.equal((await blackout(["help", "mesure"])).code, 2);
});

test("help fits the terminal", async () => {
  const { out } = await blackout(["measure", "--help", "--no-color"], { columns: 60 });
  for (const line of out.split("\n")) assert.ok(line.length <= 60, line);
});

test("the version", async () => {
  assert.deepEqual(await blackout(["--version"]), { code: 0, out: "blackout 0.0.0-test\n", err: "" });
});

test("colour and progress only where someone looks", async () => {
  const green = "\x1b[32mc 20\x1b[39m\n";
  const drawn = "\r\x1b[Kreading 0 %\r\x1b[K";
  assert.deepEqual(await blackout(["measure", "c"], { columns: 80 }), { code: 0, out: green, err: drawn });
  assert.deepEqual(await blackout(["measure", "c", "--json"], { columns: 80 }), { code: 0, out: '"c 20"\n', err: "" });
  const colours: readonly (readonly [readonly string[], Parameters<typeof recordedSurroundings>[0], boolean])[] = [
    [[], {}, false],
    [[], { env: { FORCE_COLOR: "1" } }, true],
    [[], { env: { FORCE_COLOR: "" } }, true],
    [[], { columns: 80, env: { FORCE_COLOR: "0" } }, false],
    [[], { columns: 80, env: { NO_COLOR: "1" } }, false],
    [[], { columns: 80, env: { NO_COLOR: "" } }, true],
    [[], { columns: 80, env: { NO_COLOR: "1", FORCE_COLOR: "1" } }, false],
    [[], { columns: 80, env: { TERM: "dumb" } }, false],
    [["--no-color"], { columns: 80, env: { FORCE_COLOR: "1" } }, false],
  ];
  for (const [args, given, coloured] of colours) {
    assert.equal((await blackout(["measure", "c", ...args], given)).out === green, coloured, JSON.stringify(given));
    assert.equal((await blackout([...args, "measure", "c"], given)).out === green, coloured, JSON.stringify(given));
  }
});

test("property: whatever the arguments, an exit code that is documented", async () => {
  const arg = fc.oneof(
    fc.constantFrom(
      "measure",
      "gate",
      "help",
      "--help",
      "-h",
      "--version",
      "--no-color",
      "--json",
      "--top",
      "5",
      "--",
      "c",
    ),
    fc.string({ unit: "binary", maxLength: 5 }),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(arg, { maxLength: 5 }), async (argv) => {
      const { code, out, err } = await blackout(argv);
      assert.ok([0, 2].includes(code), `${code}: ${err}`);
      assert.equal(code === 2, err !== "");
      assert.equal(code === 0, out !== "");
      assert.doesNotMatch(err, /[\x00-\x09\x0b-\x1f]/);
    }),
    { numRuns: 500 },
  );
});
