import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { after } from "node:test";
import { recordedSurroundings } from "../../testing/command-testing.js";
import { HOSTS, type HostKind, madeUpHost } from "../../testing/fakes/tracefs-tree.js";
import { madeUpImage } from "../../testing/samples/kernel-image.js";
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
  ["--plan", "--same-build"],
  ["--kernel-cmdline", "--first-boot", "--same-build"],
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

test("a kernel image is stamped, verified, and is what it was once its stamps are removed", async () => {
  const [plain, made, back] = ["plain", "made", "back"].map((name) => join(scratch, name)) as [string, string, string];
  writeFileSync(plain, madeUpImage());
  const stamped = await run("record", "stamp", plain, "-o", made);
  assert.equal(stamped.code, 0, stamped.err);
  assert.equal(stamped.out, `${made}\n`);
  assert.match(stamped.err, /stamped \(gzip; entry 0x4200, stamp 1 0x41e0, exit 0x[0-9a-f]+, stamp 2 0x[0-9a-f]+\)/);
  assert.deepEqual(
    [(await run("record", "stamp", "--verify", made)).code, (await run("record", "stamp", "--verify", plain)).code],
    [0, 1],
  );
  assert.equal((await run("record", "stamp", "--remove", made, "-o", back)).code, 0);
  assert.equal(Buffer.compare(readFileSync(back), readFileSync(plain)), 0);
  const again = await run("record", "stamp", made, "-o", back);
  assert.equal(again.code, 3);
  assert.match(again.err, /made cannot be stamped\. It is stamped already/);
});

test("a signed image is refused with the order of stamp and signature, or stamped without its signature", async () => {
  const [signed, made] = [join(scratch, "signed"), join(scratch, "unsigned")];
  writeFileSync(signed, madeUpImage({ signature: 1472 }));
  const refused = await run("record", "stamp", signed, "-o", made);
  assert.equal(refused.code, 3);
  assert.match(refused.err, /It is signed, .*Stamp the unsigned image, then sign it/);
  const dropped = await run("record", "stamp", signed, "-o", made, "--drop-signature");
  assert.equal(dropped.code, 0, dropped.err);
  assert.match(dropped.err, /is not signed: sign it/);
  assert.equal(statSync(made).size, statSync(signed).size - 1472);
});

test("what cannot be stamped is named, and nothing is written", async () => {
  const made = join(scratch, "nothing-written");
  for (const [path, why] of [
    [join(scratch, "absent"), /cannot be read: ENOENT/],
    [scratch, /cannot be read: EISDIR/],
    ["/dev/zero", /not a bzImage/],
    [process.execPath, /an ELF file/],
  ] as const) {
    const { code, err } = await run("record", "stamp", path, "-o", made);
    assert.equal(code, 3);
    assert.match(err, why);
  }
  assert.equal(existsSync(made), false);
});

for (const args of [
  ["stamp"],
  ["stamp", "x"],
  ["stamp", "--verify", "x", "-o", "y"],
  ["stamp", "--verify", "--remove", "x"],
  ["stamp", "--print", "x"],
  ["stomp", "x"],
  ["--print", "--verify"],
  ["--plan", "--drop-signature"],
]) {
  test(`record ${args.join(" ")} is wrong usage`, async () => {
    assert.equal((await run("record", ...args)).code, 2);
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
