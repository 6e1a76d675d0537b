import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { after } from "node:test";
import { recordedSurroundings } from "../../testing/command-testing.js";
import { HOSTS, type HostKind, madeUpHost } from "../../testing/fakes/tracefs-tree.js";
import { commands } from "../commands.js";
import { runCli } from "../frame/command-run.js";

const scratch = mkdtempSync(join(tmpdir(), "blackout-record-"));
after(() => rmSync(scratch, { recursive: true, force: true }));

async function run(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  const surroundings = recordedSurroundings();
  const code = await runCli(args, surroundings, commands);
  return { code, out: surroundings.written(), err: surroundings.complained() };
}

test("what is printed and what is installed is the recorder, and it runs", async () => {
  const printed = await run("record", "--print");
  const folder = join(scratch, "sbin");
  const installed = await run("record", "--install", folder);
  assert.equal(installed.out, `${join(folder, "blackout-recorder")}\n`);
  const path = installed.out.trim();
  assert.equal(readFileSync(path, "utf8"), printed.out);
  assert.equal(statSync(path).mode & 0o777, 0o755);
  assert.match(spawnSync(path, ["--help"], { encoding: "utf8" }).stdout, /^usage: /);
});

test("a folder that cannot be made is reported", async () => {
  const { code, err } = await run("record", "--install", "/proc/nowhere");
  assert.equal(code, 3);
  assert.match(err, /cannot be installed/);
});

for (const args of [[], ["--print", "--plan"]]) {
  test(`record ${args.join(" ")} asks for one thing to do`, async () => {
    assert.equal((await run("record", ...args)).code, 2);
  });
}

test("the kernel's command line grows with the level", async () => {
  const words = async (level: string): Promise<string> =>
    (await run("record", "--kernel-cmdline", "--level", level)).out;
  assert.match(await words("markers"), /trace_event=printk:console$/m);
  assert.match(await words("events"), /trace_event=printk:console,\S*initcall:\*/);
  assert.match(await words("graph"), /ftrace=function_graph ftrace_filter=\S*pci_device_probe/);
  assert.doesNotMatch((await run("record", "--kernel-cmdline", "--first-boot")).out, /trace_event/);
});

test("a bootconfig is printed, or stands at the end of a copy of an initrd", async () => {
  const asked = ["record", "--kernel-cmdline", "--bootconfig", "--level", "probes"];
  const printed = await run(...asked);
  assert.match(printed.out, /^kernel\.trace_event = "printk:console,/m);
  assert.match(printed.out, /^ftrace\.event\.kprobes\.luo_open_ret \{ probes = "luo_open%return ret=\$retval:s32"/m);
  const [initrd, copy] = [join(scratch, "initrd"), join(scratch, "initrd.next")];
  writeFileSync(initrd, "an initrd");
  const made = await run(...asked, "--initrd", initrd, "-o", copy);
  assert.equal(made.code, 0, made.err);
  assert.ok(readFileSync(copy, "latin1").startsWith(`an initrd${printed.out}`));
  assert.match(made.err, /the next kernel's command line needs: bootconfig kho=on liveupdate=on/);
});

for (const options of [
  ["--plan", "--backup"],
  ["--plan", "--first-boot"],
  ["--kernel-cmdline", "--same-build"],
  ["--kernel-cmdline", "--first-boot", "--bootconfig"],
  ["--kernel-cmdline", "--bootconfig", "--initrd", "x"],
  ["--kernel-cmdline", "--initrd", "x", "-o", "y"],
  ["--kernel-cmdline", "--probes", "fprobe"],
  ["--kernel-cmdline", "--bootconfig", "--reuse-cmdline"],
]) {
  test(`record ${options.join(" ")} is refused with the reason`, async () => {
    const { code, err } = await run("record", ...options);
    assert.equal(code, 2);
    assert.match(err, /--[a-z-]+.*: (?:is|before)|go together/);
  });
}

test("the doctor's answer is its exit code", async () => {
  const { root } = madeUpHost(mkdtempSync(join(scratch, "host-")), HOSTS["6.12"] as HostKind);
  const events = await run("doctor", "--root", root, "--level", "events");
  assert.equal(events.code, 0);
  assert.match(events.out, /^Linux 6\.12\.9 can record up to level events\n/);
  const probes = await run("doctor", "--root", root, "--level", "probes");
  assert.equal(probes.code, 1);
  assert.match(probes.out, /fail {2}probes .*\n.*-> a kernel with CONFIG_LIVEUPDATE=y/);
  const json = JSON.parse((await run("doctor", "--root", root, "--json")).out);
  assert.equal(json.ready, "events");
});

test("the lab refuses what it cannot start", async () => {
  const nothing = await run("lab", "run", "--kernel", join(scratch, "nothing"));
  assert.equal(nothing.code, 3);
  assert.match(nothing.err, /There is no kernel at/);
  assert.equal((await run("lab", "walk", "--kernel", "x")).code, 2);
});
