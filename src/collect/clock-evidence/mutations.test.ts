/**
 * Recordings with one thing changed never give a wrong blackout in silence: what differs from the recording's own by
 * more than both ± has a warning or an error that the recording has not. 300 changes; MUTATION_RUNS for more (100,000
 * take three hours), MUTATION_SEED for others.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import test from "node:test";
import type { LiveUpdateDocument } from "../../model/live-update.js";
import { mutation } from "../../testing/oracles/mutations.js";
import { traces } from "../../testing/places.js";
import { type HeldFiles, heldFiles, heldUpdate } from "../../testing/samples/held-files.js";

const RUNS = Number(process.env.MUTATION_RUNS ?? 300);
const SEED = Number(process.env.MUTATION_SEED ?? 20_261);

const RECORDINGS = [
  "cohorts/base/01.tar.gz",
  "cohorts/base/02.tar.gz",
  "cohorts/devices/02.tar.gz",
  "plain.tar.gz",
  "v72-v73.tar.gz",
  "dialects/pstore.tar.gz",
];

interface Recording {
  readonly name: string;
  readonly files: HeldFiles;
  readonly document: LiveUpdateDocument;
}

const serious = ({ defects }: LiveUpdateDocument): number =>
  defects.reduce((sum, { severity, count }) => sum + (severity === "note" ? 0 : count), 0);

/** Why a mutated recording's answer is wrong in silence; null if it is right, or not in silence. */
function silentlyWrong(right: LiveUpdateDocument, found: LiveUpdateDocument): string | null {
  const { durationNs, uncertaintyNs } = found.blackout;
  if (found.outcome !== "completed" || durationNs === null) return null;
  const off = durationNs - (right.blackout.durationNs as number);
  if (Math.abs(off) <= (uncertaintyNs ?? 0) + (right.blackout.uncertaintyNs ?? 0)) return null;
  if (serious(found) > serious(right)) return null;
  return `off by ${off} ns, ± ${uncertaintyNs} ns, ${found.blackout.basis}, ${found.clock.method}`;
}

test("a page whose stamp was moved by a fifth of a second is not taken in silence", async () => {
  const [own, other] = await Promise.all(
    ["dialects/pstore.tar.gz", "cohorts/base/01.tar.gz"].map((name) => heldFiles(join(traces, name))),
  );
  const mutated = mutation(own as HeldFiles, other as HeldFiles, 5_016_985);
  assert.equal(mutated?.what, "new/per_cpu/cpu0/trace_pipe_raw: stamp of the page at 8192");
  const found = heldUpdate(mutated.files).update.document;
  assert.equal(silentlyWrong(heldUpdate(own as HeldFiles).update.document, found), null);
  assert.ok(found.defects.some(({ code }) => code === "trace-clock-late"));
});

test("a recording with one thing changed gives no wrong blackout in silence", async (context) => {
  const recordings: Recording[] = [];
  for (const name of RECORDINGS) {
    const files = await heldFiles(join(traces, name));
    const { document } = heldUpdate(files).update;
    assert.ok(document.blackout.durationNs !== null, name);
    recordings.push({ name, files, document });
  }
  const wrong: string[] = [];
  let [completed, withdrawn, runs] = [0, 0, 0];
  for (let run = 0; run < RUNS; run++) {
    const own = recordings[run % recordings.length] as Recording;
    const other = recordings[(run + 1 + (run % (recordings.length - 1))) % recordings.length] as Recording;
    const mutated = mutation(own.files, other.files, SEED + run);
    if (mutated === null) continue;
    runs += 1;
    let document: LiveUpdateDocument;
    try {
      document = heldUpdate(mutated.files).update.document;
    } catch (error) {
      // A capture that is refused as a whole gives no number; what else is thrown is a bug.
      assert.match(String(error), /^Error: [a-z-]+: /, `${own.name}, ${mutated.what}`);
      continue;
    }
    if (document.outcome === "completed") completed += 1;
    if (document.blackout.durationNs === null) withdrawn += 1;
    const why = silentlyWrong(own.document, document);
    if (why !== null) wrong.push(`seed ${SEED + run}: ${own.name}, ${mutated.what} (${other.name}): ${why}`);
  }
  context.diagnostic(`${runs} changes, ${completed} completed, ${withdrawn} without a blackout, ${wrong.length} wrong`);
  assert.deepEqual(wrong, []);
});
