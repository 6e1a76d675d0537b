/** The release of the kernel that is loaded, by which an update that died in it is named. */
import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { after } from "node:test";
import { gzipSync } from "node:zlib";
import { HOSTS, type HostKind, type MadeUpHost, madeUpHost } from "../testing/fakes/tracefs-tree.js";
import { projectRoot } from "../testing/places.js";
import { runRecord, shells } from "../testing/recorder-runs.js";
import { readUpdate } from "../testing/samples/captures.js";

const scratch = mkdtempSync(join(tmpdir(), "blackout-loaded-"));
after(() => rmSync(scratch, { recursive: true, force: true }));
let made = 0;
const host = (): MadeUpHost => madeUpHost(mkdtempSync(join(scratch, `${made++}-`)), HOSTS["6.19"] as HostKind);
const fileOf = (content: Buffer | string): string => {
  const path = join(scratch, `image-${made++}`);
  writeFileSync(path, content);
  return path;
};

/** A bzImage as far as its header: HdrS at 0x202, at 0x20e where the version is, counted from 0x200. */
function bzImage(version: string, at = 0x3000): Buffer {
  const image = Buffer.alloc(0x4000);
  image.write("HdrS", 0x202, "latin1");
  image.writeUInt16LE(at, 0x20e);
  if (at < 0x3f00) image.write(`${version}\0`, 0x200 + at, "latin1");
  return image;
}

const banner = "\0\0MZ\0Linux version %s (%s)\n\0Linux version 6.12.1-arm64 (builder) (gcc) #1 SMP\n\0";

test("the loaded image's release is saved: of x86's header, of the kernel's first line, packed or not", () => {
  for (const [image, release] of [
    [bzImage("7.4.0-rc1-luo (root@vm) #2 SMP PREEMPT"), "7.4.0-rc1-luo"],
    [bzImage("7.3.4+deb13-amd64 (x) #1", 0x100), "7.3.4+deb13-amd64"],
    [Buffer.from(banner), "6.12.1-arm64"],
    [gzipSync(banner), "6.12.1-arm64"],
  ] as const) {
    for (const by of shells) {
      const on = host();
      const armed = runRecord(on, ["arm", "--level", "markers", "--kernel", fileOf(image)], by);
      assert.equal(armed.code, 0, armed.stderr);
      const facts = join(on.root, "var/lib/blackout/old/facts");
      assert.ok(readFileSync(facts, "utf8").split("\n").includes(`image_release ${release}`));
      assert.equal(runRecord(on, ["disarm"], by).code, 0);
    }
  }
});

test("a file that is not a kernel image, or cannot be read, is reported, and names nothing", () => {
  for (const image of [
    fileOf("#!/bin/sh\n"),
    fileOf(bzImage("\x1b[31m")),
    fileOf(bzImage("7", 0xffff)),
    fileOf(""),
    scratch,
    join(scratch, "missing"),
    "/dev/zero",
  ]) {
    for (const by of shells) {
      const on = host();
      const armed = runRecord(on, ["arm", "--level", "markers", "--kernel", image], by);
      assert.equal(armed.code, 0, armed.stderr);
      assert.match(armed.stderr, /not a kernel image that names its release/, image);
      assert.ok(!existsSync(join(on.root, "var/lib/blackout/old/facts")), image);
    }
  }
});

test("an update that died is named by the image that `save` was given, else by that of `arm`", async () => {
  for (const [armed, saved, named] of [
    ["7.4.0-rc1", null, "7.4.0-rc1"],
    ["7.4.0-rc1", "7.4.0-rc2", "7.4.0-rc2"],
    [null, "7.4.0-rc3", "7.4.0-rc3"],
    [null, null, null],
  ] as const) {
    const given = (version: string | null): readonly string[] =>
      version === null ? [] : ["--kernel", fileOf(bzImage(`${version} (x) #1`))];
    const on = host();
    assert.equal(runRecord(on, ["arm", ...given(armed)]).code, 0);
    assert.equal(runRecord(on, ["save", ...given(saved)]).code, 0);
    on.reboot();
    const to = join(scratch, `capture-${made++}.tar.gz`);
    assert.equal(runRecord(on, ["collect", "-o", to]).code, 0);
    const { collected } = await readUpdate(to);
    assert.equal(collected.collected.kernel.new, named);
  }
});

test("real images name their release", (t) => {
  const image = join(projectRoot, "../shared/lab/bzImage-7.3.4-luo");
  if (!existsSync(image)) return t.skip(`there is no ${image}`);
  const on = host();
  assert.equal(runRecord(on, ["arm", "--level", "markers", "--kernel", image]).code, 0);
  assert.match(readFileSync(join(on.root, "var/lib/blackout/old/facts"), "utf8"), /^image_release 7\.3\.4-luo\n/);
});
