/** What a lab's guests boot and run, by workload: made once per lab, laid out for each machine. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { err, ok, type Result } from "../../base/result.js";
import { recorderPath } from "../../recorder/recorder.js";
import type { LabOptions } from "../machine/lab-options.js";
import { findSelftests } from "../machine/selftests.js";
import { findSystemd, laySystemdRoot } from "../root/systemd-root.js";
import { packInitramfs } from "./initramfs.js";

export interface LabGuest {
  /** For the first boot; null if the root is the share. */
  readonly initrd: string | null;
  /** Words of the first boot's command line for this kind of guest only. */
  readonly words: string;
  /** Labels of the workload in the updates' captures. */
  readonly label: string;
  /** Fills the empty folder `share`, which the guest mounts. The error is a sentence for the user. */
  layOut(share: string): Result<void, string>;
  /** Within the share: where the guest writes its results. */
  readonly out: string;
  /** Within the share: the recorder's state folder. */
  readonly state: string;
}

/** `folder` is the lab's own; `workload` the compiled program. The error is a sentence for the user. */
export function makeGuest(options: LabOptions, folder: string, workload: string): Result<LabGuest, string> {
  const { sessions, files } = options;
  switch (options.workload) {
    case "memfd":
      return ok(initramfsGuest(options, folder, workload, [], `memfd-${sessions}x${files}`));
    case "selftests": {
      const found = findSelftests(options.selftests);
      if (!found.ok) return found;
      return ok(initramfsGuest(options, folder, workload, found.value, "selftests"));
    }
    case "systemd": {
      const found = findSystemd(options.rootfs);
      if (!found.ok) return found;
      const { root, version } = found.value;
      return ok({
        initrd: null,
        // Without a cache, each started program is read from the host again.
        words:
          "root=out rootfstype=9p rootflags=trans=virtio,version=9p2000.L,msize=524288,cache=loose rw systemd.show_status=error",
        label: `systemd-${version}-${sessions}x${files}`,
        layOut: (share) => laySystemdRoot(root, share, workload, options),
        out: "out",
        state: "var/lib/blackout",
      });
    }
    default:
      return err(options.workload satisfies never);
  }
}

const beside = (file: string): Buffer => readFileSync(join(import.meta.dirname, file));

function initramfsGuest(
  options: LabOptions,
  folder: string,
  workload: string,
  selftests: readonly string[],
  label: string,
): LabGuest {
  const userSpace = [
    { path: "bin/busybox", content: readFileSync(options.busybox), executable: true },
    { path: "workload", content: readFileSync(workload), executable: true },
    { path: "init", content: beside("guest-init.sh"), executable: true },
    { path: "tracefs-state.sh", content: beside("tracefs-state.sh"), executable: true },
    { path: "recorder.sh", content: readFileSync(recorderPath), executable: true },
    { path: "cmdline", content: Buffer.from(`${options.cmdline}\n`), executable: false },
    ...selftests.map((path) => ({
      path: `selftests/${path.slice(path.lastIndexOf("/") + 1)}`,
      content: readFileSync(path),
      executable: true,
    })),
  ];
  const second = gzipSync(packInitramfs(userSpace), { level: 1 });
  const first = packInitramfs([
    ...userSpace,
    { path: "next/kernel", content: readFileSync(options.next) },
    { path: "next/initrd", content: second },
  ]);
  const initrd = join(folder, "first.cpio");
  writeFileSync(initrd, first);
  return {
    initrd,
    words: `lab.workload=${options.workload}`,
    label,
    layOut: () => ok(undefined),
    out: ".",
    state: "state",
  };
}
