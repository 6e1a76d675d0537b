/** What workers and those who start them say to each other. */

import type { PackedUpdate } from "../../export/report.js";
import type { UpdateSample } from "../../model/update-sample.js";
import type { ReportEntry } from "../../report/report-index.js";
import type { CaptureOptions } from "../input/capture-options.js";

export interface WorkerRequest {
  /** `sample`: what statistics need of the capture. `page`: what the viewer needs of it, redacted. */
  readonly what: "sample" | "page";
  readonly path: string;
  readonly reading: CaptureOptions;
  /** A folder that others write, in which the capture lies: no link there is followed. */
  readonly below?: string;
}

export type WorkerAnswer =
  | { readonly kind: "sample"; readonly sample: UpdateSample }
  | { readonly kind: "page"; readonly entry: ReportEntry; readonly packed: PackedUpdate }
  /** The capture cannot be used: a sentence. */
  | { readonly kind: "refused"; readonly reason: string };
