/** Manual pages in man(7)'s macros, from the commands' declarations. Pure: text out. */
import { type CommandEntry, commonExitCodes, type Example, type ExitCode } from "../frame/command.js";
import { exitCodesOf, optionMeaning, usageOf } from "../frame/command-help.js";
import type { Described, DescribedOption } from "./described.js";

export interface ManPage {
  /** As `blackout-gate.1`. */
  readonly file: string;
  readonly text: string;
}

/** What blackout(1) has beyond the list of commands. */
export interface MainPage {
  readonly version: string;
  readonly summary: string;
  readonly options: readonly DescribedOption[];
  readonly examples: readonly Example[];
}

const ENVIRONMENT: readonly (readonly [string, string])[] = [
  ["NO_COLOR", "If set, print without colour."],
  ["BLACKOUT_DEBUG", "If 1, a bug report contains the stack."],
  ["CLICKHOUSE_PASSWORD", "Password of blackout archive push."],
];

/** blackout(1), and a page for each command. */
export function manPages(main: MainPage, commands: readonly Described[]): readonly ManPage[] {
  return [mainPage(main, commands), ...commands.map((each) => commandPage(main.version, each))];
}

function mainPage({ version, summary, options, examples }: MainPage, commands: readonly Described[]): ManPage {
  const groups = new Map<string, CommandEntry[]>();
  for (const { entry } of commands) groups.set(entry.group, [...(groups.get(entry.group) ?? []), entry]);
  const list = [...groups].flatMap(([group, members]) => [
    `.SS ${escaped(group)}`,
    ...members.map(({ name, summary: what }) => tagged(`.BR blackout-${dashed(name)} (1)`, what)),
  ]);
  const text = [
    heading("BLACKOUT", version),
    ".SH NAME",
    "blackout \\- profile the blackout window of a Linux live update",
    ".SH SYNOPSIS",
    ".B blackout",
    escaped("COMMAND [OPTION]... [ARGUMENT]..."),
    ".SH DESCRIPTION",
    paragraphs(summary),
    ".SH COMMANDS",
    ...list,
    section("OPTIONS", options.map(optionItem)),
    section(
      "ENVIRONMENT",
      ENVIRONMENT.map(([name, meaning]) => tagged(`.B ${name}`, meaning)),
    ),
    section("EXAMPLES", examples.map(exampleItem)),
    section("EXIT STATUS", commonExitCodes.map(exitCodeItem)),
    ".SH SEE ALSO",
    ".BR trace-cmd (1),",
    ".BR systemd-analyze (1),",
    ".BR kexec (8)",
  ];
  return { file: "blackout.1", text: joined(text) };
}

function commandPage(version: string, { entry, command, options }: Described): ManPage {
  const positionals = Object.entries(command.positionals);
  const text = [
    heading(`BLACKOUT-${entry.name.toUpperCase()}`, version),
    ".SH NAME",
    `blackout-${dashed(entry.name)} \\- ${escaped(lowered(entry.summary))}`,
    ".SH SYNOPSIS",
    `.B blackout ${dashed(entry.name)}`,
    escaped(usageOf(command)),
    ".SH DESCRIPTION",
    paragraphs(command.description),
    section(
      "ARGUMENTS",
      positionals.map(([name, { summary }]) => tagged(`.I ${dashed(name.toUpperCase())}`, summary)),
    ),
    section("OPTIONS", options.map(optionItem)),
    section("EXAMPLES", command.examples.map(exampleItem)),
    section("EXIT STATUS", exitCodesOf(command).map(exitCodeItem)),
    ".SH SEE ALSO",
    ".BR blackout (1)",
  ];
  return { file: `blackout-${entry.name}.1`, text: joined(text) };
}

/** No date: the same sources make the same page. */
function heading(title: string, version: string): string {
  return `.TH ${dashed(title)} 1 "" "blackout ${escaped(version)}" "blackout"`;
}

function section(title: string, items: readonly string[]): string {
  return items.length === 0 ? "" : [`.SH ${title}`, ...items].join("\n");
}

function optionItem({ spellings, option }: DescribedOption): string {
  const names = spellings.map((each) => `\\fB${dashed(each)}\\fR`).join(", ");
  const value = option.valueName === null ? "" : ` \\fI${dashed(option.valueName)}\\fR`;
  return tagged(`${names}${value}`, optionMeaning(option));
}

function exampleItem({ command, what }: Example): string {
  return [".PP", escaped(`${what}:`), ".PP", ".nf", ".RS 4", escaped(command), ".RE", ".fi"].join("\n");
}

function exitCodeItem({ code, meaning }: ExitCode): string {
  return tagged(`.B ${code}`, meaning);
}

function tagged(tag: string, meaning: string): string {
  return [".TP", tag, escaped(meaning)].join("\n");
}

function paragraphs(prose: string): string {
  return prose
    .split("\n")
    .filter((each) => each.trim() !== "")
    .map(escaped)
    .join("\n.PP\n");
}

function joined(parts: readonly string[]): string {
  return `${parts.filter((part) => part !== "").join("\n")}\n`;
}

/** Text as roff prints it unchanged: backslash, hyphen, quotes, caret, tilde and a leading dot have meanings there. */
function escaped(text: string): string {
  return dashed(text.replaceAll("\\", "\\e"))
    .replaceAll("^", "\\(ha")
    .replaceAll("~", "\\(ti")
    .replaceAll("`", "\\(ga")
    .replaceAll("'", "\\(aq")
    .replace(/^\./, "\\&.");
}

/** A hyphen that stays a minus, so that an option can be copied from the page. */
function dashed(text: string): string {
  return text.replaceAll("-", "\\-");
}

function lowered(summary: string): string {
  return /^[A-Z][a-z]/.test(summary) ? summary.charAt(0).toLowerCase() + summary.slice(1) : summary;
}
