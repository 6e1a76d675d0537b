import type { ImageStamps, NextImage } from "../../model/collected.js";
import type { SessionState } from "../../model/documents/sessions.js";
import type { LiveUpdate } from "../../model/live-update.js";
import type { DeviceFacts } from "../evidence/devices.js";
import type { PathTask } from "../evidence/path.js";

/** Wake-ups of the update's tasks, relative to the update's zero. */
export interface Wakeups {
  readonly count: number;
  readonly ns: Float64Array;
  /** 1 old, 2 new. */
  readonly boot: Uint8Array;
  readonly woken: Int32Array;
  readonly waker: Int32Array;
}

/** How much is at most the recording's own. */
export interface RecordingEstimate {
  readonly events: number;
  readonly probes: number;
  readonly ns: number;
}

/** A live update with what attribution needs beside its spans. Times are relative to the update's zero. */
export interface AttributedUpdate extends LiveUpdate {
  readonly path: readonly PathTask[];
  /** First sight of the process that restores: from here on it carries the update. */
  readonly restorerSinceNs: number | null;
  /** Where the new kernel's sched_clock read zero. */
  readonly schedClockZeroNs: { readonly ns: number; readonly uncertaintyNs: number } | null;
  /** The stamps of the image that was started, if it has any that fit the trace. */
  readonly imageStampsNs: ImageStamps | null;
  readonly nextImage: NextImage;
  /** The new kernel's command line starts the function-graph tracer, which takes time inside the seam. */
  readonly armsGraphAtBoot: boolean;
  /** What the new kernel's events and the probes in the blackout cost, if the recorder has measured costs. */
  readonly recording: RecordingEstimate | null;
  readonly wakeups: Wakeups;
  /** What both kernels' logs say of devices. */
  readonly devices: readonly DeviceFacts[];
  readonly sessions: readonly SessionState[];
}
