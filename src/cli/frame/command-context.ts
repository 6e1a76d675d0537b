/** Makes a command's context from what the process was given. */

import { escapeInvisible } from "../../base/text/controls.js";
import { ciEscaper, isCi } from "../terminal/ci-log.js";
import { colourful, plain, wantsColour } from "../terminal/terminal-style.js";
import type { Context, Writer } from "./command.js";
import { type ProgressLine, progressLine, silentProgress } from "./progress.js";

/** One output stream. */
export interface Output extends Writer {
  readonly isTerminal: boolean;
  /** Columns of the terminal; null if it is not one, or does not report them. */
  readonly columns: number | null;
}

/** Everything of the process that the command line looks at. */
export interface Surroundings {
  readonly stdout: Output;
  readonly stderr: Output;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly version: string;
  /** A steady clock in milliseconds. */
  readonly nowMs: () => number;
}

export interface ContextChoices {
  /** --no-color */
  readonly noColour: boolean;
  /** Output is for a program: no progress, whatever the streams are. */
  readonly forProgram: boolean;
  /** Output goes to the log of a CI system although no variable shows it (--github). */
  readonly forCi?: boolean;
}

/** If a terminal does not say how wide it is: the width they all began with. */
const usualColumns = 80;

export function contextOf(surroundings: Surroundings, choices: ContextChoices): Context {
  const { stdout, stderr, env } = surroundings;
  // Behind a pipe there may be a pager, which draws on the same terminal: progress would spoil its screen.
  const watched = stdout.isTerminal && stderr.isTerminal && env.TERM !== "dumb" && !choices.forProgram;
  const line: ProgressLine | null = watched
    ? progressLine((text) => stderr.write(text), surroundings.nowMs, stderr.columns ?? usualColumns)
    : null;
  const inCi = choices.forCi === true || isCi(env);
  const clear = (output: Output, safe: (text: string) => string): Writer => ({
    write: (data) => {
      line?.hide();
      output.write(typeof data === "string" ? safe(data) : data);
    },
    get closed() {
      return output.closed;
    },
  });
  // What any name may hold, the last one that prints it makes harmless.
  const guarded = (output: Output): Writer => {
    const safe = inCi ? ciEscaper() : (text: string) => text;
    return clear(output, (text) => safe(escapeInvisible(text)));
  };
  const paletteFor = (output: Output) => (wantsColour(env, output.isTerminal, choices.noColour) ? colourful : plain);
  return {
    stdout: guarded(stdout),
    stderr: guarded(stderr),
    annotations: clear(stdout, (text) => text),
    env,
    isTerminal: stdout.isTerminal,
    colour: paletteFor(stdout),
    errorColour: paletteFor(stderr),
    width: stdout.isTerminal ? (stdout.columns ?? usualColumns) : null,
    version: surroundings.version,
    progress: (label, total) => line?.start(label, total ?? null) ?? silentProgress,
  };
}
