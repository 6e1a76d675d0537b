import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import test, { after } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { gunzipSync } from "node:zlib";
import { seededRandom } from "../base/numbers/random.js";
import { type BtfStruct, makeBtf } from "../testing/fakes/btf.js";
import { HOSTS, type HostKind, type MadeUpHost, madeUpHost } from "../testing/fakes/tracefs-tree.js";
import { assertGolden } from "../testing/golden.js";
import { projectRoot } from "../testing/places.js";
import { type Run, runRecord, shell, shells } from "../testing/recorder-runs.js";
import { readUpdate } from "../testing/samples/captures.js";
import { parseDoctorReport, recorderPath } from "./recorder.js";

const scratch = mkdtempSync(join(tmpdir(), "blackout-recorder-"));
after(() => rmSync(scratch, { recursive: true, force: true }));
let hosts = 0;
const host = (kind: HostKind): MadeUpHost => madeUpHost(mkdtempSync(join(scratch, `${hosts++}-`)), kind);

test("shellcheck finds nothing", (t) => {
  if (spawnSync("shellcheck", ["--version"]).error !== undefined) return t.skip("shellcheck is not installed");
  const lab = ["guest/guest-init.sh", "guest/tracefs-state.sh", "root/systemd/lab.sh"].map((file) =>
    join(projectRoot, "src/lab", file),
  );
  for (const script of [recorderPath, join(projectRoot, "packaging/hooks/blackout-vm"), ...lab]) {
    const run = spawnSync("shellcheck", ["-S", "style", "-s", "sh", script], { encoding: "utf8" });
    assert.equal(run.status, 0, run.stdout);
  }
});

test("both shells are tried", (t) => {
  if (shells.length < 2) t.skip("dash or busybox is not installed");
});

const golden = join(projectRoot, "src/recorder/doctor.golden");
for (const [age, kind] of Object.entries(HOSTS)) {
  test(`the doctor of Linux ${age} lists what is missing`, () => {
    const on = host(kind);
    for (const by of shells) {
      const run = runRecord(on, ["doctor", "--level", "graph"], by);
      const text = run.stdout.replaceAll(on.root, "");
      assertGolden(join(golden, `${age}.txt`), text);
      const json = parseDoctorReport(runRecord(on, ["doctor", "--json", "--level", "graph"], by).stdout);
      assert.equal(run.code, json?.ready === "graph" ? 0 : 1);
    }
  });

  test(`on Linux ${age} a plan changes nothing, and disarming undoes everything`, () => {
    const on = host(kind);
    const before = on.snapshot();
    // The shells take turns: what differs between them differs at all levels.
    for (const [turn, level] of ["markers", "events", "probes", "graph"].entries()) {
      for (const by of shells.filter((_, i) => i === turn % shells.length)) {
        assert.equal(runRecord(on, ["plan", "--level", level], by).code, 0);
        assert.equal(on.snapshot(), before);
        const armed = runRecord(on, ["arm", "--level", level], by);
        assert.equal(armed.code, 0, armed.stderr);
        assert.notEqual(on.snapshot(), before, `${level}: something is recorded`);
        assert.equal(runRecord(on, ["arm"], by).code, 3, "armed twice, the first is not lost");
        const disarmed = runRecord(on, ["disarm"], by);
        assert.equal(disarmed.code, 0, disarmed.stderr);
        assert.equal(on.snapshot(), before, level);
        assert.ok(!existsSync(join(on.root, "var/lib/blackout")), "no state is left");
      }
    }
  });
}

test("a plan lists each write that arming then makes", () => {
  const on = host(HOSTS["6.19"] as HostKind);
  const planned = runRecord(on, ["plan", "--level", "probes"])
    .stdout.split("\n")
    .flatMap((line) => /^write {2}(\S+) {2}(.*?) {2}#/.exec(line)?.slice(1, 3).join("=") ?? []);
  assert.equal(runRecord(on, ["arm", "--level", "probes"]).code, 0);
  const found = on.snapshot().split("\n");
  assert.ok(planned.length > 10);
  // The kernel creates the probes' folder; a made-up tree does not imitate this.
  for (const write of planned.filter((line) => !line.includes("events/blackout")))
    assert.ok(found.includes(write), write);
});

test("the place of what probes read comes from the kernel's BTF, else from its version, else it is not recorded", () => {
  const planned = (on: MadeUpHost, by: readonly string[]): string =>
    runRecord(on, ["plan", "--level", "probes"], by).stdout;
  const on = host(HOSTS["6.19"] as HostKind);
  const btf = join(on.root, "sys/kernel/btf/vmlinux");
  mkdirSync(dirname(btf), { recursive: true });
  const unknown = planned(on, shell);
  assert.match(unknown, /blackout\/luo_preserve_file luo_preserve_file token=\$arg2:x64/);
  assert.match(unknown, /left out: where Linux 6\.19\.2 keeps what these read is not known/);
  const random = seededRandom(19);
  for (let round = 0; round < 10; round++) {
    const at = (): number => random.below(500);
    const [name, fileSet, handler, data, compatible] = [at(), at(), at(), at(), at()];
    const structs: BtfStruct[] = [
      {
        name: "luo_session",
        members: [
          ["list", at()],
          ["name", name],
          ["file_set", fileSet],
        ],
        flagged: round % 2 === 0,
      },
      {
        name: "liveupdate_file_op_args",
        members: [
          ["handler", handler],
          ["serialized_data", data],
          ["name", at()],
        ],
      },
      {
        name: "liveupdate_file_handler",
        members: [
          ["ops", at()],
          ["compatible", compatible],
        ],
      },
      {
        name: "unrelated",
        members: [
          ["name", at()],
          ["handler", at()],
        ],
      },
    ];
    writeFileSync(btf, makeBtf(structs, random));
    const plan = planned(on, shells[round % shells.length] ?? shell);
    const offset = name - fileSet;
    assert.ok(plan.includes(` session=${offset < 0 ? "" : "+"}${offset}($arg1):string token=`), plan);
    assert.ok(plan.includes(` compat=+${compatible}(+${handler}($arg1)):string`), plan);
    assert.doesNotMatch(plan, /not known/);
  }
  for (const hostile of ["", "x", Buffer.alloc(24, 255), makeBtf([], random).subarray(0, 30)]) {
    writeFileSync(btf, hostile);
    assert.equal(planned(on, shell), unknown, "a file that is not BTF is ignored");
  }
});

test("the result of the old kernel's BTF is used in a new kernel of the same build, and in no other", () => {
  for (const [next, session] of [
    ["#1 same", "session=-40"],
    ["#2 other", null],
  ] as const) {
    const on = host(HOSTS["6.19"] as HostKind);
    const btf = join(on.root, "sys/kernel/btf/vmlinux");
    mkdirSync(dirname(btf), { recursive: true });
    writeFileSync(
      btf,
      makeBtf(
        [
          {
            name: "luo_session",
            members: [
              ["name", 8],
              ["file_set", 48],
            ],
          },
        ],
        seededRandom(1),
      ),
    );
    writeFileSync(join(on.root, "proc/version"), "#1 same\n");
    assert.equal(runRecord(on, ["arm", "--level", "probes"]).code, 0);
    on.reboot();
    writeFileSync(join(on.root, "proc/version"), `${next}\n`);
    writeFileSync(join(on.tracing, "instances/blackout/last_boot_info"), "ffffffff81000000\t[kernel]\n");
    assert.equal(runRecord(on, ["arm"]).code, 0);
    const probes = readFileSync(join(on.tracing, "dynamic_events"), "utf8");
    assert.equal(/luo_retrieve_file (session=\S+)\(/.exec(probes)?.[1] ?? null, session);
  }
});

test("a ring that another program records into is left alone", () => {
  const on = host(HOSTS["6.19"] as HostKind);
  writeFileSync(join(on.tracing, "instances/blackout/tracing_on"), "1\n");
  const before = on.snapshot();
  const run = runRecord(on, ["arm"]);
  assert.equal(run.code, 3);
  assert.match(run.stderr, /recording for someone else/);
  assert.equal(on.snapshot(), before);
});

test("if nothing is armed, a mark and a collection touch nothing, and end with 3 and a sentence", () => {
  for (const by of shells) {
    const on = host(HOSTS["6.19"] as HostKind);
    const before = on.snapshot();
    for (const args of [
      ["mark", "luo: vm_pause"],
      ["collect", "-o", join(on.root, "capture")],
    ]) {
      const run = runRecord(on, args, by);
      assert.equal(run.code, 3, args[0]);
      assert.match(run.stderr, /nothing is armed in /);
      assert.equal(on.snapshot(), before);
    }
  }
});

test("marks go to their own ring, and do not fail if one cannot be written", () => {
  const on = host(HOSTS["6.19"] as HostKind);
  runRecord(on, ["arm"]);
  assert.equal(runRecord(on, ["mark", "luo:", "vm_pause", "vm=7"]).code, 0);
  const marked = readFileSync(join(on.tracing, "instances/blackout_marks/trace_marker"), "utf8");
  assert.match(marked, /^blackout: update=[0-9a-f]{32}luo: vm_pause vm=7$/);
});

test("a capture of an update: the old kernel's files, the rings, the new kernel's; secrets left out", async () => {
  for (const by of shells) {
    const on = host(HOSTS["6.19"] as HostKind);
    assert.equal(runRecord(on, ["arm", "--level", "probes"], by).code, 0);
    assert.equal(runRecord(on, ["save"], by).code, 0);
    // busybox's date has no nanoseconds.
    const marksClock = (file: string): boolean =>
      /clock: realtime=\d{10}\.\d{9}$/.test(readFileSync(join(on.tracing, file), "utf8"));
    assert.equal(marksClock("instances/blackout_marks/trace_marker"), by.length === 1);
    on.reboot();
    writeFileSync(join(on.tracing, "instances/blackout/last_boot_info"), "ffffffff81000000\t[kernel]\n");
    assert.equal(runRecord(on, ["arm"], by).code, 0);
    assert.equal(
      readFileSync(join(on.tracing, "trace_marker"), "utf8"),
      "luo: recorder_arm beginluo: recorder_arm end",
      "the time of arming in the new kernel is reported",
    );
    const pstore = join(on.root, "sys/fs/pstore");
    mkdirSync(pstore, { recursive: true });
    const said = "[    0.000000] Kernel command line: a.password=hunter5 b=c\n[    9.000000] the last\n";
    writeFileSync(join(pstore, "console-ramoops-0"), `d=hunter4\n${said}\nECC: No errors detected\n`);
    writeFileSync(join(pstore, "dmesg-ramoops-0"), `Panic#1 Part1\n${said}`);
    writeFileSync(join(pstore, "dmesg-ramoops-1.enc.z"), "hunter6");
    const to = join(on.root, "capture");
    const run = runRecord(on, ["collect", "-o", to, "--name", 'a "name"', "--label", "rack=b 7"], by);
    assert.equal(run.code, 0, run.stderr);
    assert.equal(marksClock("trace_marker"), by.length === 1);
    const manifest = JSON.parse(readFileSync(join(to, "capture.json"), "utf8"));
    assert.equal(manifest.name, 'a "name"');
    assert.deepEqual(manifest.boots, {
      old: { files: "old", ring: "ring", marks: "marks", boot_id: "first" },
      new: { files: "new", boot_id: "second" },
    });
    assert.deepEqual(manifest.labels, { probe_level: "probes", rack: "b 7" });
    const codes = manifest.not_recorded.map(({ code }: { code: string }) => code);
    assert.ok(codes.includes("pstore-packed"));
    const kept = said.replace("hunter5", "REDACTED");
    const found = (name: string): string => readFileSync(join(to, "pstore", name), "utf8");
    assert.equal(found("console-ramoops-0"), `...\n${kept}\nECC: No errors detected\n`);
    assert.equal(found("dmesg-ramoops-0"), `Panic#1 Part1\n${kept}`);
    assert.ok(codes.includes("offset-unknown"), "6.19's offset of a session's name is not in the table");
    for (const file of readdirSync(to, { recursive: true, withFileTypes: true }).filter((each) => each.isFile())) {
      const bytes = readFileSync(join(file.parentPath, file.name));
      const text = (file.name.endsWith(".gz") ? gunzipSync(bytes) : bytes).toString("latin1");
      assert.doesNotMatch(text, /hunter/, `${file.parentPath}/${file.name}`);
    }
    assert.match(
      readFileSync(join(to, "old/cmdline"), "utf8"),
      /iscsi\.password=REDACTED nfs=nfs:\/\/REDACTED@10\.0\.0\.1/,
    );
    assert.match(
      gunzipSync(readFileSync(join(to, "old/formats.gz"))).toString(),
      /^printk\/console\/format:name: console$/m,
    );
    assert.equal((await readUpdate(to)).capture.labels.rack, "b 7");
    assert.equal(runRecord(on, ["disarm"], by).code, 0);
    assert.ok(!existsSync(join(on.root, "var/lib/blackout")));
  }
});

test("files that systemd-pstore moved in this boot are collected, and none of earlier boots", () => {
  for (const by of shells) {
    const on = host(HOSTS["6.19"] as HostKind);
    assert.equal(runRecord(on, ["arm", "--level", "markers"], by).code, 0);
    on.reboot();
    writeFileSync(join(on.root, "proc/stat"), "cpu 1 2\nbtime 1790000000\n");
    const pstore = join(on.root, "sys/fs/pstore");
    const archive = join(on.root, "var/lib/systemd/pstore");
    for (const folder of [pstore, join(archive, "7")]) mkdirSync(folder, { recursive: true });
    const leave = (path: string, seconds: number): void => {
      writeFileSync(path, `[    0.000000] of ${seconds}\n`);
      utimesSync(path, seconds, seconds);
    };
    leave(join(archive, "console-ramoops-0"), 1790000002);
    leave(join(archive, "dmesg-ramoops-0"), 1789999000);
    leave(join(archive, "7/dmesg-efi-1"), 1790000003);
    leave(join(pstore, "dmesg-ramoops-1"), 1789999999);
    leave(join(archive, "dmesg-ramoops-1"), 1790000004);
    const to = join(on.root, "capture");
    const run = runRecord(on, ["collect", "-o", to], by);
    assert.equal(run.code, 0, run.stderr);
    const found = readdirSync(join(to, "pstore")).map((name) => [name, readFileSync(join(to, "pstore", name), "utf8")]);
    assert.deepEqual(Object.fromEntries(found), {
      "console-ramoops-0": "[    0.000000] of 1790000002\n",
      "dmesg-efi-1": "[    0.000000] of 1790000003\n",
      "dmesg-ramoops-1": "[    0.000000] of 1789999999\n",
    });
  }
});

test("formats that have changed since arming are saved, also without a program for checksums", () => {
  const on = host(HOSTS["6.19"] as HostKind);
  const bin = join(on.root, "bin");
  mkdirSync(bin);
  const tools =
    "awk cat cut date dd dirname grep gzip head ls ln mkdir mv od rm rmdir sed sleep sort sync tail tr uname wc";
  const found = (tool: string): string => spawnSync("which", [tool], { encoding: "utf8" }).stdout.trim();
  for (const tool of [...tools.split(" "), ...shell.slice(0, 1)]) symlinkSync(found(tool), join(bin, tool));
  for (const path of [on.env.PATH, bin]) {
    const env = { ...on.env, PATH: path };
    const run = (...args: string[]): Run => runRecord({ ...on, env }, args);
    assert.equal(run("arm", "--level", "markers").code, 0);
    const format = join(on.tracing, `events/later/of_${path === bin}/format`);
    mkdirSync(dirname(format), { recursive: true });
    writeFileSync(format, "name: later\nID: 9\n");
    assert.equal(run("save").code, 0);
    const saved = gunzipSync(readFileSync(join(on.root, "var/lib/blackout/old/formats.gz"))).toString();
    assert.ok(saved.includes(`later/of_${path === bin}/format:ID: 9`));
    assert.equal(run("disarm").code, 0);
  }
});

test("in a boot that is not the update's, only the saved files are collected", () => {
  const on = host(HOSTS["6.19"] as HostKind);
  runRecord(on, ["arm"]);
  on.reboot();
  const to = join(on.root, "capture.tar.gz");
  assert.equal(runRecord(on, ["collect", "-o", to]).code, 0);
  const members = spawnSync("tar", ["-tzf", to], { encoding: "utf8" }).stdout.split("\n");
  assert.ok(members.includes("capture/old/uname"));
  assert.ok(!members.some((member) => /capture\/(?:new|ring)/.test(member)));
});

test("what was not collected survives a disarm", () => {
  const on = host(HOSTS["6.19"] as HostKind);
  runRecord(on, ["arm"]);
  on.reboot();
  assert.equal(runRecord(on, ["disarm"]).code, 0);
  assert.ok(existsSync(join(on.root, "var/lib/blackout/old/uname")));
  assert.equal(runRecord(on, ["disarm", "--discard"]).code, 0);
  assert.ok(!existsSync(join(on.root, "var/lib/blackout")));
});

test("the next kernel gets the rings of this one, with the same words", () => {
  const on = host(HOSTS["6.12"] as HostKind);
  const words = runRecord(on, ["kernel-cmdline", "--level", "events"]).stdout.trim().split(" ");
  for (const word of [
    "reserve_mem=8M:4096:trace",
    "trace_instance=boot_map^traceoff@trace",
    "kho=on",
    "trace_clock=x86-tsc",
  ])
    assert.ok(words.includes(word), word);
  assert.equal(words.filter((word) => word.startsWith("reserve_mem=")).length, 1);
});

test("at level markers there is one ring, which costs the next kernel less than two", () => {
  const on = host(HOSTS["6.19"] as HostKind);
  writeFileSync(join(on.root, "proc/cmdline"), "quiet\n");
  const rings = (...args: string[]): readonly string[] =>
    runRecord(on, ["kernel-cmdline", "--for", "old", ...args]).stdout.match(/(?:reserve_mem|trace_instance)=\S+/g) ??
    [];
  const one = ["reserve_mem=1M:4096:blackout", "trace_instance=blackout^traceoff@blackout"];
  assert.deepEqual(rings("--level", "markers"), one);
  assert.equal(rings("--level", "markers", "--with", "sched").length, 4);
  assert.equal(rings("--level", "events").length, 4);
});

test("the next kernel's buffers are as large as the level needs, and bounded over all CPUs", () => {
  const on = host(HOSTS["6.19"] as HostKind);
  const size = (...args: string[]): string | undefined =>
    /trace_buf_size=(\S+)/.exec(runRecord(on, ["kernel-cmdline", ...args]).stdout)?.[1];
  const possible = join(on.root, "sys/devices/system/cpu/possible");
  mkdirSync(dirname(possible), { recursive: true });
  for (const [cpus, markers, events, graph] of [
    ["0", "512K", "4096K", "16384K"],
    ["0-31", "512K", "4096K", "8192K"],
    ["0-223", "512K", "1024K", "1024K"],
    ["0-8191", "512K", "512K", "512K"],
  ] as const) {
    writeFileSync(possible, `${cpus}\n`);
    assert.deepEqual(
      [size("--level", "markers"), size("--level", "events"), size("--level", "graph")],
      [markers, events, graph],
      cpus,
    );
  }
  assert.equal(size("--level", "markers", "--with", "sched"), "512K", "of this number of CPUs");
  assert.equal(size("--level", "markers", "--buffer-size", "2M"), "2M");
});

for (const args of [[], ["frobnicate"], ["arm", "--level"], ["arm", "--level", "all"], ["arm", "extra"], ["collect"]]) {
  test(`'${args.join(" ")}' is refused with advice`, () => {
    const run = runRecord(host(HOSTS["6.12"] as HostKind), args);
    assert.equal(run.code, 2);
    assert.notEqual(run.stderr, "");
  });
}

/** Kill points on each host; KILL_POINTS=50 for a long run. */
const killPoints = Number(process.env.KILL_POINTS ?? 8);

test(`kill -9 at ${killPoints} random points: disarm undoes what was done`, async () => {
  const random = seededRandom(7);
  for (let point = 0; point < killPoints; point++) {
    const on = host(HOSTS["6.19"] as HostKind);
    const before = on.snapshot();
    const [program, ...rest] = shells[point % shells.length] as [string, ...string[]];
    const armed = spawn(program, [...rest, recorderPath, "arm", "--level", "graph"], {
      env: on.env,
      stdio: "ignore",
      detached: true,
    });
    const ended = new Promise((resolve) => armed.once("close", resolve));
    await Promise.race([sleep(random.below(600)), ended]);
    try {
      process.kill(-(armed.pid as number), "SIGKILL");
    } catch {
      // It had already finished.
    }
    await ended;
    const status = runRecord(on, ["status"]).stdout;
    if (on.snapshot() !== before) assert.match(status, /to be taken back by `recorder\.sh disarm/);
    const run = runRecord(on, ["disarm"]);
    assert.equal(run.code, 0, `${run.stderr}\n${status}`);
    assert.equal(on.snapshot(), before, `point ${point}`);
    assert.match(runRecord(on, ["status"]).stdout, /left in tracefs: nothing/);
  }
});

/** This machine's own tracefs: instances and events work without a kexec. */
const own = ["/sys/kernel/tracing", "/sys/kernel/debug/tracing"].find((folder) => {
  try {
    accessSync(join(folder, "trace_marker"), constants.W_OK);
    return existsSync(join(folder, "instances"));
  } catch {
    return false;
  }
});

/** What the recorder must restore there; instances of other users, and of other tests, come and go. */
const ownState = (): string => {
  const look = `grep -l '^[1X]' ${own}/events/*/enable; cat ${own}/tracing_on ${own}/current_tracer ${own}/trace_clock
    ls ${own}/instances | grep -e '^blackout_cost$' -e '^blackout_[a-z]*_${process.pid}'; cat ${own}/dynamic_events ${own}/set_ftrace_filter`;
  return spawnSync("sh", ["-c", look], { encoding: "utf8" }).stdout;
};

test(`kill -9 at ${killPoints} random points of arming on this machine's own tracefs`, async (t) => {
  if (own === undefined) return t.skip("tracefs is not mounted here, or not writable");
  const state = join(scratch, "own-killed");
  const options = ["--state", state, "--instance", `blackout_killed_${process.pid}`];
  const before = ownState();
  const random = seededRandom(11);
  // Its duration here, so that the points are within it.
  const startedMs = Date.now();
  spawnSync("sh", [recorderPath, "arm", "--level", "graph", ...options]);
  const wholeMs = Date.now() - startedMs;
  assert.equal(spawnSync("sh", [recorderPath, "disarm", ...options]).status, 0);
  assert.equal(ownState(), before);
  let leftSomething = 0;
  for (let point = 0; point < killPoints; point++) {
    const [program, ...rest] = shells[point % shells.length] as [string, ...string[]];
    const args = [...rest, recorderPath, "arm", "--level", "graph", ...options];
    const armed = spawn(program, args, { stdio: "ignore", detached: true });
    const ended = new Promise((resolve) => armed.once("close", resolve));
    await Promise.race([sleep(random.below(wholeMs)), ended]);
    try {
      process.kill(-(armed.pid as number), "SIGKILL");
    } catch {
      // It had already finished.
    }
    await ended;
    const status = spawnSync("sh", [recorderPath, "status", ...options], { encoding: "utf8" }).stdout;
    if (ownState() !== before) {
      leftSomething += 1;
      assert.match(status, /to be taken back by `recorder\.sh disarm/);
    }
    const disarmed = spawnSync("sh", [recorderPath, "disarm", ...options], { encoding: "utf8" });
    assert.equal(disarmed.status, 0, `${disarmed.stderr}\n${status}`);
    assert.equal(ownState(), before, `point ${point}`);
  }
  t.diagnostic(`${leftSomething} of ${killPoints} kills left something, which disarm undid`);
});

test("on this machine's own tracefs", async (t) => {
  if (own === undefined) return t.skip("tracefs is not mounted here, or not writable");
  const state = join(scratch, "own-state");
  const instance = `blackout_test_${process.pid}`;
  const run = (verb: string, ...more: string[]): Run => {
    const args = [recorderPath, verb, "--state", state, "--instance", instance, ...more];
    const { status, stdout, stderr } = spawnSync("sh", args, { encoding: "utf8" });
    return { code: status, stdout, stderr };
  };
  const before = ownState();
  try {
    const armed = run("arm", "--level", "events");
    assert.equal(armed.code, 0, armed.stderr);
    assert.ok(readdirSync(join(own, "instances")).includes(instance));
    assert.equal(run("mark", "luo: vm_pause").code, 0);
    const to = join(scratch, "own-capture");
    const collected = run("collect", "-o", to);
    assert.equal(collected.code, 0, collected.stderr);
    const { capture, collected: read } = await readUpdate(to);
    assert.ok((capture.boots.old?.pairs.length ?? 0) > 0 || process.arch !== "x64", "clock pairs were read");
    const costs = capture.boots.old?.costs ?? null;
    // A host that is too busy to measure an event has no costs.
    t.diagnostic(`an event costs ${costs?.eventNs ?? "an unknown number of"} ns here`);
    assert.ok(
      read.collected.keyEvents.some(({ what, name }) => what === "marker" && name === "luo: vm_pause"),
      "the mark is found in the pages",
    );
  } finally {
    const disarmed = run("disarm");
    assert.equal(disarmed.code, 0, disarmed.stderr);
  }
  assert.ok(!readdirSync(join(own, "instances")).includes(instance));
  assert.equal(ownState(), before);
});
