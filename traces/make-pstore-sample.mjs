/**
 * Makes the samples of pstore: traces/dialects/pstore.tar.gz, a live update whose next kernel found the old one's
 * console in ramoops, and traces/dialects/pstore-crash/, what ramoops keeps of a kernel that panics, with the log it
 * had before.
 *
 *     npm run build && node traces/make-pstore-sample.mjs BZIMAGE [update|crash]
 *
 * Needs what the lab needs (docs/lab.md). The console is small, so its ring is full long before the kexec.
 */
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";

const [kernel, only] = process.argv.slice(2);
if (kernel === undefined) throw new Error("Give the kernel: node traces/make-pstore-sample.mjs BZIMAGE");
const project = join(import.meta.dirname, "..");
const samples = join(import.meta.dirname, "dialects");
const folder = mkdtempSync(join(tmpdir(), "blackout-pstore-"));
const RAMOOPS =
  "reserve_mem=256K:4096:oops ramoops.mem_name=oops ramoops.console_size=0x2000 ramoops.record_size=0x2000 ramoops.ecc=1";

function run(program, args, options = {}) {
  const { status, error } = spawnSync(program, args, { stdio: "inherit", ...options });
  if (error !== undefined || status !== 0) throw new Error(`${program} ended with ${error?.message ?? status}`);
}

/**
 * A live update without parts that this sample does not need: the serial console, which has everything that pstore has,
 * and symbols.
 */
function updateSample() {
  const made = join(folder, "made");
  const blackout = join(project, "dist/cli/main.js");
  const lab = ["lab", "run", "--kernel", kernel, "--level", "markers", "--mib", "1", "--cmdline", RAMOOPS, "-o", made];
  run(process.execPath, [blackout, ...lab]);
  const capture = join(folder, "pstore");
  cpSync(join(made, "001"), capture, { recursive: true });
  for (const name of ["console.log", "old/kallsyms.gz", "new/kallsyms.gz"]) rmSync(join(capture, name));
  const path = join(capture, "capture.json");
  writeFileSync(path, `${JSON.stringify({ ...JSON.parse(readFileSync(path, "utf8")), name: "pstore" }, null, 1)}\n`);
  run("tar", ["--sort=name", "--owner=0", "--group=0", "-C", folder, "-czf", join(samples, "pstore.tar.gz"), "pstore"]);
}

/**
 * First boot: the log is saved, and the kernel panics. Second boot, after a reset that keeps memory: pstore is saved.
 */
const INIT = `#!/bin/busybox sh
/bin/busybox --install -s /bin
mkdir -p /proc /sys /dev /out
mount -t proc proc /proc
mount -t devtmpfs dev /dev
mount -t sysfs sys /sys
mount -t pstore pstore /sys/fs/pstore
mount -t 9p -o trans=virtio,version=9p2000.L out /out
if [ -e /out/dmesg ]; then
  for file in /sys/fs/pstore/console-* /sys/fs/pstore/dmesg-*; do cat "$file" > "/out/\${file##*/}"; done
  sync
  umount /out
  poweroff -f
fi
dmesg > /out/dmesg
sync
umount /out
echo c > /proc/sysrq-trigger
`;

async function crashSample() {
  const { packInitramfs } = await import(join(project, "dist/lab/guest/initramfs.js"));
  const initrd = join(folder, "initrd");
  const share = join(folder, "share");
  mkdirSync(share);
  const busybox = readFileSync("/bin/busybox");
  const files = [
    { path: "bin/busybox", content: busybox, executable: true },
    { path: "init", content: Buffer.from(INIT), executable: true },
  ];
  writeFileSync(initrd, gzipSync(packInitramfs(files), { level: 1 }));
  // The kernel's KASLR offset decides which memory ramoops reserves.
  const words = `console=ttyS0 panic=-1 nokaslr ${RAMOOPS}`;
  run("timeout", [
    ...["240", "qemu-system-x86_64", "-accel", "tcg", "-cpu", "max", "-m", "512", "-nographic", "-nodefaults"],
    ...["-serial", `file:${join(folder, "console")}`],
    ...["-virtfs", `local,path=${share},mount_tag=out,security_model=none`],
    ...["-kernel", kernel, "-initrd", initrd, "-append", words],
  ]);
  rmSync(join(samples, "pstore-crash"), { recursive: true, force: true });
  cpSync(share, join(samples, "pstore-crash"), { recursive: true });
}

try {
  mkdirSync(samples, { recursive: true });
  if (only !== "update") await crashSample();
  if (only !== "crash") updateSample();
} finally {
  rmSync(folder, { recursive: true, force: true });
}
