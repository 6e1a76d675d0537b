/**
 * Whole captures, changed in one to three places (files, lines, records, bytes, pages, clocks, parts of another
 * update), through every command that reads captures. No exception, no run of more than 2 s of processor time, bounded
 * memory, no number that is not one; and on whole recordings no `completed` whose blackout is off by more than its ±
 * in silence.
 *
 * 20,000 changes, or as many as fit into 160 s of processor time. FUZZ_CAPTURES and FUZZ_SECONDS for more, FUZZ_SEED
 * for others.
 */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import test, { after } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { seededRandom } from "../../base/numbers/random.js";
import type { LiveUpdateDocument } from "../../model/live-update.js";
import { recordedSurroundings } from "../../testing/command-testing.js";
import { mutation } from "../../testing/oracles/mutations.js";
import { projectRoot, traces } from "../../testing/places.js";
import { type HeldFiles, heldFiles } from "../../testing/samples/held-files.js";
import { smallCapture } from "../../testing/samples/small-captures.js";
import { commands } from "../commands.js";
import { runCli } from "../frame/command-run.js";

const RUNS = Number(process.env.FUZZ_CAPTURES ?? 20_000);
const SEED = Number(process.env.FUZZ_SEED ?? 1_202_612);
/** Each run of this many is on a whole recording: slow, but with all the evidence. */
const WHOLE_EVERY = Number(process.env.FUZZ_WHOLE_EVERY ?? 25);
const MOST_CPU_MS = 2_000;
/** The runs end early on a slow or busy machine: seconds of processor time, and of the clock. FUZZ_SECONDS for more. */
const MOST_SECONDS = Number(process.env.FUZZ_SECONDS ?? 160);
const MOST_WALL_SECONDS = Math.max(MOST_SECONDS, 220);
const LEAST_RUNS = Math.min(RUNS, 400);
/** Of the whole process over all runs, beyond what it needed after warming up. */
const MOST_GROWTH_BYTES = 256 << 20;
const WARM_UP = 500;
const COLLECT_EVERY = 100;

const folder = mkdtempSync(join(tmpdir(), "blackout-fuzz-"));
after(() => rmSync(folder, { recursive: true, force: true }));

const budget = join(projectRoot, "examples/budget.yaml");
const output = join(folder, "output");
const baseline = join(folder, "baseline.jsonl");

/** Every command that reads captures, with arguments. `analyze --json` stands first: its answer is checked. */
const ASKED: readonly ((capture: string) => readonly string[])[] = [
  (capture) => ["analyze", "--json", capture],
  (capture) => ["analyze", capture],
  (capture) => ["findings", "--json", capture],
  (capture) => ["findings", capture],
  (capture) => ["blame", "--json", capture],
  (capture) => ["blame", "--by", "device", capture],
  (capture) => ["blame", "--by", "irq", "--phase", "kexec", capture],
  (capture) => ["tree", capture],
  (capture) => ["tree", "--json", capture],
  (capture) => ["critical-chain", capture],
  (capture) => ["critical-chain", "--json", capture],
  (capture) => ["what-if", "--set", "device:*=0", capture],
  (capture) => ["what-if", "--json", "--set", "initcall:acpi_*=50%", "--parallel", "device-probe", capture],
  (capture) => ["sessions", capture],
  (capture) => ["sessions", "--json", capture],
  (capture) => ["guest", capture],
  (capture) => ["guest", "--json", capture],
  (capture) => ["events", "--limit", "200", capture],
  (capture) => ["events", "--json", "--filter", "event=luo_* || event=print", capture],
  (capture) => ["qualify", "--json", capture],
  (capture) => ["cohort", "--json", capture],
  (capture) => ["metrics", capture],
];

/** Those that take several times as long: every eighth run. */
const ASKED_SELDOM: typeof ASKED = [
  (capture) => ["report", "-o", output, capture],
  (capture) => ["perfetto", "-o", output, capture],
  (capture) => ["percentiles", capture],
  (capture) => ["compare", "--force", baseline, capture],
  (capture) => ["gate", "--force", "--budget", budget, "--baseline", baseline, capture],
  (capture) => ["history", baseline, capture],
];
const SELDOM = 8;

interface Seed {
  readonly name: string;
  readonly files: HeldFiles;
  readonly document: LiveUpdateDocument;
}

/** A capture's folder, in which only what differs is written. */
class Place {
  readonly path: string;
  #held: HeldFiles = {};

  constructor(path: string) {
    this.path = path;
    mkdirSync(path);
  }

  hold(files: HeldFiles): void {
    for (const name of Object.keys(this.#held)) if (!Object.hasOwn(files, name)) rmSync(join(this.path, name));
    for (const [name, bytes] of Object.entries(files)) {
      if (this.#held[name] === bytes) continue;
      mkdirSync(dirname(join(this.path, name)), { recursive: true });
      writeFileSync(join(this.path, name), bytes);
    }
    this.#held = files;
  }
}

async function answer(
  args: readonly string[],
): Promise<{ readonly code: number; readonly out: string; readonly err: string }> {
  const surroundings = recordedSurroundings();
  const code = await runCli(args, surroundings, commands);
  return { code, out: surroundings.written(), err: surroundings.complained() };
}

const serious = ({ defects }: LiveUpdateDocument): number =>
  defects.reduce((sum, { severity, count }) => sum + (severity === "note" ? 0 : count), 0);

/** Why an answer is wrong in silence; null if it is right, or its defects name more than the recording's own. */
function silentlyWrong(right: LiveUpdateDocument, found: LiveUpdateDocument): string | null {
  const { durationNs, uncertaintyNs } = found.blackout;
  if (found.outcome !== "completed" || durationNs === null || right.blackout.durationNs === null) return null;
  const off = Math.abs(durationNs - right.blackout.durationNs);
  if (off <= (uncertaintyNs ?? 0) + (right.blackout.uncertaintyNs ?? 0) || serious(found) > serious(right)) return null;
  return `off by ${off} ns, ± ${uncertaintyNs} ns`;
}

async function seedsOf(names: readonly string[], cut: (files: HeldFiles) => HeldFiles): Promise<readonly Seed[]> {
  const seeds: Seed[] = [];
  for (const name of names) {
    const files = cut(await heldFiles(join(traces, name)));
    const place = new Place(mkdtempSync(join(folder, "seed-")).concat("/c"));
    place.hold(files);
    const document = JSON.parse((await answer(["analyze", "--json", place.path])).out) as LiveUpdateDocument;
    assert.ok(document.blackout.durationNs !== null, name);
    seeds.push({ name, files, document });
  }
  return seeds;
}

test("no change of a capture makes a command crash, hang, grow, or be wrong in silence", async (context) => {
  const small = await seedsOf(
    ["cohorts/base/01.tar.gz", "cohorts/devices/02.tar.gz", "dialects/pstore.tar.gz"],
    smallCapture,
  );
  const whole = await seedsOf(
    ["cohorts/base/03.tar.gz", "cohorts/devices/04.tar.gz", "dialects/pstore.tar.gz"],
    (files) => files,
  );
  writeFileSync(baseline, (await answer(["cohort", "--json", join(traces, "cohorts/base")])).out);
  const places = new Map([...small, ...whole].map((seed, i) => [seed, new Place(join(folder, `place${i}`))]));

  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  const began = performance.now();
  const found: string[] = [];
  const codes = new Map<number, number>();
  let [settled, slowest, completed, withdrawn, changes] = [0, 0, 0, 0, 0];
  for (let run = 0; run < RUNS; run++) {
    const { user: used, system: kernel } = process.cpuUsage();
    const isLate = used + kernel > MOST_SECONDS * 1e6 || performance.now() - began > MOST_WALL_SECONDS * 1e3;
    if (isLate && run >= LEAST_RUNS) break;
    if (run % COLLECT_EVERY === 0) collect();
    const seeds = run % WHOLE_EVERY === 0 ? whole : small;
    const turn = Math.floor(run / WHOLE_EVERY) + run;
    const own = seeds[turn % seeds.length] as Seed;
    const other = seeds[(turn + 1) % seeds.length] as Seed;
    const { below } = seededRandom(SEED + run);
    // Several changes at once may hide each other; whether one alone is silent is asked of whole recordings.
    const many = seeds === whole ? 1 : 1 + below(3);
    let files: HeldFiles = own.files;
    const what: string[] = [];
    for (let i = 0; i < many; i++) {
      const changed = mutation(files, other.files, SEED + run * 4 + i);
      if (changed === null) continue;
      files = changed.files;
      what.push(changed.what);
    }
    if (what.length === 0) continue;
    changes += 1;
    const place = places.get(own) as Place;
    place.hold(files);
    const list = run % SELDOM === 0 ? ASKED_SELDOM : ASKED;
    const asked = (seeds === whole && run % 4 !== 0 ? ASKED[0] : list[below(list.length)]) as (typeof ASKED)[number];
    const args = asked(place.path);
    const name = `run ${run}: ${own.name}, ${what.join("; ").slice(0, 600)}: blackout ${args.join(" ")}`;
    const before = process.cpuUsage();
    const { code, out, err } = await answer(args);
    const { user, system } = process.cpuUsage(before);
    const ms = (user + system) / 1000;
    slowest = Math.max(slowest, ms);
    codes.set(code, (codes.get(code) ?? 0) + 1);
    if (![0, 1, 3, 4].includes(code)) found.push(`${name}: exit ${code}: ${err.slice(0, 400)}`);
    if (ms > MOST_CPU_MS) found.push(`${name}: ${ms.toFixed(0)} ms of processor time`);
    if (code === 3 && err === "") found.push(`${name}: refused without a sentence`);
    const noNumber = /\bNaN\b|\bundefined\b|\[object |-?Infinity\b/.exec(out);
    if (noNumber !== null)
      found.push(`${name}: prints ${JSON.stringify(out.slice(noNumber.index - 40, noNumber.index + 40))}`);
    if (args[0] === "analyze" && args[1] === "--json" && code === 0) {
      const document = JSON.parse(out) as LiveUpdateDocument;
      if (document.outcome === "completed") completed += 1;
      if (document.blackout.durationNs === null) withdrawn += 1;
      const wrong = seeds === whole ? silentlyWrong(own.document, document) : null;
      if (wrong !== null) found.push(`${name}: ${wrong}`);
    }
    const peak = process.resourceUsage().maxRSS * 1024;
    if (run < WARM_UP) settled = peak;
    else if (peak - settled > MOST_GROWTH_BYTES) {
      found.push(`${name}: the process has grown by ${peak - settled} bytes`);
      settled = peak;
    }
    if (found.length >= 20) break;
  }
  const exits = [...codes].sort(([a], [b]) => a - b).map(([code, count]) => `${count} exits ${code}`);
  context.diagnostic(
    `${changes} changed captures: ${exits.join(", ")}; ${completed} completed, ${withdrawn} without a blackout; slowest ${slowest.toFixed(0)} ms`,
  );
  assert.deepEqual(found, []);
});
