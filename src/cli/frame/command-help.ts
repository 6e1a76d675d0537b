/** The help, made from the commands' own descriptions. Pure: text out. */

import type { TerminalPalette } from "../terminal/terminal-style.js";
import { leftColumn, renderTable } from "../terminal/terminal-table.js";
import { displayWidth, wrap } from "../terminal/terminal-text.js";
import { type Command, type CommandEntry, commonExitCodes, type Example, type ExitCode } from "./command.js";
import type { Option, Options, Positionals } from "./options.js";

export interface HelpLayout {
  readonly palette: TerminalPalette;
  /** Columns of the terminal, or null. */
  readonly width: number | null;
}

/** Prose is hard to read in longer lines, however wide the terminal. */
const widestProse = 100;
const indent = 2;

/** `blackout --help` */
export function mainHelp(
  summary: string,
  commands: readonly CommandEntry[],
  common: Options,
  examples: readonly Example[],
  layout: HelpLayout,
): string {
  const groups = new Map<string, CommandEntry[]>();
  for (const command of commands) groups.set(command.group, [...(groups.get(command.group) ?? []), command]);
  const nameWidth = Math.max(0, ...commands.map((command) => command.name.length));
  return [
    `${layout.palette.heading("Usage:")} blackout COMMAND [OPTION]... [ARGUMENT]...\n`,
    paragraphs(summary, layout),
    ...[...groups].map(([group, members]) =>
      section(
        group,
        pairs(
          members.map(({ name, summary }) => [name.padEnd(nameWidth), summary]),
          layout,
        ),
        layout,
      ),
    ),
    section("Options", optionList(common, layout), layout),
    section("Examples", exampleList(examples, layout), layout),
    section("Exit codes", exitCodeList(commonExitCodes, layout), layout),
    `Run ${layout.palette.accent("blackout COMMAND --help")} for a command's options and examples. Terms are defined in docs/glossary.md.\n`,
  ]
    .filter((part) => part !== "")
    .join("\n");
}

/** `blackout NAME --help` */
export function commandHelp(name: string, command: Command, common: Options, layout: HelpLayout): string {
  const exitCodes = exitCodesOf(command);
  const positionals = Object.entries(command.positionals).map(
    ([name, { summary }]): Pair => [name.toUpperCase(), summary],
  );
  return [
    `${layout.palette.heading("Usage:")} blackout ${name} ${usageOf(command)}\n`,
    paragraphs(command.description, layout),
    section("Arguments", pairs(positionals, layout), layout),
    section("Options", optionList({ ...command.options, ...common }, layout), layout),
    section("Examples", exampleList(command.examples, layout), layout),
    section("Exit codes", exitCodeList(exitCodes, layout), layout),
  ]
    .filter((part) => part !== "")
    .join("\n");
}

/** The exit codes of a command, in order: its own meaning of a code replaces the common one. */
export function exitCodesOf(command: Command): readonly ExitCode[] {
  const own = new Set(command.exitCodes.map(({ code }) => code));
  const all = [...commonExitCodes.filter(({ code }) => !own.has(code)), ...command.exitCodes];
  return all.sort((a, b) => a.code - b.code);
}

/** What follows the command's name: `[OPTION]... CAPTURE [OTHER]...`. */
export function usageOf(command: Command): string {
  return command.usage ?? ["[OPTION]...", positionalUsage(command.positionals)].filter((part) => part !== "").join(" ");
}

function positionalUsage(positionals: Positionals): string {
  return Object.entries(positionals)
    .map(([name, { min, max }]) => {
      const one = min === 0 ? `[${name.toUpperCase()}]` : name.toUpperCase();
      return max > 1 ? `${one}...` : one;
    })
    .join(" ");
}

type Pair = readonly [term: string, meaning: string];

function section(title: string, body: string, { palette }: HelpLayout): string {
  return body === "" ? "" : `${palette.heading(`${title}:`)}\n${body}`;
}

function proseWidth({ width }: HelpLayout): number {
  return Math.min(width ?? widestProse, widestProse);
}

function paragraphs(prose: string, layout: HelpLayout): string {
  return wrap(prose, proseWidth(layout))
    .map((line) => `${line}\n`)
    .join("");
}

/** Terms on the left, their meanings on the right, wrapped in their own column. */
function pairs(list: readonly Pair[], layout: HelpLayout): string {
  const termWidth = Math.max(0, ...list.map(([term]) => displayWidth(term)));
  const meaningWidth = Math.max(24, proseWidth(layout) - indent - termWidth - 2);
  const rows = list.flatMap(([term, meaning]) =>
    wrap(meaning, meaningWidth).map((line, i) => [{ text: i === 0 ? term : "", style: "accent" as const }, line]),
  );
  const columns = [leftColumn(""), leftColumn("")];
  return renderTable(columns, rows, { width: null, palette: layout.palette, indent });
}

function optionList(options: Options, layout: HelpLayout): string {
  return pairs(
    Object.entries(options).map(([name, option]) => [optionTerm(name, option), optionMeaning(option)]),
    layout,
  );
}

function optionTerm(name: string, option: Option<unknown>): string {
  const short = option.short === null ? "    " : `-${option.short}, `;
  return `${short}--${name}${option.valueName === null ? "" : ` ${option.valueName}`}`;
}

export function optionMeaning(option: Option<unknown>): string {
  const notes = [
    option.choices.length > 0 ? option.expected : "",
    option.required ? "required" : "",
    option.repeated ? "may be repeated" : "",
    option.defaultText === null ? "" : `default: ${option.defaultText}`,
  ].filter((note) => note !== "");
  return notes.length === 0 ? option.summary : `${option.summary} (${notes.join("; ")})`;
}

function exampleList(examples: readonly Example[], layout: HelpLayout): string {
  return examples
    .map(({ command, what }) => {
      const lines = wrap(what, proseWidth(layout) - 2 * indent).map((line) => `${" ".repeat(2 * indent)}${line}\n`);
      return `${" ".repeat(indent)}${layout.palette.accent(command)}\n${lines.join("")}`;
    })
    .join("");
}

function exitCodeList(exitCodes: readonly ExitCode[], layout: HelpLayout): string {
  const ordered = [...exitCodes].sort((a, b) => a.code - b.code);
  return pairs(
    ordered.map(({ code, meaning }) => [String(code).padStart(2), meaning]),
    layout,
  );
}
