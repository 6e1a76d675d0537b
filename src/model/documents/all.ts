/** Every document that has a schema in docs/. */
import type { DocumentSchema } from "../../base/schema.js";
import { liveUpdateSchema } from "../live-update.js";
import { updateSampleSchema } from "../update-sample.js";
import { blameSchema, criticalChainSchema, findingsSchema, treeSchema, whatIfSchema } from "./attribution.js";
import { budgetSchema } from "./budget.js";
import { comparisonSchema } from "./comparison.js";
import { eventSchema } from "./event.js";
import { gateSchema } from "./gate.js";
import { guestSchema } from "./guest.js";
import { historySchema } from "./history.js";
import { percentilesSchema } from "./percentiles.js";
import { qualifySchema } from "./qualify.js";
import { sessionsSchema } from "./sessions.js";

export const DOCUMENT_SCHEMAS: readonly DocumentSchema<unknown>[] = [
  blameSchema,
  budgetSchema,
  comparisonSchema,
  criticalChainSchema,
  eventSchema,
  findingsSchema,
  gateSchema,
  guestSchema,
  historySchema,
  liveUpdateSchema,
  percentilesSchema,
  qualifySchema,
  sessionsSchema,
  treeSchema,
  updateSampleSchema,
  whatIfSchema,
];
