/** From arguments to an exit code: finds the command, parses its options, runs it, and speaks for it when it fails. */
import { MissingPackage } from "../../base/missing-package.js";
import { escapeControls } from "../../base/text/controls.js";
import { didYouMean } from "../../base/text/suggest.js";
import { type CommandEntry, type Context, type Example, exit, fail } from "./command.js";
import { contextOf, type Surroundings } from "./command-context.js";
import { commandHelp, mainHelp } from "./command-help.js";
import { flagOption, type Options } from "./options.js";
import { asksForHelp, parseArguments } from "./options-parse.js";

/** Taken by every command, and before a command's name. */
export const commonOptions = {
  "no-color": flagOption("print without colour, as NO_COLOR=1 does"),
  help: flagOption("print this help", "h"),
} as const satisfies Options;

export const mainOptions = { ...commonOptions, version: flagOption("print the version") } as const satisfies Options;

export const mainSummary = `Profiles the blackout window of a Linux live update: how long the virtual machines stood still \
across the kexec, where that time went, whether it is getting worse, and what to fix first.`;

/** Written out here, so that \`blackout --help\` imports no command. */
export const mainExamples: readonly Example[] = [
  { command: "blackout analyze traces/plain.tar.gz", what: "Print the blackout and the phases of one live update" },
  { command: "blackout findings traces/plain.tar.gz", what: "List what is worth fixing" },
  { command: "blackout open traces/plain.tar.gz", what: "Show a live update in the Perfetto UI" },
  { command: "blackout percentiles traces/cohorts/base", what: "Print percentiles over ten updates" },
  {
    command: "blackout compare traces/cohorts/base traces/cohorts/devices",
    what: "Find out whether updates got slower, and why",
  },
  { command: "blackout gate traces/cohorts/base --budget examples/budget.yaml", what: "Check a budget in CI" },
];

/**
 * Runs blackout as `argv` (without node and the script) asks; resolves to the exit code and never rejects. The only
 * effects are those of the command, and writes to the surroundings' two streams.
 */
export async function runCli(
  argv: readonly string[],
  surroundings: Surroundings,
  commands: readonly CommandEntry[],
): Promise<number> {
  const nameAt = argv.findIndex((arg) => !arg.startsWith("-"));
  const leading = nameAt < 0 ? argv : argv.slice(0, nameAt);
  const rest = nameAt < 0 ? [] : argv.slice(nameAt + 1);
  const before = parseArguments(mainOptions, {}, leading);
  const noColour = before.ok ? before.value.options["no-color"] : false;
  const context = contextOf(surroundings, { noColour, forProgram: false });
  if (!before.ok && !asksForHelp(leading)) {
    const hint = nameAt < 0 ? "" : " (a command's options come after its name)";
    return refuse(context, `${before.error}${hint}`, null);
  }
  if (before.ok && before.value.options.version) {
    context.stdout.write(`blackout ${surroundings.version}\n`);
    return exit.success;
  }

  const word = argv[nameAt];
  if (asksForHelp(leading) || word === undefined || word === "help") {
    return await help(
      context,
      word === undefined ? undefined : rest.find((arg) => !arg.startsWith("-")),
      word,
      argv,
      commands,
    );
  }
  const entry = commands.find(({ name }) => name === word);
  if (entry === undefined) return refuse(context, unknownCommand(word, commands), null);
  const command = await entry.load();
  if (asksForHelp(rest)) {
    const shown = contextOf(surroundings, { noColour: noColour || rest.includes("--no-color"), forProgram: false });
    shown.stdout.write(commandHelp(entry.name, command, commonOptions, { palette: shown.colour, width: shown.width }));
    return exit.success;
  }

  const parsed = parseArguments({ ...command.options, ...commonOptions }, command.positionals, rest);
  if (!parsed.ok) return refuse(context, parsed.error, entry.name);
  const options: Readonly<Record<string, unknown>> = parsed.value.options;
  const commandContext = contextOf(surroundings, {
    noColour: noColour || parsed.value.options["no-color"],
    forProgram: options.json === true,
    forCi: options.github === true,
  });
  try {
    return await command.run(commandContext, parsed.value);
  } catch (thrown) {
    if (thrown instanceof MissingPackage) {
      return fail(commandContext, thrown.message, exit.missingPackage);
    }
    const debug = surroundings.env.BLACKOUT_DEBUG === "1";
    commandContext.stderr.write(bugReport(thrown, `'${entry.name}'`, surroundings.version, debug));
    return exit.bug;
  }
}

/** `blackout`, `blackout --help`, `blackout help [COMMAND]`, `blackout --help COMMAND`. */
async function help(
  context: Context,
  named: string | undefined,
  word: string | undefined,
  argv: readonly string[],
  commands: readonly CommandEntry[],
): Promise<number> {
  const wanted = word === undefined || word === "help" ? named : word;
  const layout = { palette: context.colour, width: context.width };
  if (wanted !== undefined) {
    const entry = commands.find(({ name }) => name === wanted);
    if (entry === undefined) return refuse(context, unknownCommand(wanted, commands), null);
    context.stdout.write(commandHelp(entry.name, await entry.load(), commonOptions, layout));
    return exit.success;
  }
  const asked = word === "help" || asksForHelp(argv);
  // Nothing was asked: the help is then a complaint, and must not end up in a file as if it were an answer.
  const output = asked ? context.stdout : context.stderr;
  const palette = asked ? context.colour : context.errorColour;
  output.write(mainHelp(mainSummary, commands, mainOptions, mainExamples, { ...layout, palette }));
  return asked ? exit.success : exit.usage;
}

function unknownCommand(word: string, commands: readonly CommandEntry[]): string {
  const names = commands.map(({ name }) => name);
  return `unknown command ${escapeControls(word.slice(0, 60))}${didYouMean(word, names)}`;
}

function refuse(context: Context, message: string, command: string | null): number {
  const helpFor = command === null ? "blackout --help" : `blackout ${command} --help`;
  const { bad, accent } = context.errorColour;
  context.stderr.write(`${bad("blackout:")} ${message}\nTry ${accent(helpFor)}.\n`);
  return exit.usage;
}

/** The message for an unexpected exception. It has the stack only if BLACKOUT_DEBUG=1. */
export function bugReport(thrown: unknown, doing: string, version: string, debug: boolean): string {
  const reason = thrown instanceof Error ? thrown.message : String(thrown);
  const stack = debug && thrown instanceof Error ? (thrown.stack ?? "") : "";
  return [
    `blackout: a bug in blackout ${version} stopped ${doing}: ${escapeControls(reason)}`,
    "Please report it with the command line, the output of 'blackout --version' and 'node --version' and, if you may",
    `share it, the capture.${debug ? "" : " BLACKOUT_DEBUG=1 prints the stack too."}`,
    ...stack.split("\n").map(escapeControls),
  ]
    .map((line) => (line === "" ? "" : `${line}\n`))
    .join("");
}
