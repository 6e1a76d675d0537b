import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";
import { kernelOptions, newestSource, optionsNotTaken } from "./kernel.js";

test("the newest source with LUO is taken, by number", () => {
  const sources = ["linux-source-6.12.tar.xz", "linux-source-7.2.tar.xz", "linux-source-7.10.tar.xz", "linux-patch.xz"];
  assert.equal(newestSource(sources), "linux-source-7.10.tar.xz");
  assert.equal(newestSource(["linux-source-6.18.tar.xz"]), null, "6.19 is the first with LUO");
});

test("options that Kconfig dropped are reported", () => {
  const config = "CONFIG_A=y\n# CONFIG_B is not set\nCONFIG_D=y\n";
  assert.deepEqual(optionsNotTaken("CONFIG_A=y\nCONFIG_B=y\nCONFIG_C=n\nCONFIG_D=n\n", config), [
    "CONFIG_B=y",
    "CONFIG_D=n",
  ]);
});

test("the shipped options enable what a live update needs", () => {
  const lines = readFileSync(kernelOptions, "utf8").split("\n");
  // kexec_file_load refuses a kernel that is not relocatable (bzImage64_probe); the recorder distinguishes boots by
  // /proc/sys.
  for (const name of [
    "RELOCATABLE",
    "SYSCTL",
    "MISC_FILESYSTEMS",
    "NET_CORE",
    "KEXEC_HANDOVER",
    "LIVEUPDATE",
    "LIVEUPDATE_MEMFD",
    "KPROBE_EVENTS",
    "9P_FS",
  ])
    assert.ok(lines.includes(`CONFIG_${name}=y`), name);
});
