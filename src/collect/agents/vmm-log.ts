/** What any VMM's log shows: when its VM stopped or ran again, and which of its devices' states it saved and loaded. */

import type { Boot } from "../../base/time.js";
import type { ReadCounts } from "../../model/collected.js";

/** The folder of a capture that holds the VMMs' logs. */
export const VMM_FOLDER = "vmm";

export interface VmmLogName {
  /** null if the host has one VM only, which needs no name. */
  readonly vm: string | null;
  readonly boot: Boot;
}

/** The VM stood still from here on (in the old kernel), or ran again (in the new one). */
export interface VmmTransition {
  readonly what: "stopped" | "resumed";
  /** `runstate_set running → paused`, `vmstate_downtime_checkpoint src-vm-stopped`. */
  readonly event: string;
  /** Nanoseconds since 1970. */
  readonly realtimeNs: bigint;
  readonly tid: number;
  readonly line: number;
}

/** A device's state being saved or loaded. */
export interface VmmDeviceSpan {
  readonly action: "save" | "load";
  /** As the VMM names it: `0000:00:03.0/e1000`, `ram`. */
  readonly device: string;
  readonly beginNs: bigint;
  readonly endNs: bigint;
  /** Its end is inferred from what the thread did next. */
  readonly inferred: boolean;
  readonly tid: number;
  readonly line: number;
}

/** What one log shows. */
export interface VmmFacts {
  readonly file: string;
  readonly transition: VmmTransition | null;
  readonly spans: readonly VmmDeviceSpan[];
  readonly counts: ReadCounts;
}
