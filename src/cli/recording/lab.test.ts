import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { after } from "node:test";
import { recordedSurroundings } from "../../testing/command-testing.js";
import { whyNoLab } from "../../testing/lab.js";
import { commands } from "../commands.js";
import { runCli } from "../frame/command-run.js";

const scratch = mkdtempSync(join(tmpdir(), "blackout-lab-cli-"));
after(() => rmSync(scratch, { recursive: true, force: true }));

async function run(...args: string[]): Promise<{ code: number; err: string }> {
  const surroundings = recordedSurroundings();
  const code = await runCli(["lab", ...args], surroundings, commands);
  return { code, err: surroundings.complained() };
}

test("a kernel that is not there is named, and nothing is made", async () => {
  const { code, err } = await run("run", "--kernel", join(scratch, "bzImage"), "--accel", "tcg");
  assert.equal(code, 3);
  assert.match(err, /There is no kernel at .*bzImage/);
  assert.equal((await run("frobnicate", "--kernel", "x")).code, 2);
  assert.equal((await run("run")).code, 2);
  const kernel = await run("kernel", "--source", join(scratch, "linux.tar.xz"), "-o", scratch);
  assert.equal(kernel.code, 3);
  assert.match(kernel.err, /There is no kernel source at .*linux\.tar\.xz/);
  assert.equal((await run("run", "--kernel", "x", "--fault", "fire")).code, 2);
});

test("a workload is refused with what it cannot be combined with, or what it needs", async (t) => {
  const refusal = async (...args: string[]): Promise<string> => {
    const { code, err } = await run("run", "--kernel", "x", ...args);
    assert.equal(code, 2);
    return err;
  };
  assert.match(await refusal("--workload", "systemd", "--fault", "panic"), /takes no --level none, --fault/);
  assert.match(await refusal("--workload", "systemd", "--level", "none"), /takes no --level none/);
  assert.match(await refusal("--workload", "selftests", "--carrier", "memfd"), /no --carrier memfd/);
  const why = whyNoLab();
  if (why !== null) return t.skip(why);
  const kernel = join(scratch, "any-kernel");
  writeFileSync(kernel, "");
  for (const [workload, needs] of [
    ["selftests", /--selftests DIR/],
    ["systemd", /--rootfs DIR/],
  ] as const) {
    const { code, err } = await run("run", "--kernel", kernel, "--accel", "tcg", "--workload", workload);
    assert.equal(code, 3);
    assert.match(err, needs);
  }
});

test("captures made otherwise are not gone on with", async (t) => {
  const why = whyNoLab();
  if (why !== null) return t.skip(why);
  const kernel = join(scratch, "kernel");
  writeFileSync(kernel, "");
  const first = join(scratch, "out/001");
  mkdirSync(first, { recursive: true });
  const common = ["run", "--kernel", kernel, "--accel", "tcg", "-o", join(scratch, "out")];
  assert.match((await run(...common)).err, /001 is there, and is not a capture/);
  const labels = { probe_level: "events", workload: "memfd-2x2", mib: "4", nics: "1", cpus: "2", fault: "none" };
  writeFileSync(join(first, "capture.json"), JSON.stringify({ labels }));
  assert.deepEqual(await run(...common), { code: 0, err: "" }, "all requested captures are there");
  const other = await run(...common, "--sessions", "3");
  assert.equal(other.code, 3);
  assert.match(other.err, /001 was made with workload memfd-2x2, not memfd-3x2/);
});
