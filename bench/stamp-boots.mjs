/**
 * Whether stamped images boot: each image is stamped and booted N times in QEMU, with KASLR, up to a user space that
 * prints its stamps. A boot counts if both stamps are there, in order, and the running kernel is the image's.
 *
 *   node bench/stamp-boots.mjs IMAGE... [--times 50] [--limit SECONDS] [--dist DIR]
 *
 * A signed image is stamped without its signature. Needs qemu-system-x86_64 and a static busybox.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { printTable } from "./lib.mjs";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    times: { type: "string", default: "50" },
    limit: { type: "string", default: "120" },
    dist: { type: "string", default: resolve(import.meta.dirname, "../dist") },
  },
});
const load = (module) => import(join(resolve(values.dist), module));
const { readKernelImage, withoutSignature } = await load("recorder/image/kernel-image.js");
const { stampImage } = await load("recorder/image/image-stamp.js");
const { bootOnce } = await load("lab/truth/short-boot.js");

const folder = mkdtempSync(join(tmpdir(), "blackout-stamp-boots-"));
const unwrap = (result) => {
  if (!result.ok) throw new Error(result.error);
  return result.value;
};
/** Two decimal numbers of eight bytes, the release, and where the kernel is. */
const PRINTED = /^ *(\d+) +(\d+)\n(\S+)\n([0-9a-f]{16})/m;
const script = `od -An -tu8 -j 208 -N 16 /sys/kernel/boot_params/data
uname -r
grep -m 1 ' _text$' /proc/kallsyms`;

const rows = [];
try {
  for (const path of positionals) {
    const image = unwrap(withoutSignature(unwrap(readKernelImage(readFileSync(path)))));
    const kernel = join(folder, "stamped");
    writeFileSync(kernel, unwrap(stampImage(image)).bytes);
    const places = new Set();
    let booted = 0;
    let release = "-";
    for (let n = 0; n < Number(values.times); n++) {
      const printed = bootOnce({
        kernel,
        busybox: "/bin/busybox",
        folder,
        words: "",
        script,
        limitMs: values.limit * 1000,
      });
      const [, entry, exit, found, place] = (printed.ok ? PRINTED.exec(printed.value) : null) ?? [];
      if (entry === undefined || BigInt(entry) === 0n || BigInt(exit) <= BigInt(entry)) {
        console.error(`${path}, boot ${n + 1}: ${printed.ok ? JSON.stringify(printed.value) : printed.error}`);
        continue;
      }
      booted += 1;
      release = found;
      places.add(place);
    }
    rows.push([basename(path), image.compressor, release, `${booted} of ${values.times}`, places.size]);
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
printTable(["image", "compressor", "release", "booted", "kernel addresses"], rows);
