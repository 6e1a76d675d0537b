/**
 * The recorder never obeys: neither a carrier, nor a state folder, nor names beside its output, nor words of a command
 * line make root write, read or delete anything else; and no secret and no session's name leaves in a capture.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import {
  chmodSync,
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { after } from "node:test";
import { gunzipSync } from "node:zlib";
import { SECRET_ENDS, SECRET_PARTS, SECRET_WORDS } from "../base/text/secrets.js";
import { HOSTS, type HostKind, type MadeUpHost, madeUpHost } from "../testing/fakes/tracefs-tree.js";
import { runRecord, shells } from "../testing/recorder-runs.js";
import { SECRET_LINES } from "../testing/samples/secret-lines.js";
import { recorderPath } from "./recorder.js";

const scratch = mkdtempSync(join(tmpdir(), "blackout-obeys-"));
after(() => rmSync(scratch, { recursive: true, force: true }));
let hosts = 0;
const linux619 = HOSTS["6.19"] as HostKind;
const newHost = (kind = linux619): MadeUpHost => madeUpHost(mkdtempSync(join(scratch, `${hosts++}-`)), kind);
const previousBoot = (on: MadeUpHost): void =>
  writeFileSync(join(on.tracing, "instances/blackout/last_boot_info"), "ffffffff81000000\t[kernel]\n");

/** Every file of a folder with its bytes, unpacked if it is packed. */
function everyFile(folder: string): readonly (readonly [string, string])[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => {
      const path = join(entry.parentPath, entry.name);
      const bytes = readFileSync(path);
      return [
        path.slice(folder.length),
        (path.endsWith(".gz") ? gunzipSync(bytes) : bytes).toString("latin1"),
      ] as const;
    });
}

test("what lies beside the output by any name stays, and a link by the output's name is not followed", () => {
  for (const by of shells) {
    for (const name of ["c.tar.gz", "c"]) {
      const on = newHost();
      const spool = join(on.root, "spool");
      mkdirSync(join(spool, "c.partial"), { recursive: true });
      if (name !== "c") mkdirSync(join(spool, "c"));
      const victim = join(on.root, "victim");
      writeFileSync(victim, "precious\n");
      for (const file of ["c.partial/notes", ...(name === "c" ? [] : ["c/notes"])])
        writeFileSync(join(spool, file), "precious\n");
      symlinkSync(victim, join(spool, "c.tar.gz.partial"));
      assert.equal(runRecord(on, ["arm", "--level", "markers"], by).code, 0);
      const run = runRecord(on, ["collect", "-o", join(spool, name)], by);
      assert.equal(run.code, 0, run.stderr);
      assert.equal(readFileSync(victim, "utf8"), "precious\n");
      for (const file of ["c.partial/notes", ...(name === "c" ? [] : ["c/notes"])])
        assert.equal(readFileSync(join(spool, file), "utf8"), "precious\n");
      if (name !== "c") {
        const members = spawnSync("tar", ["-tzf", join(spool, name)], { encoding: "utf8" }).stdout.split("\n");
        assert.ok(members.includes("c/capture.json"), members.join(" "));
      } else assert.ok(existsSync(join(spool, "c/capture.json")));
      // A link that leads nowhere is something, too.
      symlinkSync(join(on.root, "nowhere"), join(spool, "link"));
      assert.match(runRecord(on, ["collect", "-o", join(spool, "link")], by).stderr, /exists already/);
      assert.ok(!existsSync(join(on.root, "nowhere")));
      assert.ok(lstatSync(join(spool, "link")).isSymbolicLink());
    }
  }
});

test("a new initrd and a new key are written through no link, and replace no file of others", () => {
  const on = newHost();
  const folder = join(on.root, "bc");
  mkdirSync(folder);
  const victim = join(folder, "victim");
  writeFileSync(victim, "precious\n");
  writeFileSync(join(folder, "initrd"), "data");
  for (const link of ["next.text", "next.new", "key.new"]) symlinkSync("victim", join(folder, link));
  const bootconfig = (to: string): string =>
    runRecord(on, ["bootconfig", "--initrd", join(folder, "initrd"), "-o", join(folder, to)]).stderr;
  assert.match(bootconfig("next"), /command line needs/);
  assert.ok(readFileSync(join(folder, "next"), "latin1").endsWith("#BOOTCONFIG\n"));
  assert.match(bootconfig("next"), /command line needs/, "its own is made again");
  assert.match(bootconfig("victim"), /left as it is/);
  symlinkSync("victim", join(folder, "link"));
  assert.match(bootconfig("link"), /left as it is/);
  assert.equal(runRecord(on, ["arm", "--level", "markers", "--hash-sessions", join(folder, "key")]).code, 0);
  assert.equal(readFileSync(join(folder, "key")).length, 32);
  assert.equal(lstatSync(join(folder, "key")).mode & 0o777, 0o600);
  assert.equal(readFileSync(victim, "utf8"), "precious\n");
});

/** A tar of these files, made by the system's own tar in the order given. */
function tarOf(folder: string, members: readonly string[]): string {
  const to = join(scratch, `carrier-${hosts++}.tar`);
  const run = spawnSync("tar", ["-C", folder, "-cf", to, ...members], { encoding: "utf8" });
  assert.equal(run.status, 0, run.stderr);
  return to;
}

test("a carrier gives known plain files and nothing else: no journal, path or link, no place to write", () => {
  for (const by of shells) {
    for (const kind of ["journal", "link", "hard link", "folder link", "odd name", "path", "twice", "fifo"] as const) {
      const on = newHost();
      previousBoot(on);
      const evil = mkdtempSync(join(scratch, "evil-"));
      mkdirSync(join(evil, "old"));
      writeFileSync(join(evil, "old/uname"), "Linux\n");
      writeFileSync(
        join(evil, "armed"),
        `boot=x\nhalf=old\nring=blackout\nmarks=blackout_marks\nmarker=${on.root}/victim\n`,
      );
      const members = ["armed", "old"];
      if (kind === "journal") {
        writeFileSync(join(evil, "journal"), "write\t../../../../victim\tevil\n");
        members.push("journal");
      } else if (kind === "link") symlinkSync("/etc/passwd", join(evil, "old/dmesg"));
      else if (kind === "hard link") {
        spawnSync("ln", [join(evil, "old/uname"), join(evil, "old/dmesg")]);
      } else if (kind === "folder link") {
        rmSync(join(evil, "old"), { recursive: true });
        symlinkSync("/etc", join(evil, "old"));
      } else if (kind === "odd name") writeFileSync(join(evil, "old/shadow"), "x");
      else if (kind === "path") {
        mkdirSync(join(evil, "other"));
        members.push("other");
      } else if (kind === "twice") members.push("armed", "old/uname");
      else spawnSync("mkfifo", [join(evil, "old/dmesg")]);
      writeFileSync(join(on.root, "victim"), "precious\n");
      const to = join(on.root, "capture");
      const run = runRecord(on, ["collect", "-o", to, "--carrier", tarOf(evil, members)], by);
      assert.equal(run.code, 0, `${kind}: ${run.stderr}`);
      assert.match(readFileSync(join(to, "capture.json"), "utf8"), /carrier-(?:refused|empty)/, kind);
      for (const [path, text] of everyFile(to)) assert.doesNotMatch(text, /root:x:0/, `${kind}: ${path}`);
      assert.ok(!existsSync(join(to, "old/shadow")));
      runRecord(on, ["mark", "evil"], by);
      assert.equal(runRecord(on, ["disarm"], by).code, 0);
      assert.equal(readFileSync(join(on.root, "victim"), "utf8"), "precious\n", kind);
    }
  }
});

test("what a carrier says of where to write, which key to use and where the kernel keeps things is not believed", () => {
  const on = newHost();
  previousBoot(on);
  const evil = mkdtempSync(join(scratch, "evil-"));
  mkdirSync(join(evil, "old"));
  writeFileSync(join(evil, "old/uname"), "Linux\n");
  const victim = join(on.root, "victim");
  writeFileSync(victim, "precious\n");
  writeFileSync(
    join(evil, "armed"),
    `boot=second\nhalf=new\nring=../../x\nmarks=blackout_marks\nmarker=${victim}\nlevel=probes\nhash=${on.root}/made\ncollected=${victim}\n`,
  );
  writeFileSync(join(evil, "layout"), "Linux\nluo_session.name 99999\n");
  const to = join(on.root, "capture");
  const carrier = tarOf(evil, ["armed", "layout", "old"]);
  const asked = runRecord(on, ["collect", "-o", to, "--carrier", carrier]);
  assert.equal(asked.code, 3, "names were to be hashed, and are not handed out");
  assert.match(asked.stderr, /give the key with --hash-sessions/);
  assert.ok(!existsSync(join(on.root, "made")), "no key is made where the carrier wants one");
  assert.ok(!existsSync(join(on.root, "var/lib/blackout/layout")));
  writeFileSync(join(on.root, "key"), "0123456789abcdef");
  const run = runRecord(on, ["collect", "-o", to, "--hash-sessions", join(on.root, "key")]);
  assert.equal(run.code, 0, run.stderr);
  assert.equal(JSON.parse(readFileSync(join(to, "capture.json"), "utf8")).labels.probe_level, "probes");
  runRecord(on, ["mark", "evil"]);
  assert.equal(runRecord(on, ["disarm"]).code, 0);
  assert.equal(readFileSync(victim, "utf8"), "precious\n");
});

test("a journal's paths stay under tracefs, and a line cut by a full disk is not played", () => {
  for (const by of shells) {
    const on = newHost();
    const victim = join(on.root, "victim");
    writeFileSync(victim, "precious\n");
    const before = on.snapshot();
    assert.equal(runRecord(on, ["arm", "--level", "markers"], by).code, 0);
    const journal = join(on.root, "var/lib/blackout/journal");
    const evil = [
      "write\t../../../victim\tevil",
      "write\tinstances/../../../../victim\tevil",
      `filter\tset_ftrace_filter\t${victim}`,
      `filter\tset_ftrace_filter\t${on.root}/var/lib/blackout/filter./../../../../victim`,
      "clear\t../../../victim",
      "instance\t../../../../victim",
      "probes\t../../../victim",
      "write\tbuffer_size_kb\t1",
      "exec\tx\ty",
      "write\ttracing_on\t99",
    ].join("\n");
    writeFileSync(journal, readFileSync(journal, "utf8") + evil);
    const run = runRecord(on, ["disarm"], by);
    assert.equal(run.code, 0, run.stderr);
    assert.match(run.stderr, /ignored: 'write\.\.\/\.\.\/\.\.\/victimevil'|ignored: 'write/);
    assert.equal(readFileSync(victim, "utf8"), "precious\n");
    assert.equal(on.snapshot(), before);
  }
});

const isRoot = process.getuid?.() === 0;
test("a state folder that others own or can write is refused", { skip: !isRoot && "needs root" }, () => {
  const nobody = 65534;
  for (const by of shells) {
    for (const [what, spoil, advice] of [
      ["owned", (state: string) => chownSync(state, nobody, nobody), /belongs to user 65534/],
      ["everybody's", (state: string) => chmodSync(state, 0o777), /can be written by others/],
      ["group's", (state: string) => chmodSync(state, 0o770), /can be written by others/],
      ["in another's", (state: string) => chownSync(join(state, ".."), nobody, nobody), /in a folder of user 65534/],
      ["in everybody's", (state: string) => chmodSync(join(state, ".."), 0o777), /everybody can write/],
    ] as const) {
      const on = newHost();
      const state = join(on.root, "theirs/state");
      mkdirSync(state, { recursive: true });
      spoil(state);
      const before = on.snapshot();
      for (const verb of [["arm"], ["disarm"], ["collect", "-o", join(on.root, "c")]]) {
        const run = runRecord(on, [...verb, "--state", state], by);
        assert.equal(run.code, 3, `${what}: ${verb} ${run.stderr}`);
        assert.match(run.stderr, advice);
      }
      assert.equal(on.snapshot(), before);
      assert.deepEqual(readdirSync(state), []);
    }
  }
});

test("words of the kernel's command line are not file patterns", () => {
  for (const by of shells) {
    const on = newHost({
      ...linux619,
      commandLine: 'ro dyndbg="file drivers/usb/* +p" reserve_mem=1M:4096:[a-z]* kho=on',
    });
    const here = join(on.root, "here");
    mkdirSync(join(here, "drivers/usb"), { recursive: true });
    writeFileSync(join(here, "drivers/usb/x init=evil rdinit=evil2"), "");
    writeFileSync(join(here, "reserve_mem=1M:4096:evil"), "");
    const [program, ...more] = by as [string, ...string[]];
    for (const verb of [
      ["kernel-cmdline", "--reuse-cmdline"],
      ["bootconfig"],
      ["plan"],
      ["arm", "--level", "markers"],
    ]) {
      const run = spawnSync(program, [...more, join(import.meta.dirname, "recorder.sh"), ...verb], {
        encoding: "utf8",
        env: on.env,
        cwd: here,
      });
      assert.doesNotMatch(run.stdout + run.stderr, /evil/, verb.join(" "));
      if (verb.includes("--reuse-cmdline")) assert.ok(run.stdout.includes('dyndbg="file drivers/usb/* +p"'));
    }
  }
});

test("no byte of a capture with hashed names has a session's name, wherever it stood", () => {
  const name = "customer-4711-prod";
  for (const by of shells) {
    const on = newHost();
    writeFileSync(join(on.root, "key"), "0123456789abcdef0123456789abcdef");
    const pstore = join(on.root, "sys/fs/pstore");
    mkdirSync(join(on.root, "var/lib/systemd/pstore/7"), { recursive: true });
    mkdirSync(pstore, { recursive: true });
    const log = `[    9.100000] luo: session=${name}\n[    9.200000] vmm ${name} is up\n`;
    writeFileSync(join(pstore, "console-ramoops-0"), `<6>[    9.1] luo: session ${name} created\n${log}`);
    writeFileSync(join(pstore, "dmesg-ramoops-0"), `Panic#1 Part1\n${log}`);
    writeFileSync(join(on.root, "var/lib/systemd/pstore/7/dmesg-efi-1"), log);
    writeFileSync(join(on.root, "var/log/dmesg"), log);
    writeFileSync(join(on.root, "proc/cmdline"), `ro vm=${name}\n`);
    writeFileSync(join(on.tracing, "saved_cmdlines"), `12 ${name}\n`);
    writeFileSync(join(on.tracing, "printk_formats"), `0xff : "${name}"\n`);
    assert.equal(runRecord(on, ["arm", "--level", "markers", "--hash-sessions", join(on.root, "key")], by).code, 0);
    assert.equal(runRecord(on, ["save"], by).code, 0);
    on.reboot();
    previousBoot(on);
    writeFileSync(join(on.tracing, "instances/blackout/trace"), `x-1 [000] 1.0: luo: session="${name}"\n`);
    writeFileSync(join(on.tracing, "saved_cmdlines"), `12 ${name}\n`);
    const to = join(on.root, `${name}.tar.gz`);
    const args = ["collect", "-o", to, "--text", "--name", name, "--label", `vm=${name}`, "--label", `${name}=1`];
    const run = runRecord(on, args, by);
    assert.equal(run.code, 0, run.stderr);
    const folder = mkdtempSync(join(scratch, "hashed-"));
    assert.equal(spawnSync("tar", ["-xzf", to, "-C", folder]).status, 0);
    const files = everyFile(folder);
    assert.ok(files.some(([path]) => path.endsWith("pstore/console-ramoops-0")));
    for (const [path, text] of files) assert.ok(!path.includes(name) && !text.includes(name), path);
    assert.match(files.find(([path]) => path.endsWith("capture.json"))?.[1] ?? "", /"vm": "[0-9a-f]{18}"/);
  }
});

test("a name is only as good as its shell: bash collects alike", (t) => {
  if (spawnSync("bash", ["-c", ":"]).status !== 0) return t.skip("bash is not installed");
  const on = newHost();
  const before = on.snapshot();
  assert.equal(runRecord(on, ["arm", "--level", "graph"], ["bash", "--posix"]).code, 0);
  const run = runRecord(on, ["collect", "-o", join(on.root, "c.tar.gz")], ["bash"]);
  assert.equal(run.code, 0, run.stderr);
  assert.equal(runRecord(on, ["disarm"], ["bash"]).code, 0);
  assert.equal(on.snapshot(), before);
});

test("the recorder and the reports have one table of what looks like a secret", () => {
  const text = readFileSync(recorderPath, "utf8");
  for (const [name, parts] of [
    ["PARTS", SECRET_PARTS],
    ["ENDS", SECRET_ENDS],
    ["WORDS", SECRET_WORDS],
  ] as const)
    assert.equal(new RegExp(`^SECRET_${name}='(.*)'$`, "m").exec(text)?.[1], parts.join("|"));
});

test("no secret of a command line leaves by any line of a log, by an event or by text of a ring", () => {
  for (const by of shells) {
    const on = newHost();
    const log = [...SECRET_LINES.map(({ line }) => line), "[ 1.0]     --password", "[ 1.0]     hunter"].join("\n");
    writeFileSync(join(on.root, "var/log/dmesg"), `${log}\n`);
    writeFileSync(join(on.root, "proc/cmdline"), `${SECRET_LINES.map(({ line }) => line).join(" ")}\n`);
    const pstore = join(on.root, "sys/fs/pstore");
    mkdirSync(pstore, { recursive: true });
    writeFileSync(join(pstore, "console-ramoops-0"), `[ 0.1] x\n${log}\n`);
    assert.equal(runRecord(on, ["arm", "--level", "markers"], by).code, 0);
    assert.equal(runRecord(on, ["save"], by).code, 0);
    on.reboot();
    previousBoot(on);
    const pages = Buffer.alloc(8192);
    pages.write(`luo: token=0x100 session=a\0${log.replaceAll("\n", "\n\0")}\0the end`, 100);
    writeFileSync(join(on.tracing, "per_cpu/cpu0/trace_pipe_raw"), pages);
    writeFileSync(join(on.tracing, "instances/blackout/trace"), `${log}\n`);
    const to = join(on.root, "capture");
    const run = runRecord(on, ["collect", "-o", to, "--text"], by);
    assert.equal(run.code, 0, run.stderr);
    for (const [path, text] of everyFile(to)) assert.doesNotMatch(text, /hunter/, path);
    const lines = readFileSync(join(to, "new/dmesg"), "utf8").split("\n");
    for (const [i, { kept }] of SECRET_LINES.entries())
      for (const part of kept) assert.ok(lines[i]?.includes(part), `${part} in ${lines[i]}`);
    const left = readFileSync(join(to, "new/per_cpu/cpu0/trace_pipe_raw"));
    assert.equal(left.length, pages.length);
    assert.ok(left.includes("luo: token=0x100 session=a\0") && left.includes("the end"), "all else stays");
  }
});
