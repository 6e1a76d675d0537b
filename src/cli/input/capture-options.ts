/**
 * The options of every command that reads captures, and the one object that carries their values from the command line
 * to collection and analysis, also into worker processes. It is passed whole: a further option is declared here, and
 * read where it takes effect.
 */
import { DEFAULT_SPELLING, type MarkSpelling } from "../../analyze/evidence/boundaries.js";
import { type ReaderLimits, USUAL_READER_LIMITS } from "../../collect/files/reader-limits.js";
import { type OptionValues, textOption, withDefault } from "../frame/options.js";
import { readerLimitOption } from "./reader-limit-option.js";

/** How captures are read: the text of the VMM's marks, and the limits on each file. Plain data: workers are sent it. */
export interface CaptureOptions extends MarkSpelling {
  readonly limits: ReaderLimits;
}

/** What the options are if none is given. */
export const DEFAULT_CAPTURE_OPTIONS: CaptureOptions = { ...DEFAULT_SPELLING, limits: USUAL_READER_LIMITS };

/** To be spread into a command's options. */
export const captureOptions = {
  "pause-mark": withDefault(textOption("TEXT", "Text with which a VM's pause mark begins"), DEFAULT_SPELLING.pause),
  "resume-mark": withDefault(textOption("TEXT", "Text with which a VM's resume mark begins"), DEFAULT_SPELLING.resume),
  "reader-limit": readerLimitOption,
};

export const CAPTURE_OPTION_NAMES = Object.keys(captureOptions) as readonly (keyof typeof captureOptions)[];

export function captureOptionsOf(options: OptionValues<typeof captureOptions>): CaptureOptions {
  return { pause: options["pause-mark"], resume: options["resume-mark"], limits: options["reader-limit"] };
}
