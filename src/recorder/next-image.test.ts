import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import test, { after } from "node:test";
import { gunzipSync, gzipSync } from "node:zlib";
import { HOSTS, type HostKind, type MadeUpHost, madeUpHost } from "../testing/fakes/tracefs-tree.js";
import { runRecord, shells } from "../testing/recorder-runs.js";
import { type ImageParts, madeUpImage } from "../testing/samples/kernel-image.js";
import { stampImage } from "./image/image-stamp.js";
import { readKernelImage } from "./image/kernel-image.js";

const scratch = mkdtempSync(join(tmpdir(), "blackout-next-image-"));
after(() => rmSync(scratch, { recursive: true, force: true }));

const linux619 = HOSTS["6.19"] as HostKind;
const newHost = (kind: Partial<HostKind> = {}): MadeUpHost =>
  madeUpHost(mkdtempSync(join(scratch, "host-")), { ...linux619, ...kind });

function put(on: MadeUpHost, path: string, content: string | Uint8Array): void {
  mkdirSync(dirname(join(on.root, path)), { recursive: true });
  writeFileSync(join(on.root, path), content);
}

const BUILD = "#1 SMP PREEMPT_DYNAMIC Mon Nov 23 11:02:00 UTC 2026";

function imageFile(change: Partial<ImageParts> & { readonly stamped?: boolean } = {}, release = "6.19.2"): string {
  const bytes = Buffer.from(madeUpImage(change));
  // kernel_version points 0x200 bytes before the text, here into the free space of the setup code.
  bytes.writeUInt16LE(0x1000, 0x20e);
  bytes.write(`${release} (root@host) ${BUILD}\0`, 0x1200, "latin1");
  const path = join(mkdtempSync(join(scratch, "image-")), "bzImage");
  writeFileSync(path, bytes);
  if (change.stamped !== true) return path;
  const image = readKernelImage(bytes);
  assert.ok(image.ok);
  const stamped = stampImage(image.value);
  assert.ok(stamped.ok);
  writeFileSync(path, stamped.value.bytes);
  return path;
}

/** boot_params of a kernel: two stamps, and whether the image chose its place at random. */
function bootParams(stamps: readonly [bigint, bigint], kaslr: boolean): Buffer {
  const page = Buffer.alloc(4096);
  page.writeBigUInt64LE(stamps[0], 0xd0);
  page.writeBigUInt64LE(stamps[1], 0xd8);
  page.writeUInt8(kaslr ? 0x03 : 0x01, 0x211);
  return page;
}

const linesOf = (path: string): readonly string[] => readFileSync(path, "utf8").trim().split("\n");

for (const by of shells) {
  test(`${by.join(" ")}: both kernels' configuration, CPUs and KASLR, the image, and the stamps are in the capture`, () => {
    const on = newHost();
    const config = 'CONFIG_KERNEL_GZIP=y\nCONFIG_CMDLINE="root=/dev/sda1 iscsi.password=hunter2"\n';
    put(on, "proc/config.gz", gzipSync(config));
    put(on, "sys/devices/system/cpu/online", "0-2,5,8-9\n");
    const initrd = join(scratch, "initrd");
    writeFileSync(initrd, "an initrd");
    const image = imageFile({ stamped: true, magic: [0x28, 0xb5, 0x2f, 0xfd] });
    assert.equal(runRecord(on, ["arm"], by).code, 0);
    const saved = runRecord(on, ["save", "--kernel", image, "--initrd", initrd], by);
    assert.equal(saved.code, 0, saved.stderr);
    on.reboot();
    const page = bootParams([5_000_000_000n, 5_289_488_000n], true);
    put(on, "sys/kernel/boot_params/data", page);
    put(on, "sys/kernel/tracing/instances/blackout/last_boot_info", "0 [kernel]\n");
    const capture = join(scratch, `capture-${by[0]}`);
    const collected = runRecord(on, ["collect", "-o", capture], by);
    assert.equal(collected.code, 0, collected.stderr);
    assert.deepEqual(linesOf(join(capture, "old/facts")).toSorted(), [
      "compression zstd",
      "cpus 6",
      `image_bytes ${statSync(image).size}`,
      "image_release 6.19.2",
      "initrd_bytes 9",
      "stamped yes",
    ]);
    assert.deepEqual(linesOf(join(capture, "new/facts")), ["cpus 6", "kaslr on"]);
    assert.equal(Buffer.compare(readFileSync(join(capture, "new/boot_params")), page), 0);
    assert.equal(existsSync(join(capture, "old/boot_params")), false, "of the boot before the update");
    for (const boot of ["old", "new"]) {
      const kept = gunzipSync(readFileSync(join(capture, boot, "config.gz"))).toString();
      assert.equal(kept, 'CONFIG_KERNEL_GZIP=y\nCONFIG_CMDLINE="REDACTED"\n');
    }
    assert.equal(runRecord(on, ["disarm", "--discard"], by).code, 0);
    assert.equal(existsSync(join(on.root, "var/lib/blackout")), false, "nothing is left of the state folder");
  });

  test(`${by.join(" ")}: the doctor reports whether this kernel's image and the next one's are stamped`, () => {
    const on = newHost();
    const lines = (...args: string[]): string =>
      runRecord(on, ["doctor", ...args], by)
        .stdout.split("\n")
        .filter((line) => /^\S+ +(?:next-)?stamp /.test(line))
        .map((line) => line.replaceAll(/ +/g, " ").replace(/\S*bzImage/, "FILE"))
        .join("\n");
    assert.equal(lines(), "", "a kernel that does not show boot_params");
    put(on, "sys/kernel/boot_params/data", bootParams([0n, 0n], false));
    assert.equal(lines(), "note stamp this kernel was not started from a stamped image");
    put(on, "sys/kernel/boot_params/data", bootParams([7n, 1n << 40n], false));
    const started = "ok stamp this kernel was started from a stamped image";
    assert.equal(lines(), started);
    assert.equal(lines("--kernel", imageFile()), `note next-stamp FILE is not stamped\n${started}`);
    assert.equal(lines("--kernel", imageFile({ stamped: true })), `ok next-stamp FILE is stamped\n${started}`);
    const file = join(scratch, "text-bzImage");
    writeFileSync(file, "no image");
    assert.equal(lines("--kernel", file), `note next-stamp FILE cannot be read as an x86 kernel image\n${started}`);
    put(on, "sys/kernel/kexec_loaded", "1\n");
    assert.match(
      lines(),
      /^note next-stamp a kernel is loaded; whether its image is stamped cannot be read from memory/,
    );
  });

  test(`${by.join(" ")}: a kernel of the same build gets indexes instead of names of functions`, () => {
    const functions = ["do_exit", "luo_open", "luo_retrieve_file", "schedule", "pci_device_probe"];
    const on = newHost({ functions });
    put(on, "proc/version", `Linux version 6.19.2 (root@host) (gcc 12.2.0) ${BUILD}\n`);
    const filter = (...args: string[]): string =>
      /ftrace_filter=(\S*)/.exec(runRecord(on, ["kernel-cmdline", "--level", "graph", ...args], by).stdout)?.[1] ?? "";
    assert.match(filter(), /^populate_rootfs,.*luo_open/);
    assert.equal(filter("--same-build"), "2,3,5");
    assert.equal(filter("--kernel", imageFile({}, "6.19.2")), "2,3,5");
    assert.match(filter("--kernel", imageFile({}, "6.19.3")), /luo_open/, "of another release");
    put(on, "proc/version", `Linux version 6.19.2 (root@host) (gcc 12.2.0) ${BUILD.replace("11:02", "11:03")}\n`);
    assert.match(filter("--kernel", imageFile({}, "6.19.2")), /luo_open/, "of another build");
    const told = runRecord(on, ["kernel-cmdline", "--level", "graph", "--same-build"], by).stderr;
    assert.match(told, /recorded without these, .*no index:.* do_populate_rootfs/);
    put(on, "sys/kernel/tracing/available_filter_functions", "luo_open [luo]\n");
    assert.match(filter("--same-build"), /luo_open/, "functions of modules are numbered when they are loaded");
  });
}

test("the copy of memory is measured at arm, and its file is gone", () => {
  const on = newHost();
  assert.equal(runRecord(on, ["arm"]).code, 0);
  const state = join(on.root, "var/lib/blackout");
  const copy = /^copy (\d+)$/m.exec(readFileSync(join(state, "old/costs"), "utf8"));
  assert.ok(copy !== null);
  // From 1 GB/s to 1 TB/s.
  assert.ok(Number(copy[1]) > 1_000 && Number(copy[1]) < 1_000_000, copy[0]);
  assert.equal(existsSync(join(state, "copy.new")), false);
  const remote = newHost();
  put(remote, "proc/mounts", "out / 9p rw 0 0\n");
  assert.equal(runRecord(remote, ["arm"]).code, 0);
  const costs = join(remote.root, "var/lib/blackout/old/costs");
  assert.doesNotMatch(existsSync(costs) ? readFileSync(costs, "utf8") : "", /copy/);
});
