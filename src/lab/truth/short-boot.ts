/** A kernel booted for as long as one script takes, under emulation: what it prints, and nothing else. */
import { spawnSync } from "node:child_process";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { err, ok, type Result } from "../../base/result.js";
import { packInitramfs } from "../guest/initramfs.js";

export interface ShortBoot {
  readonly kernel: string;
  /** Statically linked. */
  readonly busybox: string;
  /** For the initramfs, which is removed. */
  readonly folder: string;
  /** Words of the command line. */
  readonly words: string;
  /** Run as the first process, with /proc and /sys mounted; what it prints is the console's. */
  readonly script: string;
  readonly limitMs: number;
}

const CONSOLE_BYTES = 16 << 20;

/** What the console showed, up to the power-off that follows the script. The error is a sentence. */
export function bootOnce({ kernel, busybox, folder, words, script, limitMs }: ShortBoot): Result<string, string> {
  const init = `#!/bin/busybox sh
/bin/busybox --install -s /bin
mkdir -p /proc /sys
mount -t proc proc /proc
mount -t sysfs sys /sys
echo; echo BEGIN
${script}
echo END
poweroff -f
`;
  const initrd = join(folder, "short-boot.cpio");
  writeFileSync(
    initrd,
    packInitramfs([
      { path: "bin/busybox", content: readFileSync(busybox), executable: true },
      { path: "init", content: Buffer.from(init), executable: true },
    ]),
  );
  const machine = ["-accel", "tcg", "-cpu", "max", "-m", "512", "-nographic", "-nodefaults", "-no-reboot"];
  const boot = ["-serial", "stdio", "-kernel", kernel, "-initrd", initrd];
  // On a busy machine the emulated timer's interrupts are late, and the kernel panics in setup_IO_APIC without the word.
  const command = [...machine, ...boot, "-append", `console=ttyS0 panic=-1 no_timer_check quiet ${words}`];
  const run = spawnSync("qemu-system-x86_64", command, {
    ...{ encoding: "latin1", timeout: limitMs, killSignal: "SIGKILL", maxBuffer: CONSOLE_BYTES },
  });
  rmSync(initrd, { force: true });
  const printed = /^BEGIN\r?\n([\s\S]*?)^END\r?$/m.exec(run.stdout ?? "")?.[1];
  if (printed !== undefined) return ok(printed.replaceAll("\r", ""));
  const why = run.error?.message ?? (run.stderr.trim() || `its console ends: ${(run.stdout ?? "").slice(-400).trim()}`);
  return err(`${kernel} did not reach user space: ${why}`);
}
