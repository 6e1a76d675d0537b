/** Surroundings that remember what was written: for the tests of commands. */
import type { Output, Surroundings } from "../cli/frame/command-context.js";

export interface RecordedSurroundings extends Surroundings {
  /** What was written to stdout so far, decoded as UTF-8. */
  written(): string;
  /** What was written to stderr so far. */
  complained(): string;
}

/** Streams that are pipes, or terminals with `columns` columns; colour only if `env` or a terminal asks for it. */
export function recordedSurroundings(
  given: { readonly columns?: number; readonly env?: Readonly<Record<string, string>> } = {},
): RecordedSurroundings {
  const record = (): Output & { readonly text: () => string } => {
    const parts: Buffer[] = [];
    return {
      write: (data) => void parts.push(Buffer.from(data)),
      closed: false,
      isTerminal: given.columns !== undefined,
      columns: given.columns ?? null,
      text: () => Buffer.concat(parts).toString("utf8"),
    };
  };
  const stdout = record();
  const stderr = record();
  return {
    stdout,
    stderr,
    env: given.env ?? {},
    version: "0.0.0-test",
    nowMs: () => 0,
    written: stdout.text,
    complained: stderr.text,
  };
}
