/**
 * What an archive's updates add up to (`FleetTally`), counted by the engine and not update by update; and the latest of
 * them. Exact: a test holds it equal to the tally of every update.
 */

import { isNamed, type Metric, metricName } from "../../analyze/cohort/metrics.js";
import { fleetCohortOf } from "../../analyze/fleet/fleet-cohort.js";
import { NATIVE_SCHEMA } from "../../analyze/fleet/native-histogram.js";
import {
  bucketOf,
  type Counted,
  type CountedUpdates,
  countComplaints,
  type EqualValues,
  type FleetTally,
  type LastUpdate,
  MOST_COHORTS,
  nativeBucketOf,
  OTHER,
} from "../../analyze/fleet/tally.js";
import type { Outcome } from "../../model/live-update.js";
import { DOUBTED_CODES } from "../../model/trusted-durations.js";
import type { CauseKind, UpdateSample } from "../../model/update-sample.js";
import { type Engine, sqlText } from "../engine.js";
import type { Segment, TableName } from "../format.js";
import { parquetRows } from "../store/parquet.js";
import { streamUpdates } from "../store/read.js";
import { healthOfText } from "../store/rows.js";
import { filesOf } from "../store/segments.js";

/** When an update was made, milliseconds since 1970. */
export interface Dating {
  /** A time later than this, milliseconds since 1970, is not believed. */
  readonly latestMs: number;
  /** When updates arrived, by id: their time if they have none that is believed. */
  readonly arrivals: ReadonlyMap<string, number>;
}

/** Looked at together: what must be in memory at once is bounded by it, as an update's rows are all in one segment. */
const AT_ONCE = { updates: 100_000, segments: 2_000 } as const;

/** Counts all updates of the segments into the tally; how many they are. */
export async function countFleet(
  engine: Engine,
  root: string,
  segments: readonly Segment[],
  dating: Dating,
  tally: FleetTally,
): Promise<number> {
  if (segments.length === 0) return 0;
  await engine.createTable("arrivals", [
    { name: "update_id", kind: "text", values: [...dating.arrivals.keys()] },
    { name: "at_ms", kind: "int", values: [...dating.arrivals.values()].map(Math.round) },
  ]);
  const cohorts = await nameCohorts(engine, root, segments);
  const open = new Map<number, OpenCohort>();
  let updates = 0;
  for (const batch of batches(segments)) {
    await engine.run(
      `CREATE OR REPLACE TEMP TABLE batch AS SELECT u.*, ${atMs(dating)} AS at_ms, c.cohort FROM (SELECT segment, update_id, probe_level, workload, basis, outcome, taken_ms, blackout_ns, causes, detail, defect_errors, defect_warnings, defect_notes, health FROM ${sourceOf(root, batch, "updates")}) u ${OF_COHORT} LEFT JOIN arrivals a ON a.update_id = u.update_id`,
    );
    updates += await countUpdates(engine, open);
    await countHealth(engine, open);
    for (const asked of readTogether(tally.counted)) await countValues(engine, root, batch, asked, open);
  }
  const last = await latestOfCohorts(engine, root, segments, open);
  // Those that there is no room for come last, or they would take the room of one.
  for (const [cohort, { lastId, lastAtMs, ...counted }] of [...open].sort(([a], [b]) => a - b)) {
    const sample = lastId === null ? undefined : last.get(lastId);
    tally.addCounted(cohorts.get(cohort) ?? OTHER, {
      ...counted,
      last: sample === undefined ? null : { sample, atMs: lastAtMs },
    });
  }
  for (const table of ["arrivals", "cohorts", "batch"]) await engine.run(`DROP TABLE IF EXISTS ${table}`);
  return updates;
}

/** The latest updates since a time, up to a number, the earliest first, and without causes unless requested. */
export async function latestUpdates(
  engine: Engine,
  root: string,
  segments: readonly Segment[],
  dating: Dating,
  wanted: { readonly sinceMs: number; readonly most: number; readonly causes: boolean },
): Promise<readonly LastUpdate[]> {
  if (segments.length === 0) return [];
  await engine.createTable("arrivals", [
    { name: "update_id", kind: "text", values: [...dating.arrivals.keys()] },
    { name: "at_ms", kind: "int", values: [...dating.arrivals.values()].map(Math.round) },
  ]);
  const rows = await engine.rows<{ update_id: string; segment: string; at_ms: number }>(
    `SELECT * FROM (SELECT u.update_id, u.segment, ${atMs(dating)} AS at_ms FROM (SELECT update_id, segment, taken_ms FROM ${sourceOf(root, segments, "updates")}) u LEFT JOIN arrivals a ON a.update_id = u.update_id) WHERE at_ms >= ${Math.ceil(wanted.sinceMs)} ORDER BY at_ms DESC, update_id LIMIT ${wanted.most}`,
  );
  await engine.run("DROP TABLE arrivals");
  const times = new Map(rows.map(({ update_id, at_ms }) => [update_id, at_ms]));
  const named = new Set(rows.map(({ segment }) => segment));
  const found: LastUpdate[] = [];
  const some = segments.filter(({ id }) => named.has(id));
  for (const [id, sample] of await updatesOf(engine, root, some, [...times.keys()], wanted.causes)) {
    found.push({ sample, atMs: times.get(id) ?? 0 });
  }
  return found.sort((a, b) => a.atMs - b.atMs);
}

/** A cohort as it is added up. */
interface OpenCohort extends Omit<CountedUpdates, "last"> {
  readonly outcomes: Record<Outcome, number>;
  readonly defects: Record<"error" | "warning" | "note", number>;
  readonly complaints: Map<string, number>;
  readonly values: EqualValues[];
  firstAtMs: number | null;
  lastAtMs: number;
  lastId: string | null;
  lastSegment: string | null;
}

function cohortIn(open: Map<number, OpenCohort>, cohort: number): OpenCohort {
  const known = open.get(cohort);
  if (known !== undefined) return known;
  const made: OpenCohort = {
    outcomes: { completed: 0, "partly-restored": 0, aborted: 0, failed: 0, incomplete: 0 },
    defects: { error: 0, warning: 0, note: 0 },
    complaints: new Map(),
    values: [],
    firstAtMs: null,
    lastAtMs: Number.NEGATIVE_INFINITY,
    lastId: null,
    lastSegment: null,
  };
  open.set(cohort, made);
  return made;
}

const COHORT_COLUMNS = ["probe_level", "workload", "basis"] as const;
const OF_COHORT = `JOIN cohorts c ON ${COHORT_COLUMNS.map((name) => `c.${name} IS NOT DISTINCT FROM u.${name}`).join(" AND ")}`;

/** Numbers the cohorts, the largest first: what there is no room for has one number together. */
async function nameCohorts(
  engine: Engine,
  root: string,
  segments: readonly Segment[],
): Promise<ReadonlyMap<number, ReturnType<typeof fleetCohortOf>>> {
  const columns = COHORT_COLUMNS.join(", ");
  await engine.run(
    `CREATE OR REPLACE TEMP TABLE cohorts AS SELECT ${columns}, least(row_number() OVER (ORDER BY count(*) DESC, ${columns}), ${MOST_COHORTS + 1}) AS cohort FROM ${sourceOf(root, segments, "updates")} GROUP BY ${columns}`,
  );
  const rows = await engine.rows<{ cohort: number; probe_level: string; workload: string; basis: string }>(
    `SELECT * FROM cohorts WHERE cohort <= ${MOST_COHORTS}`,
  );
  return new Map(
    rows.map(({ cohort, probe_level: probeLevel, workload, basis }) => {
      const labels = workload === null ? {} : { workload };
      const sample = { probeLevel, labels, blackout: { basis } } as unknown as UpdateSample;
      return [cohort, fleetCohortOf(sample)];
    }),
  );
}

const atMs = ({ latestMs }: Dating): string =>
  `CASE WHEN u.taken_ms IS NULL OR u.taken_ms > ${Math.floor(latestMs)} THEN a.at_ms ELSE u.taken_ms END`;

async function countUpdates(engine: Engine, open: Map<number, OpenCohort>): Promise<number> {
  const rows = await engine.rows<
    Readonly<Record<string, number>> & { readonly outcome: Outcome; readonly id: string; readonly segment: string }
  >(
    "SELECT cohort, outcome, count(*) AS n, sum(defect_errors) AS errors, sum(defect_warnings) AS warnings, sum(defect_notes) AS notes, min(at_ms) AS first, max(at_ms) AS last, arg_max(update_id, at_ms) AS id, arg_max(segment, at_ms) AS segment FROM batch GROUP BY cohort, outcome",
  );
  let updates = 0;
  for (const { cohort = 0, outcome, n = 0, errors = 0, warnings = 0, notes = 0, first, last, id, segment } of rows) {
    const counted = cohortIn(open, cohort);
    updates += n;
    counted.outcomes[outcome] += n;
    counted.defects.error += errors;
    counted.defects.warning += warnings;
    counted.defects.note += notes;
    if (first === null || first === undefined || last === undefined) continue;
    counted.firstAtMs = Math.min(counted.firstAtMs ?? first, first);
    if (last < counted.lastAtMs) continue;
    counted.lastAtMs = last;
    counted.lastId = id;
    counted.lastSegment = segment;
  }
  return updates;
}

/** Most updates have no complaint, and equal ones are read once. */
async function countHealth(engine: Engine, open: Map<number, OpenCohort>): Promise<void> {
  const rows = await engine.rows<{ readonly cohort: number; readonly health: string; readonly n: number }>(
    "SELECT cohort, health, count(*) AS n FROM batch WHERE health IS NOT NULL AND health <> '[]' GROUP BY cohort, health",
  );
  for (const { cohort, health, n } of rows) countComplaints(cohortIn(open, cohort).complaints, healthOfText(health), n);
}

/** Metrics whose values are read in one pass. */
type Asked = readonly { readonly metric: number; readonly counted: Counted }[];

/** Phases are rows of one table. */
function readTogether(counted: readonly Counted[]): readonly Asked[] {
  const all = counted.map((each, metric) => ({ metric, counted: each }));
  const isPhase = ({ counted: { metric } }: { readonly counted: Counted }): boolean =>
    metric.kind === "phase" || metric.kind === "phase-work";
  return [all.filter(isPhase), ...all.filter((each) => !isPhase(each)).map((each) => [each])];
}

async function countValues(
  engine: Engine,
  root: string,
  batch: readonly Segment[],
  asked: Asked,
  open: Map<number, OpenCohort>,
): Promise<void> {
  const values = await valuesSql(engine, root, batch, asked);
  if (values === null) return;
  await engine.run(
    `CREATE OR REPLACE TEMP TABLE measured_values AS SELECT metric, cohort, v FROM (${values}) WHERE v IS NOT NULL`,
  );
  // Of several metrics the bounds of all: narrower groups than each would need.
  const bounds = [...new Set(asked.flatMap(({ counted }) => counted.boundsNs))].sort((a, b) => a - b);
  const bucket = `CASE ${bounds.map((bound, i) => `WHEN v <= ${bound} THEN ${i}`).join(" ")} ELSE ${bounds.length} END`;
  const native = `CASE WHEN v > 0 THEN ceil(log2(v / 1e9) * ${2 ** NATIVE_SCHEMA}) END`;
  const rows = await engine.rows<Readonly<Record<"metric" | "cohort" | "n" | "total" | "low" | "high", number>>>(
    `SELECT metric, cohort, count(*) AS n, sum(v) AS total, min(v) AS low, max(v) AS high FROM measured_values GROUP BY metric, cohort, ${bucket}, ${native}`,
  );
  for (const { metric, cohort, n, total, low, high } of rows) {
    const { values: found } = cohortIn(open, cohort);
    if (bucketOf(low, bounds) === bucketOf(high, bounds) && nativeBucketOf(low) === nativeBucketOf(high)) {
      found.push({ metric, ns: low, count: n, sumNs: total });
      continue;
    }
    // The rounding of the engine's logarithm is unspecified: values next to a bound are decided one by one.
    const each = await engine.rows<{ v: number; n: number }>(
      `SELECT v, count(*) AS n FROM measured_values WHERE metric = ${metric} AND cohort = ${cohort} AND v BETWEEN ${low} AND ${high} AND ${native} IS NOT DISTINCT FROM (SELECT ${native} FROM (SELECT ${low} AS v)) GROUP BY v`,
    );
    for (const { v, n: times } of each) found.push({ metric, ns: v, count: times, sumNs: v * times });
  }
}

/** Of each measured update (`isMeasured`) `metric`, `cohort` and `v`, ns; null if the batch has none. */
async function valuesSql(
  engine: Engine,
  root: string,
  batch: readonly Segment[],
  asked: Asked,
): Promise<string | null> {
  const [first] = asked;
  if (first === undefined) return null;
  const { metric } = first.counted;
  // Archives of earlier versions hold durations that are no longer taken from a sample (model/trusted-durations.ts).
  const codes = DOUBTED_CODES.map(sqlText).join(", ");
  const doubted = batch.some(({ files }) => files.some((file) => file.table === "defects"))
    ? ` AND update_id NOT IN (SELECT update_id FROM ${sourceOf(root, batch, "defects")} WHERE severity = 'error' AND code IN (${codes}) AND basis IS DISTINCT FROM 'guest-ticks')`
    : "";
  const measured = `batch WHERE outcome = 'completed' AND blackout_ns >= 0${doubted}`;
  const joined = (rows: string): string =>
    `SELECT r.metric, b.cohort, r.v FROM (${rows}) r JOIN (SELECT update_id, cohort FROM ${measured}) b USING (update_id)`;
  const has = (table: TableName): boolean => batch.some(({ files }) => files.some((file) => file.table === table));
  switch (metric.kind) {
    case "blackout":
      return `SELECT ${first.metric} AS metric, cohort, blackout_ns AS v FROM ${measured}`;
    case "phase":
    case "phase-work": {
      if (!has("phases")) return null;
      const places = asked.map(({ metric: place, counted }) => {
        return `WHEN ${sqlText(metricName(counted.metric))} THEN ${place}`;
      });
      const source = sourceOf(root, batch, "phases");
      return `${joined(`SELECT update_id, CASE phase ${places.join(" ")} END AS metric, duration_ns AS v FROM ${source}`)} WHERE r.metric IS NOT NULL`;
    }
    case "vm-blackout":
      if (!has("vms")) return null;
      return joined(
        `SELECT update_id, ${first.metric} AS metric, max(duration_ns) AS v FROM ${sourceOf(root, batch, "vms")} GROUP BY update_id`,
      );
    case "cause":
    case "causes": {
      const known = `(SELECT update_id, cohort FROM ${measured} AND causes IS NOT NULL AND detail = 'causes')`;
      if (!has("causes")) return `SELECT ${first.metric} AS metric, cohort, 0 AS v FROM ${known}`;
      const source = sourceOf(root, batch, "causes");
      const kind = sqlText(metric.kind === "cause" ? metric.cause : metric.selector.cause);
      const all = await engine.rows<CauseRow>(
        `SELECT DISTINCT kind, cause, driver, part FROM ${source} WHERE kind = ${kind}`,
      );
      const named = all.filter((row) => isOf(row, metric));
      await engine.createTable("named", [
        { name: "cause", kind: "text", values: named.map(({ cause }) => cause) },
        { name: "driver", kind: "text", values: named.map(({ driver }) => driver) },
        { name: "part", kind: "text", values: named.map(({ part }) => part) },
      ]);
      const taken = `SELECT update_id, sum(duration_ns) AS v FROM ${source} r SEMI JOIN named n ON r.cause = n.cause AND r.driver = n.driver AND r.part IS NOT DISTINCT FROM n.part WHERE r.kind = ${kind} GROUP BY update_id`;
      // One in which the cause did not run has zero.
      return `SELECT ${first.metric} AS metric, b.cohort, coalesce(r.v, 0) AS v FROM ${known} b LEFT JOIN (${taken}) r USING (update_id)`;
    }
  }
}

interface CauseRow {
  readonly kind: CauseKind;
  readonly cause: string;
  readonly driver: string;
  readonly part: string | null;
}

function isOf(
  { kind, cause, driver, part }: CauseRow,
  metric: Metric & { readonly kind: "cause" | "causes" },
): boolean {
  if (metric.kind === "cause") return kind === metric.cause && cause === metric.id;
  const { selector } = metric;
  return (
    isNamed({ kind, id: cause, detail: driver }, selector) && (selector.action === null || part === selector.action)
  );
}

async function latestOfCohorts(
  engine: Engine,
  root: string,
  segments: readonly Segment[],
  open: ReadonlyMap<number, OpenCohort>,
): Promise<ReadonlyMap<string, UpdateSample>> {
  const named = new Set([...open.values()].map(({ lastSegment }) => lastSegment));
  const ids = [...open.values()].flatMap(({ lastId }) => lastId ?? []);
  return await updatesOf(
    engine,
    root,
    segments.filter(({ id }) => named.has(id)),
    ids,
    false,
  );
}

async function updatesOf(
  engine: Engine,
  root: string,
  segments: readonly Segment[],
  ids: readonly string[],
  causes: boolean,
): Promise<ReadonlyMap<string, UpdateSample>> {
  await engine.createTable("wanted_updates", [{ name: "update_id", kind: "text", values: ids }]);
  const found = new Map<string, UpdateSample>();
  const where = "update_id IN (SELECT update_id FROM wanted_updates)";
  for await (const some of streamUpdates(engine, root, segments, where, causes ? "causes" : "no-causes")) {
    for (const { id, sample } of some) found.set(id, sample);
  }
  await engine.run("DROP TABLE wanted_updates");
  return found;
}

function sourceOf(root: string, segments: readonly Segment[], table: TableName): string {
  return parquetRows(filesOf(root, segments, table), table);
}

function batches(segments: readonly Segment[]): readonly (readonly Segment[])[] {
  const all: Segment[][] = [];
  let size = Number.POSITIVE_INFINITY;
  for (const segment of segments) {
    if (size + segment.updates > AT_ONCE.updates || all.at(-1)?.length === AT_ONCE.segments) {
      all.push([]);
      size = 0;
    }
    all.at(-1)?.push(segment);
    size += segment.updates;
  }
  return all;
}
