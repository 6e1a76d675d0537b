/** The options of a lab. */
import { PROBE_LEVELS } from "../../recorder/recorder.js";
import type { Accelerator } from "./machine.js";

/** The fault to inject: docs/lab.md describes how each update then ends. */
export const FAULTS = [
  "none",
  "refused",
  "not-loaded",
  "agent-killed",
  "panic",
  "hang",
  "kho-off",
  "cpus",
  "abi",
  "retrieve",
] as const;
export type LabFault = (typeof FAULTS)[number];

/** `none`: an unrecorded update, the reference for the cost of the other levels. */
export const LAB_LEVELS = ["none", ...PROBE_LEVELS] as const;
export type LabLevel = (typeof LAB_LEVELS)[number];

/** How the next kernel's recording is configured. */
export const ARM_BY = ["cmdline", "bootconfig"] as const;
/** The type of the recorder's probes. */
export const PROBE_KINDS = ["fprobe", "kprobe"] as const;
/** How the old kernel's files reach the new one: a folder that both mount, or a memfd in a LUO session. */
export const CARRIERS = ["folder", "memfd"] as const;

/** What preserves: the lab's own program, Linux's own tests of LUO, or systemd and a service. */
export const WORKLOADS = ["memfd", "selftests", "systemd"] as const;
export type Workload = (typeof WORKLOADS)[number];

export interface LabOptions {
  readonly kernel: string;
  /** The kernel that is updated to. */
  readonly next: string;
  readonly workload: Workload;
  /** Folder of Linux's tests of LUO, for the workload that needs them. */
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
  readonly fault: LabFault;
  /** More words of both kernels' command line; empty for none. */
  readonly cmdline: string;
  readonly armBy: (typeof ARM_BY)[number];
  readonly carrier: (typeof CARRIERS)[number];
  /** Null: the recorder chooses. */
  readonly probes: (typeof PROBE_KINDS)[number] | null;
  /** The next kernel copies the rings at boot, and the first of them is recorded into again before they are collected. */
  readonly backup: boolean;
  /** The capture has hashes instead of the sessions' names. */
  readonly hashSessions: boolean;
  /** The image that is updated to gets stamps (docs/image-stamp.md). */
  readonly stamp: boolean;
  /** Stages of the seam by instruction count, beside the capture; needs `icount`. */
  readonly truth: boolean;
  readonly cpus: number;
  readonly memoryMib: number;
  readonly accelerator: Accelerator;
  readonly limitMs: number;
  /** Statically linked. */
  readonly busybox: string;
}
