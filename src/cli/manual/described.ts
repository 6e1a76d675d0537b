/** Everything that the manual and the completions are written from: the commands' own declarations. */
import type { Command, CommandEntry } from "../frame/command.js";
import { commonOptions } from "../frame/command-run.js";
import type { Option } from "../frame/options.js";

export interface Described {
  readonly entry: CommandEntry;
  readonly command: Command;
  /** The command's own options, then the common ones. */
  readonly options: readonly DescribedOption[];
}

export interface DescribedOption {
  readonly name: string;
  readonly option: Option<unknown>;
  /** As typed: `-o`, `--output`. */
  readonly spellings: readonly string[];
  /** Whether its value is a path, so that a shell completes it as one. */
  readonly isPath: boolean;
}

/** How the help names values that are paths. */
const PATH_VALUES = new Set(["FILE", "DIR", "FOLDER", "ARCHIVE", "BZIMAGE", "COHORT", "TAR"]);

export async function describe(entries: readonly CommandEntry[]): Promise<readonly Described[]> {
  return await Promise.all(
    entries.map(async (entry) => {
      const command = await entry.load();
      return { entry, command, options: describeOptions({ ...command.options, ...commonOptions }) };
    }),
  );
}

export function describeOptions(options: Readonly<Record<string, Option<unknown>>>): readonly DescribedOption[] {
  return Object.entries(options).map(([name, option]) => ({
    name,
    option,
    spellings: [...(option.short === null ? [] : [`-${option.short}`]), `--${name}`],
    isPath: option.valueName !== null && PATH_VALUES.has(option.valueName),
  }));
}
