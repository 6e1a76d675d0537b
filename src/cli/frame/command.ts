/** A command and its context. A command's file exports one; `commands.ts` lists them and imports each on demand. */

import { escapeControls } from "../../base/text/controls.js";
import type { TerminalPalette } from "../terminal/terminal-style.js";
import type { Options, Positionals } from "./options.js";
import type { Parsed } from "./options-parse.js";
import type { Progress } from "./progress.js";

/**
 * Exit codes that every command shares; 69, 70 and 74 are EX_UNAVAILABLE, EX_SOFTWARE and EX_IOERR of sysexits.h(3).
 * 1 is left to commands that judge.
 */
export const exit = { success: 0, usage: 2, unusableInput: 3, missingPackage: 69, bug: 70, output: 74 } as const;

export interface ExitCode {
  readonly code: number;
  readonly meaning: string;
}

export const commonExitCodes: readonly ExitCode[] = [
  { code: exit.success, meaning: "success" },
  { code: exit.usage, meaning: "wrong usage" },
  { code: exit.unusableInput, meaning: "unusable input" },
  { code: exit.missingPackage, meaning: "a required optional package is not installed" },
  { code: exit.bug, meaning: "a bug in blackout" },
  { code: exit.output, meaning: "standard output cannot be written" },
];

export interface Writer {
  write(data: string | Uint8Array): void;
  /** Whether its reader has left: what is written from then on is dropped, and a long answer may stop. */
  readonly closed: boolean;
}

/** What a command may touch of the world beyond files. */
export interface Context {
  /** Answers only. */
  readonly stdout: Writer;
  /** Messages about the answer: warnings, errors, where a file was written. */
  readonly stderr: Writer;
  /** Standard output for commands to a CI system that are ours: elsewhere what looks like one is escaped. */
  readonly annotations: Writer;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Whether stdout is a terminal. */
  readonly isTerminal: boolean;
  /** Colour for stdout, by meaning; it paints nothing if colour is not wanted. */
  readonly colour: TerminalPalette;
  /** The same for stderr, which may be a terminal where stdout is not. */
  readonly errorColour: TerminalPalette;
  /** Columns of the terminal behind stdout; null if stdout is not a terminal, so that nothing needs cutting. */
  readonly width: number | null;
  /** Version of blackout. */
  readonly version: string;
  /** Shows what is being done, if someone is watching (both streams a terminal, no --json); else does nothing. */
  progress(label: string, total?: number): Progress;
}

/** A command in the list of commands. Its module is imported only if the command runs or its help is printed. */
export interface CommandEntry {
  /** One lower-case word, or several with hyphens. */
  readonly name: string;
  /** The heading it stands under in `blackout --help`. */
  readonly group: string;
  /** One line without a full stop, for the list of commands. */
  readonly summary: string;
  load(): Promise<Command>;
}

export interface Example {
  readonly command: string;
  readonly what: string;
}

export interface Command<O extends Options = Options, P extends Positionals = Positionals> {
  /** After `blackout NAME`; null: made from the positionals. */
  readonly usage: string | null;
  /** Paragraphs, separated by newlines; wrapped when shown. */
  readonly description: string;
  readonly options: O;
  readonly positionals: P;
  readonly examples: readonly Example[];
  /** Those of its own, beyond `commonExitCodes`; the same code here replaces the common meaning. */
  readonly exitCodes: readonly ExitCode[];
  /** Resolves to the exit code. What it throws is a bug; bad input is answered with `unusable` or `misused`. */
  run(context: Context, parsed: Parsed<O, P>): Promise<number>;
}

/** Gives a command's `run` the types that follow from its options and positionals, and forgets them for the list. */
export function defineCommand<const O extends Options, const P extends Positionals>(command: Command<O, P>): Command {
  return command as unknown as Command;
}

/** Says why the input cannot be used (what was found, where, what was expected, what to do); returns the exit code. */
export function unusable(context: Context, message: string): number {
  return fail(context, message, exit.unusableInput);
}

/** Says what is wrong with the command line, when only the command itself can know; returns the exit code. */
export function misused(context: Context, message: string): number {
  return fail(context, message, exit.usage);
}

/** Says what the answer does not rest on, but its reader should know. */
export function warn(context: Context, message: string): void {
  complain(context, context.errorColour.warning("warning:"), message);
}

/** Prints why a command ends without an answer, and returns the exit code. */
export function fail(context: Context, message: string, code: number): number {
  complain(context, context.errorColour.bad("blackout:"), message);
  return code;
}

function complain(context: Context, label: string, message: string): void {
  const text = message.split("\n").map(escapeControls).join("\n");
  context.stderr.write(`${label} ${text}\n`);
}
