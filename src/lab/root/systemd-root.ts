/** A guest whose root is a folder of the host's, with systemd as its first process. */
import { spawnSync } from "node:child_process";
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { err, ok, type Result } from "../../base/result.js";
import { shellQuoted } from "../../base/text/quote.js";
import { recorderPath } from "../../recorder/recorder.js";
import type { LabOptions } from "../machine/lab-options.js";

/** The first version that passes its file descriptor store to LUO (its NEWS). */
const LUO_SINCE = 261;

const HOW =
  "on Debian, `mmdebstrap --variant=essential --include=systemd-sysv,mount,kexec-tools sid DIR` makes one (as root)";

export interface SystemdRoot {
  readonly root: string;
  readonly version: number;
}

/** Whether `root` has everything that the workload needs. The error is a sentence for the user. */
export function findSystemd(root: string | null): Result<SystemdRoot, string> {
  if (root === null) return err(`systemd needs a root file system of its own: --rootfs DIR; ${HOW}.`);
  const version = versionOf(root);
  if (version === null) return err(`There is no systemd in ${root}: ${HOW}.`);
  if (version < LUO_SINCE) {
    return err(`systemd in ${root} is ${version}, which preserves nothing: ${LUO_SINCE} or later is needed; ${HOW}.`);
  }
  const missing = ["usr/bin/mount", "usr/sbin/kexec", "usr/bin/awk", "usr/bin/tar"].filter(
    (path) => !existsSync(join(root, path)) && !isLink(root, path),
  );
  if (missing.length > 0) return err(`${root} has no ${missing.join(", no ")}: ${HOW}.`);
  return ok({ root, version });
}

/** A link to an absolute path leads elsewhere from here. */
const isLink = (root: string, path: string): boolean => {
  const folder = join(root, path, "..");
  const name = path.slice(path.lastIndexOf("/") + 1);
  return existsSync(folder) && readdirSync(folder).includes(name);
};

/**
 * The shared library's name has the version: usr/lib/x86_64-linux-gnu/systemd/libsystemd-shared-262.so, or usr/lib64/….
 */
function versionOf(root: string): number | null {
  for (const lib of ["usr/lib", "usr/lib64"]) {
    const folder = join(root, lib);
    if (!existsSync(folder)) continue;
    for (const place of ["", ...readdirSync(folder).filter((name) => name.endsWith("-linux-gnu"))]) {
      const systemd = join(folder, place, "systemd");
      if (!existsSync(systemd)) continue;
      for (const name of readdirSync(systemd)) {
        const found = /^libsystemd-shared-(\d{2,4})/.exec(name);
        if (found !== null) return Number(found[1]);
      }
    }
  }
  return null;
}

const LAB_UNITS = join(import.meta.dirname, "systemd");
const RECORDER_UNITS = join(import.meta.dirname, "../../../packaging/systemd");
/** Which target starts what; blackout-collect is started by hand. */
const WANTED_BY: Readonly<Record<string, string>> = {
  "blackout-arm.service": "sysinit.target",
  "blackout-save.service": "multi-user.target",
  "lab-before.service": "sysinit.target",
  "lab-vm.service": "multi-user.target",
  "lab-update.service": "multi-user.target",
  "lab-end.service": "multi-user.target",
};

/** Login services, which would wait forever on a machine without udev. */
const MASKED = ["getty@.service", "serial-getty@.service", "getty-static.service"];
/** What systemd does at the first boot after /usr has changed (ConditionNeedsUpdate=) was done when these are newer. */
const UPDATED = ["etc/.updated", "var/.updated"];

/** Copies `root` to the empty folder `to`, and adds the recorder, its units, the workload and its units. */
export function laySystemdRoot(root: string, to: string, workload: string, options: LabOptions): Result<void, string> {
  const copied = spawnSync("cp", ["-a", "--reflink=auto", `${root}/.`, to], { encoding: "utf8" });
  if (copied.status !== 0) {
    return err(`${root} cannot be copied: ${copied.error?.message ?? copied.stderr.trim().split("\n").at(-1)}`);
  }
  const units = join(to, "etc/systemd/system");
  for (const folder of ["lab", "out", "usr/local/sbin", "etc/default", "etc/systemd/system", "var"])
    mkdirSync(join(to, folder), { recursive: true });
  const place = (from: string, path: string, mode: number): void => {
    copyFileSync(from, join(to, path));
    chmodSync(join(to, path), mode);
  };
  place(recorderPath, "usr/local/sbin/blackout-recorder", 0o755);
  place(workload, "lab/workload", 0o755);
  place(options.next, "lab/kernel", 0o644);
  place(join(LAB_UNITS, "lab.sh"), "lab/lab.sh", 0o755);
  place(join(import.meta.dirname, "../guest/tracefs-state.sh"), "lab/tracefs-state.sh", 0o644);
  for (const folder of [RECORDER_UNITS, LAB_UNITS]) {
    for (const name of readdirSync(folder).filter((each) => each.endsWith(".service"))) {
      place(join(folder, name), `etc/systemd/system/${name}`, 0o644);
    }
  }
  // Without emulation, some two hundred processes start in seconds.
  for (const unit of readdirSync(RECORDER_UNITS)) {
    mkdirSync(join(units, `${unit}.d`));
    writeFileSync(join(units, `${unit}.d/lab.conf`), "[Service]\nTimeoutSec=infinity\n");
  }
  for (const [unit, target] of Object.entries(WANTED_BY)) {
    mkdirSync(join(units, `${target}.wants`), { recursive: true });
    symlinkSync(`../${unit}`, join(units, `${target}.wants`, unit));
  }
  for (const unit of MASKED) {
    rmSync(join(units, unit), { force: true });
    symlinkSync("/dev/null", join(units, unit));
  }
  for (const path of UPDATED) writeFileSync(join(to, path), "");
  const { sessions, files, mib, level, cmdline, probes } = options;
  const lines = [
    `SESSIONS=${sessions}`,
    `FILES=${files}`,
    `MIB=${mib}`,
    `LEVEL=${level}`,
    `CMDLINE=${shellQuoted(cmdline)}`,
  ];
  writeFileSync(join(to, "lab/options"), `${lines.join("\n")}\n`);
  const recorder = [`BLACKOUT_LEVEL=${level}`, ...(probes === null ? [] : [`BLACKOUT_PROBES=${probes}`])];
  writeFileSync(join(to, "etc/default/blackout"), `${recorder.join("\n")}\n`);
  // With one, the first boot asks no questions. It does not become part of a capture.
  writeFileSync(join(to, "etc/machine-id"), "b1ac0000b1ac0000b1ac0000b1ac0000\n");
  writeFileSync(join(to, "etc/hostname"), "lab\n");
  return ok(undefined);
}
