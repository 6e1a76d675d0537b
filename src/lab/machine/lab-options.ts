/** What a lab can be asked for. */
import { LEVELS } from "../../recorder/recorder.js";
import type { Accelerator } from "./machine.js";

/** What is made to go wrong: docs/lab.md tells how each update then ends. */
export const FAULTS = ["none", "refused", "not-loaded", "panic", "hang", "kho-off", "cpus"] as const;
export type Fault = (typeof FAULTS)[number];

/** `none`: an update that nobody records, which the others' cost is measured against. */
export const LAB_LEVELS = ["none", ...LEVELS] as const;
export type LabLevel = (typeof LAB_LEVELS)[number];

/** How the next kernel is told to record. */
export const ARM_BY = ["cmdline", "bootconfig"] as const;
/** What the recorder's probes are made of. */
export const PROBE_KINDS = ["fprobe", "kprobe"] as const;
/** What brings the old kernel's files into the new one: a folder that both mount, or a memfd in a LUO session. */
export const CARRIERS = ["folder", "memfd"] as const;

/** What is preserved by whom: the lab's own program, Linux' own tests of LUO, or systemd and a service of it. */
export const WORKLOADS = ["memfd", "selftests", "systemd"] as const;
export type Workload = (typeof WORKLOADS)[number];

export interface LabOptions {
  readonly kernel: string;
  /** The kernel that is updated to. */
  readonly next: string;
  readonly workload: Workload;
  /** Folder of Linux' tests of LUO, for the workload that needs them. */
  readonly selftests: string | null;
  /** Folder with a root file system, likewise. */
  readonly rootfs: string | null;
  readonly sessions: number;
  /** Of each session. */
  readonly files: number;
  /** Of each file. */
  readonly mib: number;
  readonly nics: number;
  readonly level: LabLevel;
  readonly fault: Fault;
  /** More words of both kernels' command line; empty for none. */
  readonly cmdline: string;
  readonly armBy: (typeof ARM_BY)[number];
  readonly carrier: (typeof CARRIERS)[number];
  /** Null: what the recorder takes by itself. */
  readonly probes: (typeof PROBE_KINDS)[number] | null;
  /** The next kernel copies the rings at boot, and the first of them is recorded into again before they are collected. */
  readonly backup: boolean;
  /** The capture holds hashes instead of the sessions' names. */
  readonly hashSessions: boolean;
  readonly cpus: number;
  readonly memoryMib: number;
  readonly accelerator: Accelerator;
  readonly limitMs: number;
  /** Statically linked. */
  readonly busybox: string;
}
