/** The registry: which tracer reads which event. */
import type { CpuSights } from "../cpu-sights.js";
import type { WakeupCollector } from "../wakeup-collector.js";
import { cpuhp } from "./cpuhp.js";
import { graphReader } from "./function-graph.js";
import { initcalls } from "./initcalls.js";
import { interrupts } from "./interrupts.js";
import { markReader } from "./markers.js";
import { type Notifiers, notifiers } from "./notifiers.js";
import { printk } from "./printk.js";
import { type ProbeReaders, probeReaders } from "./probes.js";
import { scheduler } from "./scheduler.js";
import { syscalls } from "./syscalls.js";
import type { ReadRow, Recording } from "./tracer.js";
import { type VcpuSight, vcpus } from "./vcpus.js";

/** What tracers fill beside the recording. */
export interface TracerParts {
  readonly wakeups: WakeupCollector;
  readonly vcpus: Map<number, VcpuSight>;
  readonly taskNames: Map<number, string>;
  readonly pathTasks: ReadonlySet<number>;
  readonly cpus: CpuSights;
  readonly stringOf: (id: number) => string;
}

export interface Tracers {
  readonly probes: ProbeReaders;
  readonly graph: ReadRow;
  readonly marks: ReadRow;
  readonly notifiers: Notifiers;
  /** By the event's name. */
  readonly events: ReadonlyMap<string, ReadRow>;
  finish(): void;
}

export function allTracers(recording: Recording, parts: TracerParts): Tracers {
  const callbacks = notifiers(recording);
  const all = [
    initcalls(recording),
    cpuhp(recording),
    callbacks,
    interrupts(recording),
    printk(recording),
    syscalls(recording),
    scheduler(recording, parts),
    vcpus(parts.vcpus),
  ];
  return {
    probes: probeReaders(recording),
    graph: graphReader(recording),
    marks: markReader(recording),
    notifiers: callbacks,
    events: new Map(all.flatMap(({ events }) => [...events])),
    finish: () => {
      for (const tracer of all) tracer.finish?.();
    },
  };
}
