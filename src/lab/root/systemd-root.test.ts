import assert from "node:assert/strict";
import {
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { after } from "node:test";
import { recorderPath } from "../../recorder/recorder.js";
import { usualLab } from "../../testing/lab.js";
import { findSystemd, laySystemdRoot } from "./systemd-root.js";

const scratch = mkdtempSync(join(tmpdir(), "blackout-systemd-root-"));
after(() => rmSync(scratch, { recursive: true, force: true }));

/** A made-up root file system: the files that are checked. */
function rootOf(name: string, version: number, without: string | null = null): string {
  const root = join(scratch, name);
  const library = `usr/lib/x86_64-linux-gnu/systemd/libsystemd-shared-${version}.so`;
  for (const path of [library, "usr/bin/mount", "usr/sbin/kexec", "usr/bin/tar"]) {
    mkdirSync(join(root, path, ".."), { recursive: true });
    if (path !== without) writeFileSync(join(root, path), path);
  }
  // As Debian's alternatives have it.
  symlinkSync("/etc/alternatives/awk", join(root, "usr/bin/awk"));
  return root;
}

test("a root is accepted if its systemd supports LUO, and otherwise refused with what is missing", () => {
  const error = (root: string | null): string => {
    const found = findSystemd(root);
    return found.ok ? "" : found.error;
  };
  const root = rootOf("new", 262);
  assert.deepEqual(findSystemd(root), { ok: true, value: { root, version: 262 } });
  assert.match(error(null), /--rootfs DIR; on Debian, `mmdebstrap/);
  assert.match(error(join(scratch, "nowhere")), /There is no systemd in .*nowhere/);
  assert.match(error(rootOf("old", 257)), /systemd in .*old is 257, .* 261 or later/);
  assert.match(error(rootOf("bare", 262, "usr/sbin/kexec")), /bare has no usr\/sbin\/kexec/);
});

test("a copy gets the recorder, its units and the lab's; the root itself is unchanged", () => {
  const root = rootOf("laid", 262);
  const to = join(scratch, "copy");
  mkdirSync(to);
  const [workload, next] = [join(scratch, "workload"), join(scratch, "kernel")];
  for (const path of [workload, next]) writeFileSync(path, path);
  const options = { ...usualLab, next, level: "probes", cmdline: "quiet name='it'", sessions: 3 } as const;
  const before = statSync(root).mtimeMs;
  assert.deepEqual(laySystemdRoot(root, to, workload, options), { ok: true, value: undefined });
  assert.equal(statSync(root).mtimeMs, before);
  const read = (path: string): string => readFileSync(join(to, path), "utf8");
  assert.equal(read("usr/local/sbin/blackout-recorder"), readFileSync(recorderPath, "utf8"));
  assert.equal(read("lab/kernel"), next);
  assert.equal(readlinkSync(join(to, "usr/bin/awk")), "/etc/alternatives/awk");
  assert.match(read("etc/systemd/system/sysinit.target.wants/blackout-arm.service"), /blackout-recorder arm/);
  assert.match(read("etc/systemd/system/multi-user.target.wants/lab-vm.service"), /FileDescriptorStorePreserve=yes/);
  assert.equal(readlinkSync(join(to, "etc/systemd/system/serial-getty@.service")), "/dev/null");
  assert.equal(read("etc/default/blackout"), "BLACKOUT_LEVEL=probes\n");
  assert.equal(read("lab/options"), "SESSIONS=3\nFILES=2\nMIB=1\nLEVEL=probes\nCMDLINE='quiet name='\\''it'\\'''\n");
});
