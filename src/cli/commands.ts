/** The commands there are, in the order the help lists them. */
import type { Command } from "./command.js";

export const commands: readonly Command[] = [];
