/** Update samples that no host would write, but a file may hold: for property tests. */
import fc from "fast-check";
import { CLOCK_METHODS, PHASES } from "../../model/live-update.js";
import { CAUSE_KINDS, LAST_INSTANT_MS, type UpdateSample } from "../../model/update-sample.js";

/** Quotes, NULs, controls, lone surrogates, path and SQL characters, the empty string. */
export const hostileText: fc.Arbitrary<string> = fc.oneof(
  fc.string({ unit: "binary", maxLength: 20 }),
  fc.array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 8 }).map((units) => String.fromCharCode(...units)),
  fc.constantFrom(
    "",
    "'",
    "''; DROP TABLE updates; --",
    '"',
    "\\",
    "../../x",
    "a/b=c",
    "%41",
    "\0",
    "\ud800",
    "__proto__",
  ),
  fc.constantFrom("NULL", "__HIVE_DEFAULT_PARTITION__", "💥", "\u202e", "x".repeat(4096), "ﷺ".repeat(300), ".", ".."),
);

const ns = fc.oneof(fc.maxSafeNat(), fc.nat(), fc.constantFrom(0, 1, 2047, 2048, 2 ** 53 - 1));
const nsOrNull = fc.option(ns);

/** Parts that add up, below 2^53. */
const cause = fc
  .record({
    kind: fc.constantFrom(...CAUSE_KINDS),
    id: hostileText,
    phase: fc.constantFrom(...PHASES, null),
    count: fc.nat(),
    parts: fc.array(fc.record({ name: hostileText, totalNs: fc.nat() }), { maxLength: 3 }),
    detail: hostileText,
    alone: ns,
  })
  .map(({ alone, parts, ...rest }) => ({
    ...rest,
    parts,
    totalNs: parts.length === 0 ? alone : parts.reduce((sum, part) => sum + part.totalNs, 0),
  }));

export const hostileSample: fc.Arbitrary<UpdateSample> = fc.record({
  source: fc.constant("hostile"),
  name: hostileText,
  host: fc.option(hostileText),
  takenAtMs: fc.option(fc.integer({ min: 0, max: LAST_INSTANT_MS })),
  kernel: fc.record({ old: fc.option(hostileText), new: fc.option(hostileText) }),
  probeLevel: fc.option(hostileText),
  labels: fc.dictionary(fc.oneof(hostileText, fc.constant("workload")), hostileText, { maxKeys: 4 }),
  memoryKiB: nsOrNull,
  image: fc.option(
    fc.record({
      compression: fc.constantFrom("gzip" as const, "none" as const, null),
      payloadBytes: nsOrNull,
      initBytes: nsOrNull,
      initrdBytes: nsOrNull,
      kaslr: fc.option(fc.boolean()),
      cpus: nsOrNull,
      preservedBytes: nsOrNull,
      preservedFolios: nsOrNull,
      config: fc.constantFrom("0123456789ab", null),
    }),
  ),
  outcome: fc.constantFrom("completed" as const, "aborted" as const, "failed" as const, "incomplete" as const),
  outcomeReason: hostileText,
  blackout: fc.record({
    basis: fc.constantFrom("vm-marks" as const, "vcpu" as const, "kernel-observed" as const, null),
    durationNs: nsOrNull,
    uncertaintyNs: nsOrNull,
  }),
  clockMethod: fc.constantFrom(...CLOCK_METHODS, null),
  managementGap: fc.record({ durationNs: nsOrNull, uncertaintyNs: nsOrNull }),
  seam: fc.record({ durationNs: nsOrNull, uncertaintyNs: nsOrNull }),
  phases: fc.record({ prepare: nsOrNull, freeze: nsOrNull, kexec: nsOrNull, restore: nsOrNull, finish: nsOrNull }),
  // Without any work there is none to keep: null says the same.
  work: fc.option(
    fc.record({ prepare: fc.nat(), freeze: nsOrNull, kexec: nsOrNull, restore: nsOrNull, finish: nsOrNull }),
  ),
  vms: fc.array(fc.record({ id: hostileText, durationNs: nsOrNull }), { maxLength: 3 }),
  causes: fc.option(fc.array(cause, { maxLength: 4 })),
  outsideCauses: fc.constant(null),
  defects: fc.record({ error: fc.nat(), warning: fc.nat(), note: fc.nat() }),
  // An archive does not keep it.
  health: fc.constant(null),
  defectCodes: fc.option(
    fc.array(
      fc.record({ code: hostileText, severity: fc.constantFrom("error" as const, "note" as const), count: fc.nat() }),
      { maxLength: 3 },
    ),
  ),
});
