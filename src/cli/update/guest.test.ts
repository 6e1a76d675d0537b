import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { after } from "node:test";
import { Ajv } from "ajv";
import type { GuestDocument } from "../../model/documents/guest.js";
import type { UpdateSampleDocument } from "../../model/update-sample.js";
import { recordedSurroundings } from "../../testing/command-testing.js";
import { projectRoot, traces } from "../../testing/places.js";
import { commands } from "../commands.js";
import { runCli } from "../frame/command-run.js";

const folder = mkdtempSync(join(tmpdir(), "blackout-guest-"));
after(() => rmSync(folder, { recursive: true }));
const plain = join(traces, "plain.tar.gz");

async function run(...args: readonly string[]) {
  const surroundings = recordedSurroundings();
  const code = await runCli(["guest", ...args], surroundings, commands);
  return { code, out: surroundings.written(), err: surroundings.complained() };
}

function ticks(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

const series = (fromMs: number, count: number): string =>
  Array.from({ length: count }, (_, i) => `${((fromMs + i * 10) / 1000).toFixed(6)}\n`).join("");
/** A guest that stopped for 5,240 ms, by its own clock. */
const good = ticks("vm.ticks", `# clock=monotonic interval=10ms\n${series(1_000, 200)}${series(2_990 + 5_240, 200)}`);

const GOLDEN = [
  "plain  7.3.4-luo → 7.3.4-luo  blackout 5.216 s ± 390 us",
  "",
  "  seen by                              VM        begin       end  blackout          ±",
  "  kernel: freeze begin to restore end  host  +966.7 us  +5.213 s   5.212 s   ± 390 us",
  "  VMM: pause to resume mark            vm            0  +5.216 s   5.216 s   ± 390 us",
  "  guest: longest gap between ticks                                 5.240 s  -10.00 ms",
  "",
  "  vm.ticks: 400 ticks, one in 10.00 ms (as its header says)",
  "    longest gap 5.240 s, 1.990 s after the first tick; 523 ticks missed; the guest stood still for 5.230 s to 5.240 s",
  "    delay of a tick              p50       p90       p99    p99.9      max",
  "    as recorded             10.00 ms  10.00 ms  10.00 ms  5.240 s  5.240 s",
  "    corrected for omission  630.2 ms   4.320 s   5.151 s  5.240 s  5.240 s",
  "",
  "  Between the views",
  "    +966.7 us ± 1.1 us  from the first VM's pause to the kernel's freeze",
  "    +3.050 ms ± 1.1 us  from the kernel's last retrieve to the last VM's resume",
  "    +24.45 ms ± 11 ms  the guest's gap beyond the host's blackout (vm)",
  "    The guest saw more than the host: its vCPUs were resumed one after the other, or its ticker had to wait for one.",
  "    The guest's clock is not tied to the host's: only how long can be compared, not when.",
  "",
  "  The guest of 'vm' stood still for 5.230 s to 5.240 s; the host was gone for 5.216 s ± 390 us.",
  "",
];

const validate = new Ajv({ strict: true, allowUnionTypes: true }).compile(
  JSON.parse(readFileSync(join(projectRoot, "docs/guest.schema.json"), "utf8")),
);

test("the shipped capture beside a guest's ticks, as text", async () => {
  const { code, out, err } = await run(plain, "--ticks", good);
  assert.deepEqual([code, err], [0, ""]);
  assert.deepEqual(out.replaceAll(good, "vm.ticks").split("\n"), GOLDEN);
});

test("as JSON it keeps to its schema, with and without ticks", async () => {
  for (const args of [[], ["--ticks", good], ["--ticks", good, "--ticks", good, "--interval", "20ms"]]) {
    const { code, out, err } = await run(plain, "--json", ...args);
    assert.deepEqual([code, err], [0, ""]);
    const document = JSON.parse(out) as GuestDocument;
    assert.ok(validate(document), JSON.stringify(validate.errors));
    assert.deepEqual(document.views.map(({ view, vm }) => `${view} ${vm}`).slice(0, 2), ["kernel null", "marks vm"]);
    const marks = document.views[1]?.durationNs as number;
    for (const { gapNs, comparedWith, intervalNs, intervalFrom } of document.ticks) {
      assert.deepEqual([gapNs, comparedWith], [5_240_000_000, "vm"]);
      assert.deepEqual(
        [intervalNs, intervalFrom],
        args.includes("20ms") ? [20_000_000, "given"] : [10_000_000, "header"],
      );
    }
    const guest = document.differences.filter(({ what }) => what === "guest-minus-host");
    assert.deepEqual(
      guest.map(({ ns, vm }) => [ns, vm]),
      document.ticks.map(() => [5_240_000_000 - marks, "vm"]),
    );
  }
});

test("a log without ticks is refused with what to do; lines left out of a good one are reported", async () => {
  for (const [args, message] of [
    [["--ticks", join(folder, "none")], /none: it cannot be read \(ENOENT\)\n {2}Check the path/],
    [["--ticks", folder], /it is a folder, expected a file/],
    [["--ticks", ticks("empty", "")], /no two ticks in a row/],
    [["--ticks", ticks("header", "# interval=soon\n1.0\n2.0\n")], /interval=soon, which is not a duration/],
    [["--ticks", ticks("long", "1.0\n100.0\n"), "--interval", "1us"], /check --interval/],
  ] as const) {
    const { code, err } = await run(plain, ...args);
    assert.equal(code, 3);
    assert.match(err, message);
  }
  const { code } = await run(plain, "--interval", "10ns", "--ticks", good);
  assert.equal(code, 2);
  const noisy = await run(plain, "--ticks", ticks("noisy", `x\u001b[31m\n${series(0, 5)}`));
  assert.equal(noisy.code, 0);
  assert.match(noisy.err, /^blackout: .*noisy:1: The line is not a stamp.* \[ticks-undecoded\]\n$/);
});

const conclusionsOf = async (log: string): Promise<readonly [string, number, number][]> =>
  (JSON.parse((await run(plain, "--ticks", log, "--json")).out) as GuestDocument).conclusions.map(
    ({ result, stoodStillNs }) => [result, stoodStillNs.lowerNs, stoodStillNs.upperNs],
  );

test("a guest that kept running over the kexec is a result: blackout and management gap differ", async () => {
  // 12 s of ticks, with one gap of 45 ms.
  const on = ticks("on", `# clock=monotonic interval=10ms\n${series(0, 600)}${series(5_990 + 45, 600)}`);
  const { out } = await run(plain, "--ticks", on);
  assert.match(
    out,
    /The guest of 'vm' kept running, by its clock \(monotonic\): it stood still for 35\.00 ms to 45\.00 ms, while the host was gone for 5\.216 s/,
  );
  assert.match(out, /docs\/guest-ticks\.md lists which do\.\n$/);
  assert.deepEqual(await conclusionsOf(on), [["ran-on", 35_000_000, 45_000_000]]);
});

test("a log that covers less than the host's gap does not show that the guest kept running", async () => {
  const short = ticks("short", `# interval=10ms\n${series(0, 400)}`);
  assert.deepEqual(await conclusionsOf(short), [["too-short", 0, 10_000_000]]);
  assert.match((await run(plain, "--ticks", short)).out, /a log that covers less time than the host was gone/);
});

test("a guest that stood still as long as the host, or longer, stood still", async () => {
  assert.deepEqual(await conclusionsOf(good), [["stood-still", 5_230_000_000, 5_240_000_000]]);
  const longer = ticks("longer", `# interval=10ms\n${series(0, 50)}${series(490 + 9_000, 50)}`);
  assert.deepEqual(await conclusionsOf(longer), [["stood-still", 8_990_000_000, 9_000_000_000]]);
});

test("--sample prints what cohorts read: the guests' blackout, with the management gap beside it", async () => {
  const on = ticks("sample", `# clock=monotonic interval=10ms\n${series(0, 600)}${series(5_990 + 45, 600)}`);
  const { code, out } = await run(plain, "--ticks", on, "--sample");
  assert.equal(code, 0);
  const sample = JSON.parse(out) as UpdateSampleDocument;
  assert.deepEqual(sample.blackout, { basis: "guest-ticks", durationNs: 40_000_000, uncertaintyNs: 5_000_000 });
  assert.equal(Math.round((sample.managementGap.durationNs ?? 0) / 1e6), 5216);
  const cohort = ticks("cohort.jsonl", out.repeat(2).replace('"name":"plain"', '"name":"again"'));
  const budget = ticks("budget.yaml", "version: 1\ndecide-by: sample\nlimits:\n  - blackout max <= 50ms\n");
  const judged = async (...args: readonly string[]) => {
    const surroundings = recordedSurroundings();
    const exitCode = await runCli(args, surroundings, commands);
    return { exitCode, out: surroundings.written(), err: surroundings.complained() };
  };
  const gate = await judged("gate", "--budget", budget, cohort);
  assert.deepEqual([gate.exitCode, gate.err], [0, ""], gate.out);
  const compared = await judged("compare", cohort, join(traces, "cohorts/base"));
  assert.equal(compared.exitCode, 3, "a guests' blackout is not compared with one of marks");
  assert.match(compared.err, /basis/);
});

test("a log that missed the stop makes no sample", async () => {
  const short = ticks("short-sample", `# interval=10ms\n${series(0, 400)}`);
  const { code, out, err } = await run(plain, "--ticks", short, "--sample");
  assert.deepEqual([code, out], [3, ""]);
  assert.match(err, /covers less time than the host was gone/);
  const without = await run(plain, "--sample");
  assert.deepEqual([without.code, without.out], [2, ""]);
  assert.match(without.err, /--sample: needs --ticks FILE/);
});
