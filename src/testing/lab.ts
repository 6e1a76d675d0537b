/** Real live updates for tests: in QEMU, on a kernel with LUO, if these are available. */
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { type LabResult, openLab, runLiveUpdate } from "../lab/live-update.js";
import type { LabOptions } from "../lab/machine/lab-options.js";
import { usableAccelerator } from "../lab/machine/machine.js";
import { projectRoot } from "./places.js";

/** Of a release, or the path of an image. */
const kernelOf = (kernel: string): string =>
  kernel.includes("/") ? kernel : resolve(projectRoot, `../shared/lab/bzImage-${kernel}-luo`);

/** LAB=all: also the updates that a test run has no time for, 25 s each and more. */
export const labWanted: boolean = process.env.LAB === "all";

/** Why no live update can be made here, or null. */
export function whyNoLab(...releases: readonly string[]): string | null {
  if (!releases.every((release) => existsSync(kernelOf(release)))) return "there is no kernel with LUO";
  if (spawnSync("qemu-system-x86_64", ["--version"]).status !== 0) return "QEMU is not installed";
  if (!existsSync("/bin/busybox")) return "busybox is not installed";
  return spawnSync("gcc", ["--version"]).status === 0 ? null : "gcc is not installed";
}

/** An update takes 25 s on two quiet cores under emulation; the test runner gives a file 300 s. */
const LIMIT_MS = 270_000;

/** The smallest that shows everything: two sessions of two files of 1 MiB. */
export const usualLab: LabOptions = {
  ...{ kernel: "", next: "", workload: "memfd", selftests: null, rootfs: null, level: "events", fault: "none" },
  ...{ sessions: 2, files: 2, mib: 1, nics: 1, cpus: 2, memoryMib: 1024, busybox: "/bin/busybox" },
  ...{
    armBy: "cmdline",
    carrier: "folder",
    probes: null,
    backup: false,
    hashSessions: false,
    stamp: false,
    truth: false,
  },
  ...{ accelerator: "tcg", limitMs: LIMIT_MS, cmdline: "" },
};

export interface MadeUpdate {
  readonly path: string;
  readonly result: LabResult;
}

/** Makes one update, and passes its capture, which is removed afterwards, to `use`. Rejects if it could not be made. */
export async function withLiveUpdate(
  from: string,
  to: string,
  options: Pick<LabOptions, "level" | "fault"> &
    Partial<
      Pick<
        LabOptions,
        | "workload"
        | "selftests"
        | "rootfs"
        | "armBy"
        | "carrier"
        | "probes"
        | "backup"
        | "hashSessions"
        | "stamp"
        | "truth"
        | "accelerator"
      >
    >,
  use: (made: MadeUpdate) => Promise<void>,
): Promise<void> {
  const images = { kernel: kernelOf(from), next: kernelOf(to) };
  const accelerator = await usableAccelerator(images.kernel);
  const lab = openLab({ ...usualLab, ...images, accelerator, ...options });
  if (!lab.ok) throw new Error(lab.error);
  const folder = mkdtempSync(join(tmpdir(), "blackout-lab-test-"));
  try {
    const path = join(folder, "capture");
    const run = await runLiveUpdate(lab.value, "lab", path, new AbortController().signal);
    if (!run.ok) throw new Error(run.error);
    await use({ path, result: run.value });
  } finally {
    lab.value.close();
    rmSync(folder, { recursive: true, force: true });
  }
}
