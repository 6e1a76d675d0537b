import type { CaptureOptions } from "../cli/input/capture-options.js";
import { DEFAULT_CAPTURE_OPTIONS } from "../cli/input/capture-options.js";

/** Thrown if there is no answer; anything else that the API throws is a bug. */
export class BlackoutProblem extends Error {
  override readonly name = "BlackoutProblem";
  /**
   * `unusable-input`: a file cannot be read, or holds too little. `usage`: a filter or budget is not valid.
   * `unlike`: the updates must not be taken together.
   */
  readonly code: "unusable-input" | "usage" | "unlike";

  constructor(code: BlackoutProblem["code"], message: string) {
    super(message);
    this.code = code;
  }
}

/** How captures are read. */
export interface ReadOptions {
  /** Text with which a VM's pause mark begins. */
  readonly pauseMark?: string;
  /** Text with which a VM's resume mark begins. */
  readonly resumeMark?: string;
}

export function captureOptionsFrom({ pauseMark, resumeMark }: ReadOptions): CaptureOptions {
  const { pause, resume, limits } = DEFAULT_CAPTURE_OPTIONS;
  return { pause: pauseMark ?? pause, resume: resumeMark ?? resume, limits };
}
