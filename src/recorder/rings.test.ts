/** The rings: what is recorded into which, how large they are, and what is printed if the kernel refused one. */
import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import test, { after } from "node:test";
import { HOSTS, type HostKind, type MadeUpHost, madeUpHost } from "../testing/fakes/tracefs-tree.js";
import { runRecord, shells } from "../testing/recorder-runs.js";
import { parseDoctorReport } from "./recorder.js";

const scratch = mkdtempSync(join(tmpdir(), "blackout-rings-"));
after(() => rmSync(scratch, { recursive: true, force: true }));
const linux619 = HOSTS["6.19"] as HostKind;
let hosts = 0;
const host = (part: Partial<HostKind> = {}): MadeUpHost =>
  madeUpHost(mkdtempSync(join(scratch, `${hosts++}-`)), { ...linux619, commandLine: "quiet", ...part });
function withCpus(on: MadeUpHost, possible: string): MadeUpHost {
  const path = join(on.root, "sys/devices/system/cpu/possible");
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, `${possible}\n`);
  return on;
}
const RINGS = ["blackout", "blackout_luo", "blackout_vcpus", "blackout_marks"];
const value = (on: MadeUpHost, path: string): string =>
  readFileSync(join(on.tracing, "instances", path), "utf8").trim();

/** KiB of each ring that a command line reserves, by its instance. */
function reserved(words: string): ReadonlyMap<string, number> {
  const units = { K: 1, M: 1024, G: 1024 * 1024 };
  return new Map(
    [...words.matchAll(/reserve_mem=(\d+)([KMG]):4096:(\S+)/g)].map(([, size, unit, name]) => [
      name as string,
      Number(size) * units[unit as keyof typeof units],
    ]),
  );
}

for (const by of shells) {
  const shell = by.join(" ");
  test(`no event is recorded into the ring for marks (${shell})`, () => {
    for (const level of ["events", "probes"]) {
      const on = host({ rings: RINGS });
      assert.equal(runRecord(on, ["arm", "--level", level, "--with", "sched,irq,kvm"], by).code, 0);
      const marks = on
        .snapshot()
        .split("\n")
        .filter((line) => line.startsWith("instances/blackout_marks/"));
      assert.deepEqual(
        marks.filter((line) => line.endsWith("/enable=1")),
        [],
      );
      assert.equal(value(on, "blackout_luo/events/notifier/notifier_run/enable"), "1");
      assert.equal(value(on, "blackout/events/syscalls/sys_exit_ioctl/enable"), "1");
      assert.equal(value(on, "blackout/events/notifier/notifier_run/enable"), "0", "LUO's calls have their own ring");
    }
  });

  test(`what interrupts and vCPUs do at each tick is left out at the source (${shell})`, () => {
    const on = host();
    assert.equal(runRecord(on, ["arm", "--level", "events"], by).code, 0);
    assert.equal(value(on, "blackout/events/notifier/notifier_run/filter"), "!(common_flags & 8)");
    assert.match(value(on, "blackout/events/syscalls/sys_exit_ioctl/filter"), /^!\(COMM ~ "CPU \*\/KVM"\) && /);
  });

  test(`the rings grow with the possible CPUs, within 256 MiB for good (${shell})`, () => {
    const sizes = (possible: string, ...args: string[]) =>
      reserved(runRecord(withCpus(host(), possible), ["kernel-cmdline", "--for", "old", ...args], by).stdout);
    assert.deepEqual(
      [...sizes("0-1")],
      [
        ["blackout", 8_192],
        ["blackout_marks", 1_024],
      ],
    );
    const all = ["--level", "graph", "--with", "sched,irq,kvm"];
    assert.deepEqual([...sizes("0-1", ...all).keys()], RINGS);
    for (const [possible, cpus] of [
      ["0-31", 32],
      ["0-127", 128],
      ["0-223", 224],
      ["0-511", 512],
      ["0-1023", 1_024],
    ] as const) {
      for (const args of [[], all, ["--level", "markers"]]) {
        const rings = sizes(possible, ...args);
        const total = [...rings.values()].reduce((sum, kib) => sum + kib, 0);
        assert.ok(total <= 262_144, `${possible} ${args.join(" ")}: ${total} KiB`);
        for (const [name, kib] of rings)
          assert.ok(kib / cpus >= 32, `${possible} ${name}: ${kib / cpus} KiB for a CPU`);
      }
    }
    assert.equal(sizes("0-127").get("blackout_marks"), 128 * 128, "the marks of 1,000 VMs on any one CPU");
  });

  test(`a size that the kernel would refuse is refused, with one that it takes (${shell})`, () => {
    for (const [possible, args, message] of [
      [
        "0-1",
        ["--marks-size", "16K"],
        /--marks-size: 16 KiB for 2 possible CPUs; the kernel refuses .*\(-12\)\. Give 64K or more/,
      ],
      ["0-127", ["--ring-size", "1M"], /--ring-size: 1024 KiB for 128 possible CPUs.* Give 4M or more/],
      ["0,2-63", ["--level", "markers", "--marks-size", "64K"], /64 KiB for 64 possible CPUs/],
    ] as const) {
      const run = runRecord(withCpus(host(), possible), ["kernel-cmdline", "--for", "old", ...args], by);
      assert.equal(run.code, 3);
      assert.match(run.stderr, message);
      assert.equal(run.stdout, "");
    }
  });

  test(`the doctor names a ring that the kernel refused, and kernel-cmdline prints words that cure it (${shell})`, () => {
    const words =
      "reserve_mem=8M:4096:blackout trace_instance=blackout^traceoff@blackout reserve_mem=1M:4096:blackout_marks trace_instance=blackout_marks^traceoff@blackout_marks reserve_mem=2M:4096:oops";
    const on = withCpus(host({ commandLine: words, rings: ["blackout"] }), "0-127");
    const report = parseDoctorReport(runRecord(on, ["doctor", "--json"], by).stdout);
    const check = report?.checks.find(({ code }) => code === "rings");
    assert.equal(check?.status, "fail");
    assert.match(
      check?.found ?? "",
      /blackout_marks \(1M\); it refuses \(-12\) what has less than 16 KiB for each of 128/,
    );
    const cured = runRecord(on, ["kernel-cmdline", "--for", "old"], by).stdout;
    assert.deepEqual(
      [...reserved(cured)],
      [
        ["blackout", 32_768],
        ["blackout_marks", 16_384],
        ["oops", 2_048],
      ],
    );
    const next = runRecord(on, ["kernel-cmdline"], by).stdout;
    assert.equal(reserved(next).get("blackout"), 8_192, "the next kernel finds a ring only by this one's words");
  });

  test(`the doctor prints what the rings take, and each CPU's share (${shell})`, () => {
    const words = runRecord(withCpus(host(), "0-31"), ["kernel-cmdline", "--for", "old"], by).stdout.trim();
    const on = withCpus(host({ commandLine: words }), "0-31");
    assert.match(
      runRecord(on, ["doctor"], by).stdout,
      /ok {4}rings +the rings take 12M of memory; of each of 32 possible CPUs: blackout 256 KiB, blackout_marks 128 KiB\n/,
    );
    const small = "reserve_mem=512K:4096:blackout trace_instance=blackout^traceoff@blackout";
    const on512 = withCpus(host({ commandLine: small, rings: ["blackout"] }), "0-31");
    assert.match(runRecord(on512, ["doctor"], by).stdout, /note {2}rings .*blackout keeps less than 32 KiB for a CPU/);
  });

  test(`each ring becomes a part of the capture, with the kernel's size of it (${shell})`, () => {
    const on = host({ rings: RINGS });
    assert.equal(runRecord(on, ["arm", "--level", "events", "--with", "kvm"], by).code, 0);
    on.reboot();
    writeFileSync(join(on.tracing, "instances/blackout/last_boot_info"), "ffffffff81000000\t[kernel]\n");
    for (const name of RINGS) {
      writeFileSync(join(on.tracing, "instances", name, "per_cpu/cpu0/buffer_size_kb"), "19\n");
      writeFileSync(join(on.tracing, "instances", name, "per_cpu/cpu0/trace_pipe_raw"), `pages of ${name}`);
    }
    const to = join(on.root, "capture");
    const run = runRecord(on, ["collect", "-o", to], by);
    assert.equal(run.code, 0, run.stderr);
    const manifest = JSON.parse(readFileSync(join(to, "capture.json"), "utf8"));
    assert.deepEqual(manifest.boots.old.rings, ["luo", "vcpus"]);
    for (const [part, name] of [
      ["ring", "blackout"],
      ["luo", "blackout_luo"],
      ["vcpus", "blackout_vcpus"],
      ["marks", "blackout_marks"],
    ] as const) {
      assert.equal(readFileSync(join(to, part, "per_cpu/cpu0/trace_pipe_raw"), "utf8"), `pages of ${name}`);
      assert.equal(readFileSync(join(to, part, "per_cpu/cpu0/buffer_size_kb"), "utf8"), "19\n");
      assert.match(manifest.sha256[`${part}/per_cpu/cpu0/trace_pipe_raw`], /^[0-9a-f]{64}$/);
      assert.equal(manifest.parts[part].boot_id, "first");
    }
    assert.equal(runRecord(on, ["disarm"], by).code, 0);
    assert.ok(!existsSync(join(on.root, "var/lib/blackout")));
  });

  test(`which process each thread is of is saved in both kernels (${shell})`, () => {
    const on = host();
    for (const thread of ["70/task/70", "70/task/71", "90/task/90"])
      mkdirSync(join(on.root, "proc", thread), { recursive: true });
    writeFileSync(join(on.tracing, "saved_tgids"), "12 12\n");
    assert.equal(runRecord(on, ["arm"], by).code, 0);
    on.reboot();
    writeFileSync(join(on.tracing, "instances/blackout/last_boot_info"), "ffffffff81000000\t[kernel]\n");
    const to = join(on.root, "capture");
    assert.equal(runRecord(on, ["collect", "-o", to], by).code, 0);
    const threads = readFileSync(join(to, "old/saved_tgids"), "utf8");
    assert.deepEqual(threads.trim().split("\n").sort(), ["12 12", "70 70", "71 70", "90 90"]);
    assert.match(readFileSync(join(to, "new/saved_tgids"), "utf8"), /^71 70$/m);
  });
}
