/** What other programs import from the package (docs/api.md). Names here are stable within a major version. */

export type { FindingsDocument } from "../model/documents/attribution.js";
export type { Comparison } from "../model/documents/comparison.js";
export type { EventDocument } from "../model/documents/event.js";
export type { GateDocument } from "../model/documents/gate.js";
export type { LiveUpdateDocument } from "../model/live-update.js";
export type { UpdateSample } from "../model/update-sample.js";
export type { CohortUpdate, CompareCohortsOptions, GateOptions, ReadUpdatesOptions } from "./cohorts.js";
export {
  type CohortInput,
  compareTwo as compare,
  gateCohort as gate,
  updatesOfCohort as readUpdates,
} from "./cohorts.js";
export { BlackoutProblem, type ReadOptions } from "./problem.js";
export { openAnyTrace as openTrace, type ReadEventsOptions, type Trace, type TraceDefect } from "./traces.js";
export { analyzeCapture as analyze, findingsOfCapture as findings } from "./updates.js";
