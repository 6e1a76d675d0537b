/** The commands there are, in the order the help lists them. */

import { archive } from "./archive/archive.js";
import { query } from "./archive/query.js";
import { cohort } from "./cohort/cohort.js";
import { compare } from "./cohort/compare.js";
import { gate } from "./cohort/gate.js";
import { history } from "./cohort/history.js";
import { percentiles } from "./cohort/percentiles.js";
import { qualify } from "./cohort/qualify.js";
import { metrics } from "./fleet/metrics.js";
import { rules } from "./fleet/rules.js";
import { watch } from "./fleet/watch.js";
import type { Command } from "./frame/command.js";
import { doctor } from "./recording/doctor.js";
import { lab } from "./recording/lab.js";
import { record } from "./recording/record.js";
import { convert } from "./trace/convert.js";
import { events } from "./trace/events.js";
import { analyze } from "./update/analyze.js";
import { blame } from "./update/blame.js";
import { criticalChain } from "./update/critical-chain.js";
import { findings } from "./update/findings.js";
import { guest } from "./update/guest.js";
import { perfetto } from "./update/perfetto.js";
import { report } from "./update/report.js";
import { sessions } from "./update/sessions.js";
import { tree } from "./update/tree.js";
import { whatIf } from "./update/what-if.js";
import { open } from "./web/open.js";
import { serve } from "./web/serve.js";

export const commands: readonly Command[] = [
  analyze,
  findings,
  blame,
  tree,
  criticalChain,
  whatIf,
  sessions,
  guest,
  events,
  report,
  perfetto,
  convert,
  open,
  serve,
  percentiles,
  compare,
  gate,
  history,
  qualify,
  cohort,
  doctor,
  record,
  lab,
  archive,
  query,
  watch,
  rules,
  metrics,
];
