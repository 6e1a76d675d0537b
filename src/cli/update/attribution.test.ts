/** The attribution commands as their user types them: text, JSON against the schemas, errors and exit codes. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { basename, join } from "node:path";
import test from "node:test";
import { Ajv, type ValidateFunction } from "ajv";
import { buildTrees } from "../../analyze/attribution/build.js";
import { silences } from "../../analyze/attribution/on-cpu.js";
import { blame } from "../../analyze/attribution/views/blame.js";
import { criticalChain } from "../../analyze/attribution/views/chain.js";
import { deviceRows } from "../../analyze/attribution/views/device-rows.js";
import {
  blameDocument,
  chainDocument,
  findingsDocument,
  treeDocument,
  whatIfDocument,
} from "../../analyze/attribution/views/documents.js";
import { whatIf } from "../../analyze/attribution/views/what-if.js";
import { findings } from "../../analyze/findings/findings.js";
import { BLAME_KINDS } from "../../model/documents/attribution.js";
import { recordedSurroundings } from "../../testing/command-testing.js";
import { assertGolden } from "../../testing/golden.js";
import { projectRoot, shippedCohort, singleCaptures, traces } from "../../testing/places.js";
import { readUnlinked, readUpdate } from "../../testing/samples/captures.js";
import { commands } from "../commands.js";
import { runCli } from "../frame/command-run.js";
import { sessionsDocument } from "./sessions.js";
import { parseChange } from "./what-if.js";

const SCHEMAS = ["tree", "blame", "critical-chain", "what-if", "findings", "sessions"] as const;
type Schema = (typeof SCHEMAS)[number];

const ajv = new Ajv({ strict: true, allowUnionTypes: true, allErrors: false });
const validators = Object.fromEntries(
  SCHEMAS.map((name) => [
    name,
    ajv.compile(JSON.parse(readFileSync(join(projectRoot, `docs/${name}.schema.json`), "utf8"))),
  ]),
) as Readonly<Record<Schema, ValidateFunction>>;

function assertValid(name: Schema, document: unknown): void {
  const validate = validators[name];
  // As printed: what JSON cannot hold (undefined, NaN) would be lost on the way.
  assert.ok(validate(JSON.parse(JSON.stringify(document))), `${name}: ${JSON.stringify(validate.errors?.slice(0, 3))}`);
}

async function run(...args: readonly string[]): Promise<{ code: number; out: string; err: string }> {
  const surroundings = recordedSurroundings();
  const code = await runCli(args, surroundings, commands);
  return { code, out: surroundings.written(), err: surroundings.complained() };
}

const plain = join(traces, "plain.tar.gz");
const lost = join(traces, "tsc-persistent.tar.gz");

for (const path of [...singleCaptures(), shippedCohort("devices")[0] as string, "unlinked"]) {
  test(`${basename(path)}: every answer is as its schema says`, async () => {
    const { update } = await (path === "unlinked" ? readUnlinked(plain) : readUpdate(path));
    const trees = buildTrees(update);
    const { document } = update;
    assertValid("tree", treeDocument(document, trees, 64));
    assertValid("tree", treeDocument(document, trees, 1));
    assertValid("sessions", sessionsDocument(document, update.sessions, update.luo));
    const { blackout } = trees;
    if (blackout === null) return;
    for (const by of [null, ...BLAME_KINDS]) {
      const rows = by === "device" ? deviceRows(update, [blackout]) : [];
      const found = blame([blackout], by, null);
      const question = { by, phase: null, top: by === null ? 3 : null };
      assertValid("blame", blameDocument(document, found, question, rows, by === "irq" ? silences(update) : []));
    }
    assertValid("critical-chain", chainDocument(document, blackout, criticalChain(update, blackout)));
    assertValid("findings", findingsDocument(document, findings({ update, root: blackout })));
    const change = parseChange("device:*=50%");
    assert.ok(change.ok);
    assertValid(
      "what-if",
      whatIfDocument(document, whatIf(update, blackout, { set: [change.value], parallel: [change.value.selector] })),
    );
  });
}

const samples = join(projectRoot, "src/cli/update/attribution-samples");
const ASKED: readonly (readonly [file: string, args: readonly string[]])[] = [
  ["tree", ["tree", "--depth", "2"]],
  ["tree-whole", ["tree"]],
  ["blame", ["blame", "--top", "12"]],
  ["blame-device", ["blame", "--by", "device"]],
  ["blame-irq", ["blame", "--by", "irq"]],
  ["blame-prepare", ["blame", "--phase", "prepare"]],
  ["critical-chain", ["critical-chain"]],
  ["what-if", ["what-if", "--set", "device:e1000=0", "--set", "initcall:acpi_*=50%", "--parallel", "device-probe"]],
  ["findings", ["findings"]],
  ["sessions", ["sessions"]],
];
const OF: readonly (readonly [name: string, path: string])[] = [
  ["plain", plain],
  ["v72-v73", join(traces, "v72-v73.tar.gz")],
  ["devices", shippedCohort("devices")[0] as string],
];

for (const [name, path] of OF) {
  for (const [file, args] of ASKED) {
    if (name !== "plain" && !["tree", "blame-device", "findings"].includes(file)) continue;
    test(`${args.join(" ")} of ${name}`, async () => {
      const { code, out, err } = await run(...args, path);
      assert.deepEqual([code, err], [0, ""]);
      assertGolden(join(samples, `${name}-${file}.txt`), out);
    });
  }
}

test("--json prints one document on one line, and --depth and --top cut it", async () => {
  for (const [name, args] of [
    ["tree", ["tree", "--depth", "1"]],
    ["blame", ["blame", "--top", "2", "--by", "device"]],
    ["critical-chain", ["critical-chain"]],
    ["what-if", ["what-if", "--set", "device:e1000=10ms"]],
    ["findings", ["findings"]],
    ["sessions", ["sessions"]],
  ] as const) {
    const { code, out, err } = await run(...args, "--json", plain);
    assert.deepEqual([code, err, out.split("\n").length], [0, "", 2], name);
    const document = JSON.parse(out);
    assertValid(name, document);
    if (name === "tree") for (const child of document.children) assert.deepEqual(child.children, []);
    if (name === "blame") {
      assert.equal(document.causes.length, 2);
      assert.ok(document.moreCauses > 0);
    }
    if (name === "what-if") assert.equal(document.changes[0].afterNs, 20_000_000);
  }
});

test("a selector of no kind there is, or of no value, is misuse and says what was meant", async () => {
  for (const [given, wanted] of [
    ["devcie:e1000=0", "did you mean 'device'?"],
    ["device:e1000", "SELECTOR=VALUE was expected"],
    ["device:e1000=fast", "neither 0, nor a share like 50%, nor a duration like 10ms"],
    ["device:=0", "a name is empty"],
    ["=0", "SELECTOR=VALUE was expected"],
  ] as const) {
    const { code, out, err } = await run("what-if", "--set", given, plain);
    assert.deepEqual([code, out], [2, ""], given);
    assert.ok(err.includes(wanted), `${given}: ${err}`);
  }
  const { code, err } = await run("what-if", "--parallel", "initcal:*", plain);
  assert.deepEqual([code, err.includes("did you mean 'initcall'?")], [2, true]);
  assert.equal((await run("what-if", plain)).code, 2);
  assert.equal((await run("blame", "--by", "colour", plain)).code, 2);
  assert.equal((await run("tree", "--depth", "-1", plain)).code, 2);
});

test("a selector that selects nothing is answered, and reported", async () => {
  const { code, out, err } = await run("what-if", "--set", "device:ice=0", plain);
  assert.equal(code, 0);
  assert.match(out, /device:ice=0% +selects nothing/);
  assert.equal(err, "'device:ice' selects nothing in this blackout; blackout blame lists what there is\n");
  const slip = await run("what-if", "--set", "device:e1000=0", "--parallel", "device:e100/probe", plain);
  assert.equal(slip.err, "'device:e100/probe' selects nothing in this blackout: did you mean device:e1000/probe?\n");
});

test("without a blackout there is none to share out: exit 3, and why", async () => {
  for (const command of ["blame", "critical-chain", "findings", "what-if"]) {
    const { code, out, err } = await run(command, ...(command === "what-if" ? ["--set", "device=0"] : []), lost);
    assert.deepEqual([code, out], [3, ""], command);
    assert.match(err, /its blackout's begin was not recorded, so that there is no blackout to attribute/);
    assert.match(err, /blackout tree shows the phases that are known/);
  }
  const { code, out } = await run("tree", lost);
  assert.equal(code, 0);
  assert.match(out, /No blackout is known/);
  assert.match(out, /the blackout's part in the new kernel/);
  // A phase that is known can be asked for all the same.
  assert.equal((await run("blame", "--phase", "finish", lost)).code, 0);
});

test("names from a capture cannot drive the terminal", async () => {
  const { out } = await run("tree", plain);
  for (const character of out) assert.ok(character === "\n" || character >= " ", JSON.stringify(character));
});
