/** The commands there are, in the order the help lists them. */
import { analyze } from "./analyze.js";
import { archive } from "./archive.js";
import { blame } from "./blame.js";
import { cohort } from "./cohort.js";
import type { Command } from "./command.js";
import { compare } from "./compare.js";
import { convert } from "./convert.js";
import { criticalChain } from "./critical-chain.js";
import { doctor } from "./doctor.js";
import { events } from "./events.js";
import { findings } from "./findings.js";
import { gate } from "./gate.js";
import { guest } from "./guest.js";
import { history } from "./history.js";
import { lab } from "./lab.js";
import { metrics } from "./metrics.js";
import { open } from "./open.js";
import { percentiles } from "./percentiles.js";
import { perfetto } from "./perfetto.js";
import { qualify } from "./qualify.js";
import { query } from "./query.js";
import { record } from "./record.js";
import { report } from "./report.js";
import { rules } from "./rules.js";
import { serve } from "./serve.js";
import { sessions } from "./sessions.js";
import { tree } from "./tree.js";
import { watch } from "./watch.js";
import { whatIf } from "./what-if.js";

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
