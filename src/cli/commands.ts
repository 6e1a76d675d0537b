/** The commands there are, in the order the help lists them. */
import { analyze } from "./analyze.js";
import type { Command } from "./command.js";
import { perfetto } from "./perfetto.js";
import { report } from "./report.js";

export const commands: readonly Command[] = [analyze, report, perfetto];
