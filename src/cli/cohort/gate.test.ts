import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { after } from "node:test";
import { Ajv } from "ajv";
import { parse } from "yaml";
import type { GateDocument } from "../../model/documents/gate.js";
import { documentOfSample } from "../../model/update-sample.js";
import { recordedSurroundings } from "../../testing/command-testing.js";
import { projectRoot } from "../../testing/places.js";
import { madeSample, schemaPath } from "../../testing/samples/samples.js";
import { commands } from "../commands.js";
import { runCli } from "../frame/command-run.js";

const folder = mkdtempSync(join(tmpdir(), "blackout-gate-"));
after(() => rmSync(folder, { recursive: true }));

const python = "/usr/bin/python3";
const noPython = existsSync(python) ? false : `${python} is missing`;

function file(name: string, data: string): string {
  const path = join(folder, name);
  writeFileSync(path, data);
  return path;
}

function cohort(name: string, from: number, change: object = {}): string {
  const lines = Array.from({ length: 12 }, (_, i) => documentOfSample(madeSample(from + i, change)));
  return file(`${name}.jsonl`, lines.map((line) => `${JSON.stringify(line)}\n`).join(""));
}

async function run(argv: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const surroundings = recordedSurroundings({ env });
  const code = await runCli(["gate", ...argv], surroundings, commands);
  return { code, out: surroundings.written(), complaint: surroundings.complained() };
}

/** Test cases of a JUnit file by an XML parser of another making: name and what is inside. */
function junitCases(path: string): {
  readonly suites: Record<string, string>;
  readonly cases: readonly (readonly [string, string | null, string])[];
} {
  const script = `
import json, sys, xml.etree.ElementTree as tree
root = tree.parse(sys.argv[1]).getroot()
cases = [[case.get("name"), case[0].tag if len(case) else None, case[0].get("message") or case[0].text or ""] for case in root.iter("testcase")]
json.dump({"suites": root.attrib, "cases": cases}, sys.stdout)`;
  return JSON.parse(execFileSync(python, ["-c", script, path], { encoding: "utf8" }));
}

const fast = cohort("fast", 1000);
const slow = cohort("slow", 1500);
const budget = file(
  "budget.yaml",
  'version: 1\nlimits:\n  - blackout p50 <= 1200ms\n  - limit: blackout p99 <= 9s\n    why: <b>SLA</b> & "more"\nregression: {}\n',
);

test("exit codes: 0 passed, 1 failed, 2 usage or budget, 3 input, 4 too few data", async () => {
  assert.equal((await run(["-b", budget, fast])).code, 0);
  assert.equal((await run(["-b", budget, slow])).code, 1);
  assert.equal((await run(["-b", budget, "--baseline", fast, slow])).code, 1);
  assert.equal((await run(["-b", budget, "--require-data", fast])).code, 4);
  assert.equal((await run(["-b", file("bad.yaml", "version: 1\nlimit: []\n"), fast])).code, 2);
  assert.equal((await run(["-b", join(folder, "none.yaml"), fast])).code, 2);
  assert.equal((await run(["-b", budget, join(folder, "none")])).code, 3);
  assert.equal((await run([fast])).code, 2);
  assert.equal((await run(["-b", budget, "--json", "--github", fast])).code, 2);
  const other = cohort("other", 1000, { probeLevel: "markers" });
  const refused = await run(["-b", budget, "--baseline", fast, other]);
  assert.equal(refused.code, 3);
  assert.match(refused.complaint, /probe level differs/);
  const forced = await run(["-b", budget, "--baseline", fast, "--force", other]);
  assert.equal(forced.code, 0);
  assert.match(forced.out, /FORCED/);
});

test("a cohort with an unusable capture does not pass", async () => {
  const broken = file("broken.tar", "not a tar");
  const { code, complaint } = await run(["-b", budget, `${fast},${broken}`]);
  assert.equal(code, 3);
  assert.match(complaint, /broken\.tar/);
});

test("the JSON is as its schema says, with a baseline and without", async () => {
  const validate = new Ajv().compile(JSON.parse(readFileSync(schemaPath("gate"), "utf8")));
  for (const argv of [[fast], ["--baseline", fast, slow]]) {
    const { out } = await run(["-b", budget, "--json", ...argv]);
    assert.ok(validate(JSON.parse(out)), JSON.stringify(validate.errors));
  }
});

test("JUnit, as an independent parser reads it", { skip: noPython }, async () => {
  const path = join(folder, "deep/er/gate.xml");
  await run(["-b", budget, "--baseline", fast, "--junit", path, slow]);
  const { suites, cases } = junitCases(path);
  assert.deepEqual([suites.tests, suites.failures, suites.skipped], ["3", "2", "1"]);
  assert.deepEqual(
    cases.map(([name, inside]) => [name, inside]),
    [
      ["blackout p50 <= 1200ms", "failure"],
      ["blackout p99 <= 9s", "skipped"],
      ["no regression: blackout", "failure"],
    ],
  );
  assert.match(cases[2]?.[2] ?? "", /^The blackout is longer by \+500\.0 ms/);
});

test("no text of a capture or a budget can act in any output", { skip: noPython }, async () => {
  const evil = "</failure><x>]]> \u0000\u001b[31m ::error::no | `a` @all <!channel>\n::warning::no";
  const failed = documentOfSample(madeSample(1, { outcome: "failed", outcomeReason: evil, name: evil }));
  const cohortPath = file("evil.jsonl", `${readFileSync(fast, "utf8")}${JSON.stringify(failed)}\n`);
  const strict = file("strict.yaml", "version: 1\noutcomes:\n  failed: 0\n");
  const [xml, markdown] = [join(folder, "evil.xml"), join(folder, "evil.md")];
  const { code, out } = await run(["-b", strict, "--github", "--junit", xml, "--markdown", markdown, cohortPath]);
  assert.equal(code, 1);
  assert.equal(junitCases(xml).cases.length, 1);
  const commandLines = out.split("\n").filter((line) => line.startsWith("::"));
  assert.equal(commandLines.length, 1);
  assert.match(commandLines[0] ?? "", /^::error file=.*line=3,title=blackout gate%3A not completed <= 0::/);
  assert.ok(!out.includes("\u001b"));
  const rendered = readFileSync(markdown, "utf8");
  assert.doesNotMatch(rendered, /<x>|<!channel>|@all|`/);
  assert.equal(rendered.split("\n").filter((line) => line.startsWith("| not completed")).length, 1);
});

test("GitHub: annotations, and the step's summary appended to", async () => {
  const summary = file("summary.md", "before\n");
  const { out } = await run(["-b", budget, "--github", slow], { GITHUB_STEP_SUMMARY: summary });
  assert.match(
    out,
    /^::error file=.*budget\.yaml,line=3,title=blackout gate%3A blackout p50 <= 1200ms::The p50 of blackout is above/m,
  );
  assert.match(out, /^::warning .*p99/m);
  assert.match(readFileSync(summary, "utf8"), /^before\n## ❌ Blackout gate failed/);
});

test("webhooks: sent where it failed, in each form, without touching the verdict", async (t) => {
  const bodies: unknown[] = [];
  const hook = createServer((request, response) => {
    let body = "";
    request.on("data", (part) => {
      body += String(part);
    });
    request.on("end", () => {
      bodies.push(JSON.parse(body));
      response.end();
    });
  });
  await new Promise<void>((resolve) => hook.listen(0, "127.0.0.1", resolve));
  t.after(() => {
    hook.closeAllConnections();
    hook.close();
  });
  const env = { HOOK: `http://127.0.0.1:${(hook.address() as AddressInfo).port}/T0/B0/secret` };
  const webhook = ["-b", budget, "--webhook", "env:HOOK"];
  assert.equal((await run([...webhook, fast], env)).code, 0);
  assert.equal(bodies.length, 0);
  assert.equal((await run([...webhook, slow], env)).code, 1);
  assert.match(JSON.stringify(bodies[0]), /Blackout gate failed: slow.*blackout p50 &lt;= 1200ms/);
  await run([...webhook, "--webhook-body", "alertmanager", "--webhook-when", "always", fast], env);
  await run([...webhook, "--webhook-body", "alertmanager", slow], env);
  await run([...webhook, "--webhook-body", "alertmanager-api", slow], env);
  const [, resolved, firing, alerts] = bodies as unknown as readonly [
    unknown,
    { readonly status: string; readonly version: string; readonly alerts: readonly { readonly status: string }[] },
    {
      readonly status: string;
      readonly alerts: readonly { readonly labels: Record<string, string>; readonly fingerprint: string }[];
    },
    readonly { readonly labels: Record<string, string> }[],
  ];
  assert.deepEqual([resolved.version, resolved.status], ["4", "resolved"]);
  assert.deepEqual([firing.status, firing.alerts.length], ["firing", 1]);
  assert.match(firing.alerts[0]?.fingerprint ?? "", /^[0-9a-f]{16}$/);
  assert.deepEqual(
    [alerts[0]?.labels.alertname, alerts[0]?.labels.check, alerts[0]?.labels.severity],
    ["BlackoutGate", "blackout p50 <= 1200ms", "critical"],
  );
});

/** A folder with `blackout` in it, as an installation would have. */
function installed(): string {
  const bin = join(folder, "bin");
  mkdirSync(bin, { recursive: true });
  const main = join(projectRoot, "dist/cli/main.js");
  if (!existsSync(join(bin, "blackout"))) {
    chmodSync(main, 0o755);
    symlinkSync(main, join(bin, "blackout"));
  }
  return bin;
}

test("examples/gate.sh leaves what CI wants, and exits as the gate does", { skip: noPython }, () => {
  const out = join(folder, "ci");
  const script = (...args: readonly string[]) =>
    spawnSync(join(projectRoot, "examples/gate.sh"), args, {
      encoding: "utf8",
      env: { ...process.env, PATH: `${installed()}:${process.env.PATH}` },
    });
  const gated = script(budget, fast, slow, out);
  assert.equal(gated.status, 1, gated.stderr);
  assert.deepEqual(
    junitCases(join(out, "gate.xml")).cases.map(([, inside]) => inside),
    ["failure", "failure", "failure"],
  );
  assert.match(readFileSync(join(out, "gate.md"), "utf8"), /## ❌/);
  assert.equal(readFileSync(join(out, "updates.jsonl"), "utf8"), readFileSync(slow, "utf8"));
  assert.equal(script("only one").status, 2);
});

test("the GitHub workflow's step runs as it stands", () => {
  const workflow = parse(readFileSync(join(projectRoot, "examples/github/live-update-gate.yml"), "utf8")) as {
    readonly env: Readonly<Record<string, string>>;
    readonly jobs: { readonly gate: { readonly steps: readonly { readonly name?: string; readonly run?: string }[] } };
  };
  const step = workflow.jobs.gate.steps.find(({ name }) => name === "Gate");
  const place = join(folder, "checkout");
  mkdirSync(place, { recursive: true });
  symlinkSync(join(projectRoot, "traces/cohorts"), join(place, "captures"));
  writeFileSync(join(place, workflow.env.BUDGET ?? ""), readFileSync(join(projectRoot, "examples/budget.yaml")));
  const run = (step?.run ?? "").replace("captures/candidate", "captures/devices");
  const summary = join(folder, "step.md");
  const { status, stdout, stderr } = spawnSync("bash", ["-e", "-c", run], {
    cwd: place,
    encoding: "utf8",
    env: {
      ...process.env,
      ...workflow.env,
      PATH: `${installed()}:${process.env.PATH}`,
      SLACK_URL: "",
      GITHUB_STEP_SUMMARY: summary,
    },
  });
  assert.equal(status, 1, stderr);
  assert.match(stdout, /^::error file=budget\.yaml,line=\d+,.*no regression%3A blackout::.*four new e1000s/m);
  assert.match(readFileSync(summary, "utf8"), /\*\*Why:\*\*/);
  assert.ok(existsSync(join(place, "gate.xml")));
});

test("the budget's regression floors are the comparison's", async () => {
  const wide = file("wide.yaml", "version: 1\nregression:\n  floor: 10s\n");
  const { code, out } = await run(["-b", wide, "--baseline", fast, "--json", slow]);
  assert.equal(code, 0);
  assert.equal((JSON.parse(out) as GateDocument).comparison?.floors.absoluteNs, 10e9);
});
