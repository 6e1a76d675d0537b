/**
 * A process that works on an archive until it is killed, for the crash test. `add` adds updates of its own and of
 * others, prints when it begins, and prints each id once it is acknowledged; `compact` compacts without grace.
 */
import { writeSync } from "node:fs";
import { ArchiveError } from "../../archive/format.js";
import { openArchive } from "../../archive/store/archive.js";
import { compactArchive } from "../../archive/upkeep/compact.js";
import { seededRandom } from "../../base/numbers/random.js";
import { causeOf, madeSample } from "../samples/samples.js";

const [role = "add", path = "", seed = "0"] = process.argv.slice(2);
const random = seededRandom(Number(seed));
const archive = await openArchive(path, {});

/** From a pool that all writers share, so that they meet. */
function sample() {
  const i = random.below(2_000);
  return madeSample(5 + (i % 7), {
    name: `u${i}`,
    host: `h${i % 50}`,
    kernel: { old: "7.2", new: `7.${i % 2}` },
    causes: [causeOf("acpi_init", 5 + (i % 7))],
  });
}

await archive.engine();
writeSync(1, "ready\n");
for (;;) {
  if (role === "add") {
    const { added, already } = await archive.add(Array.from({ length: 1 + random.below(3) }, sample));
    // Updates that were already there were acknowledged too.
    writeSync(1, [...added, ...already].map((id) => `${id}\n`).join(""));
  } else {
    try {
      await compactArchive(archive, { graceMs: 0, nowMs: Date.now() });
    } catch (error) {
      if (!(error instanceof ArchiveError)) throw error;
    }
  }
}
