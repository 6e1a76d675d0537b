import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { after } from "node:test";
import { labWanted, whyNoLab, withLiveUpdate } from "../../testing/lab.js";
import { parseTruth, symbolsOf } from "./truth.js";

const scratch = mkdtempSync(join(tmpdir(), "blackout-truth-"));
after(() => rmSync(scratch, { recursive: true, force: true }));

test("symbols are read from kallsyms, the first of equal names", () => {
  const symbols = symbolsOf(
    "ffffffff81000000 T _text\r\nffffffff81f9ffb0 T startup_64\nffffffff82000000 t startup_64\nnoise\n",
  );
  assert.deepEqual(
    [...symbols],
    [
      ["_text", 0xffffffff81000000n],
      ["startup_64", 0xffffffff81f9ffb0n],
    ],
  );
});

test("the plugin's counts are stages in the order of time; anything else is not", () => {
  assert.deepEqual(parseTruth("machine_kexec 0\nimage_entry 2938038\n"), {
    stages: [
      { name: "machine_kexec", ns: 0 },
      { name: "image_entry", ns: 2_938_038 },
    ],
  });
  for (const text of ["", "machine_kexec\n", "machine_kexec -1\n", "a 2\nb 1\n", "machine_kexec 0 1\n"]) {
    assert.equal(parseTruth(text), null, text);
  }
});

test("the plugin is built from the project's own source, without a header of QEMU's", (t) => {
  if (spawnSync("gcc", ["--version"]).status !== 0) return t.skip("gcc is not installed");
  for (const version of ["1", "2"]) {
    const flags = ["-O2", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", `-DAPI_VERSION=${version}`];
    const source = join(import.meta.dirname, "seam-plugin.c");
    const built = spawnSync("gcc", [...flags, "-o", join(scratch, "plugin.so"), source], { encoding: "utf8" });
    assert.equal(built.status, 0, built.stderr);
  }
});

/** Two instructions apart, and a few blocks that a page fault restarts are counted twice. */
const WITHIN_NS = 10_000;

const why = labWanted ? whyNoLab("7.3.4") : "LAB=all is not set";
for (const level of ["markers", "events", "probes", "graph"] as const) {
  test(`level ${level}: the stamps of a real update agree with its instructions`, { skip: why ?? false }, async () => {
    const options = { level, fault: "none", stamp: true, truth: true, accelerator: "icount" } as const;
    await withLiveUpdate("7.3.4", "7.3.4", options, async ({ path }) => {
      const page = readFileSync(join(path, "new/boot_params"));
      const unpacked = Number(page.readBigUInt64LE(0xd8) - page.readBigUInt64LE(0xd0));
      const truth = JSON.parse(readFileSync(join(path, "truth.json"), "utf8"));
      const at = (name: string): number =>
        truth.stages.find((stage: { readonly name: string }) => stage.name === name)?.ns ?? Number.NaN;
      const counted = at("unpacked_entry") - at("image_entry");
      assert.ok(Math.abs(unpacked - counted) <= WITHIN_NS, `${unpacked} ns by stamps, ${counted} ns counted`);
      // gzip of 6.6 MB: 288 M instructions.
      assert.ok(counted > 200e6 && counted < 400e6);
    });
  });
}
