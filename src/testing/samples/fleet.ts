/** A small fleet for tests of the archive, and the questions that the docs ask of one. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { UpdateSample } from "../../model/update-sample.js";
import { projectRoot, traces } from "../places.js";
import { realCohort } from "./samples.js";

/** Twenty real updates, of hosts, kernels and days that they were not recorded on. */
export async function fleetSamples(): Promise<readonly UpdateSample[]> {
  const cohorts = await Promise.all(["base", "devices"].map((name) => realCohort(name, join(traces, "cohorts", name))));
  return cohorts.flatMap(({ updates }, c) =>
    updates.map(
      (update, i): UpdateSample => ({
        ...update,
        host: `host-${i % 3}`,
        name: `${c}-${update.name}`,
        takenAtMs: Date.UTC(2026, 9, 1 + 7 * Math.floor(i / 4), c, i),
        kernel: { old: "7.2.13-luo", new: i % 2 === 0 ? "7.3.4-luo" : "7.2.13-luo" },
        ...(i === 9 ? { outcome: "failed", outcomeReason: "It did." } : {}),
        defectCodes: [{ code: "file-missing", severity: "note", count: 1 + c }],
      }),
    ),
  );
}

/** The queries of docs/archive-queries.md, by the heading that they stand under. */
export function documentedQueries(): ReadonlyMap<string, string> {
  const text = readFileSync(join(projectRoot, "docs/archive-queries.md"), "utf8");
  const found = [...text.matchAll(/^## (.+)$[\s\S]*?^```sql\n([\s\S]*?)^```$/gm)];
  return new Map(found.map(([, heading = "", sql = ""]) => [heading, sql]));
}
