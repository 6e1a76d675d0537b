/** Where an answer may be written: never over what it is read from. */

import type { Context } from "../frame/command.js";
import { isArchiveName } from "./capture-paths.js";
import { statsOf } from "./path-stats.js";
import { writeAtomically } from "./write-atomically.js";

/**
 * Why an answer cannot go to `output`, as a sentence that begins with it; null if it can. `inputs` are the
 * paths that the command reads. Opening a file to write it empties it, and a recording cannot be made again: so neither
 * one of the inputs, whatever it is called there (a link, another spelling of its path), nor any archive is opened.
 */
export function outputProblem(output: string, inputs: readonly string[]): string | null {
  if (output === "-") return "-: answers of this kind go to a file; ./- is one of that name";
  const found = statsOf(output);
  if (!found?.isFile()) return null;
  const isSame = (input: string): boolean => {
    const read = statsOf(input);
    return read !== null && read.dev === found.dev && read.ino === found.ino;
  };
  if (inputs.some(isSame)) return `${output} is what is read: writing there would destroy it; give another file`;
  if (isArchiveName(output)) {
    return `${output} is an archive, and may be a capture: it is not written over; give another file, or remove it first`;
  }
  return null;
}

/** Writes a whole answer, in one step, to the file, or to standard output if that is null. The error is a sentence. */
export function writeAnswer(context: Context, output: string | null, answer: string): string | null {
  if (output === null) {
    context.stdout.write(answer);
    return null;
  }
  try {
    writeAtomically(output, answer);
    return null;
  } catch (error) {
    return `${output} cannot be written: ${(error as Error).message}`;
  }
}
