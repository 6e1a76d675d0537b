/**
 * The recorder never loses: on disks of many sizes, and killed anywhere, what was recorded is in a capture or can still
 * be collected. Rings are FIFOs, which reading empties as it empties the kernel's.
 */
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { after } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { seededRandom } from "../base/numbers/random.js";
import { type ConsumedRing, fillRing, pagesIn } from "../testing/fakes/consumed-ring.js";
import { HOSTS, type HostKind, type MadeUpHost, madeUpHost } from "../testing/fakes/tracefs-tree.js";
import { runRecord, shells } from "../testing/recorder-runs.js";
import { recorderPath } from "./recorder.js";

const scratch = mkdtempSync(join(tmpdir(), "blackout-loses-"));
const mounts: string[] = [];
after(() => {
  for (const folder of mounts) spawnSync("umount", ["-l", folder]);
  rmSync(scratch, { recursive: true, force: true });
});
let hosts = 0;
const newHost = (): MadeUpHost => madeUpHost(mkdtempSync(join(scratch, `${hosts++}-`)), HOSTS["6.19"] as HostKind);

interface Rings {
  readonly ring: ConsumedRing;
  readonly marks: ConsumedRing;
  readonly new: ConsumedRing;
}
const PARTS = ["ring", "marks", "new"] as const;

/** The next kernel, after a live update, with pages in all rings. */
function updated(on: MadeUpHost): Rings {
  on.reboot();
  writeFileSync(join(on.tracing, "instances/blackout/last_boot_info"), "ffffffff81000000\t[kernel]\n");
  return {
    ring: fillRing(join(on.tracing, "instances/blackout"), "ring", 15),
    marks: fillRing(join(on.tracing, "instances/blackout_marks"), "marks", 7),
    new: fillRing(on.tracing, "new", 12),
  };
}
function close(rings: Rings): void {
  for (const part of PARTS) rings[part].close();
}

/** The capture as a folder, an archive unpacked. */
function unpacked(path: string): string {
  if (!path.endsWith(".gz")) return path;
  const to = mkdtempSync(join(scratch, "unpacked-"));
  const run = spawnSync("tar", ["-xzf", path, "-C", to], { encoding: "utf8" });
  assert.equal(run.status, 0, run.stderr);
  const [name, ...others] = readdirSync(to);
  assert.deepEqual(others, []);
  return join(to, name as string);
}

/** Every file that the manifest lists has its digest, and every file but the manifest is listed. */
function assertSums(capture: string): void {
  const { sha256 } = JSON.parse(readFileSync(join(capture, "capture.json"), "utf8"));
  const files = readdirSync(capture, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(capture.length + 1));
  assert.deepEqual(Object.keys(sha256).sort(), files.filter((file) => file !== "capture.json").sort());
  for (const [path, sum] of Object.entries(sha256))
    assert.equal(
      createHash("sha256")
        .update(readFileSync(join(capture, path)))
        .digest("hex"),
      sum,
      path,
    );
}

function assertWhole(path: string, rings: Rings): void {
  const capture = unpacked(path);
  for (const part of PARTS)
    assert.ok(pagesIn(capture, part).equals(rings[part].pages), `${path}: all pages of ${part}, once`);
  assertSums(capture);
}

test("a capture names its update, both boots and every file's digest", () => {
  for (const by of shells) {
    const on = newHost();
    assert.equal(runRecord(on, ["arm", "--level", "events"], by).code, 0);
    const rings = updated(on);
    const to = join(on.root, "capture.tar.gz");
    const run = runRecord(on, ["collect", "-o", to], by);
    assert.equal(run.code, 0, run.stderr);
    assertWhole(to, rings);
    const capture = unpacked(to);
    const manifest = JSON.parse(readFileSync(join(capture, "capture.json"), "utf8"));
    assert.match(manifest.update, /^[0-9a-f]{32}$/);
    const update = manifest.update;
    assert.deepEqual(manifest.parts, {
      old: { boot_id: "first", update, read_in: "first" },
      ring: { boot_id: "first", read_in: "second" },
      marks: { boot_id: "first", read_in: "second" },
      new: { boot_id: "second", update, read_in: "second" },
    });
    assert.equal(readFileSync(join(capture, "old/ids"), "utf8"), `boot_id=first\nupdate=${update}\n`);
    assert.equal(readFileSync(join(capture, "new/ids"), "utf8"), `boot_id=second\nupdate=${update}\n`);
    assert.ok(readFileSync(join(on.tracing, "trace_marker"), "utf8").includes(`blackout: update=${update}`));
    assert.equal(runRecord(on, ["disarm"], by).code, 0);
    assert.ok(!existsSync(join(on.root, "var/lib/blackout")));
    close(rings);
  }
});

/** A tmpfs of this size, or null if this process may not mount one. */
function smallDisk(bytes: number): string | null {
  const folder = mkdtempSync(join(scratch, "disk-"));
  const run = spawnSync("mount", ["-t", "tmpfs", "-o", `size=${bytes},mode=700`, "tmpfs", folder]);
  if (run.status !== 0) return null;
  mounts.push(folder);
  return folder;
}
function grow(folder: string): void {
  assert.equal(spawnSync("mount", ["-o", "remount,size=64m", folder]).status, 0);
}
const KIB = 1024;
/** The smallest multiples of a page, and those around what the parts and the rings of these hosts take. */
const SIZES_KIB =
  process.env.KILL_POINTS === undefined
    ? [4, 32, 64, 96, 160, 256, 512, 1024]
    : [4, 8, 16, 24, 32, 48, 64, 80, 96, 128, 160, 192, 224, 256, 288, 320, 384, 448, 512, 1024];
/** busybox' dd cannot skip waiting, and waits three seconds for each of these rings, whose counts do not fall. */
const shellOf = (turn: number): readonly string[] => (turn % 6 === 1 ? shells.at(-1) : shells[0]) ?? ["sh"];

test("on a disk of any size, arm either arms whole or takes everything back", (t) => {
  const outcomes = new Set<number | null>();
  for (const [turn, size] of SIZES_KIB.entries()) {
    const disk = smallDisk(size * KIB);
    if (disk === null) return t.skip("a tmpfs cannot be mounted here");
    const on = newHost();
    // A host's symbols, which do not fit the smallest.
    writeFileSync(
      join(on.root, "proc/kallsyms"),
      Array.from({ length: 4000 }, (_, i) => `ffffffff${(0x81000000 + i * 7919).toString(16)} t f${i * 31}`).join("\n"),
    );
    const before = on.snapshot();
    const by = shellOf(turn);
    const state = ["--state", join(disk, "state")];
    const run = runRecord(on, ["arm", "--level", "events", ...state], by);
    outcomes.add(run.code);
    if (run.code === 0) {
      const old = join(disk, "state/old");
      for (const file of ["formats.gz", "kallsyms.gz"])
        assert.equal(spawnSync("gzip", ["-t", join(old, file)]).status, 0, `${size} KiB: ${file} is whole`);
      for (const file of ["uname", "dmesg", "cmdline", "ids"])
        assert.ok(readFileSync(join(old, file)).length > 0, `${size} KiB: ${file}`);
      // A full disk: what is there stays.
      const kept = readFileSync(join(old, "dmesg"), "utf8");
      spawnSync("dd", ["if=/dev/zero", `of=${join(disk, "fill")}`, "bs=1024"]);
      const saved = runRecord(on, ["save", ...state], by);
      assert.equal(saved.code, 3, saved.stderr);
      assert.match(saved.stderr, /could not be written|cannot be written/);
      assert.equal(readFileSync(join(old, "dmesg"), "utf8"), kept);
      assert.equal(runRecord(on, ["disarm", ...state], by).code, 0, "disarming needs no space");
    } else {
      assert.equal(run.code, 3);
      assert.match(run.stderr, /disk full/);
    }
    assert.equal(on.snapshot(), before, `${size} KiB`);
    assert.ok(!existsSync(join(disk, "state/armed")), `${size} KiB: nothing is armed`);
  }
  assert.deepEqual([...outcomes].sort(), [0, 3], "some sizes suffice, some do not");
});

for (const where of ["the state folder", "the capture", "both"]) {
  test(`on a disk of any size for ${where}, collect is whole or loses nothing`, (t) => {
    const outcomes = new Set<number | null>();
    for (const [turn, size] of SIZES_KIB.entries()) {
      const disk = smallDisk(64 * KIB * KIB);
      if (disk === null) return t.skip("a tmpfs cannot be mounted here");
      const on = newHost();
      const by = shellOf(turn);
      const state = ["--state", where === "the capture" ? join(on.root, "state") : join(disk, "state")];
      assert.equal(runRecord(on, ["arm", "--level", "markers", ...state], by).code, 0);
      const rings = updated(on);
      // What arm has left may be more than this size: then it is full.
      spawnSync("mount", ["-o", `remount,size=${size * KIB}`, disk]);
      if (where !== "the capture") {
        const used = spawnSync("du", ["-sk", disk], { encoding: "utf8" }).stdout;
        spawnSync("mount", ["-o", `remount,size=${(size + Number.parseInt(used, 10)) * KIB}`, disk]);
      }
      const name = turn % 2 === 0 ? "c.tar.gz" : "c";
      const to = join(where === "the state folder" ? on.root : disk, name);
      const first = runRecord(on, ["collect", "-o", to, ...state], by);
      outcomes.add(first.code);
      if (first.code !== 0) {
        assert.equal(first.code, 3, first.stderr);
        assert.ok(!existsSync(to), `${size} KiB: no half of a capture`);
        assert.doesNotMatch(first.stderr, /collected:/);
        assert.match(first.stderr, /nothing is lost|Free space|disk full/);
        assert.equal(runRecord(on, ["disarm", ...state], by).code, 0);
        assert.ok(existsSync(join(state[1] as string, "old/uname")), `${size} KiB: disarm keeps what is in no capture`);
        grow(disk);
        const second = runRecord(on, ["collect", "-o", to, ...state], by);
        assert.equal(second.code, 0, `${size} KiB: ${first.stderr}${second.stderr}`);
      }
      assertWhole(to, rings);
      assert.deepEqual(
        readdirSync(where === "the state folder" ? on.root : disk).filter((entry) => entry.startsWith(".")),
        [],
        "nothing is left beside it",
      );
      assert.equal(runRecord(on, ["disarm", ...state], by).code, 0);
      assert.ok(!existsSync(state[1] as string));
      close(rings);
      spawnSync("umount", ["-l", disk]);
    }
    assert.deepEqual([...outcomes].sort(), [0, 3], "some sizes suffice, some do not");
  });
}

/** Kills of each test; a long run takes more. */
const killPoints = Number(process.env.KILL_POINTS ?? 10);

/** Runs a verb and kills it, with all that it has started and not set apart, after this time. */
async function killed(
  on: MadeUpHost,
  args: readonly string[],
  by: readonly string[],
  afterMs: number,
): Promise<boolean> {
  const [program, ...before] = by as [string, ...string[]];
  const child = spawn(program, [...before, recorderPath, ...args], { env: on.env, stdio: "ignore", detached: true });
  const ended = new Promise<boolean>((resolve) => child.once("close", (_, signal) => resolve(signal !== null)));
  await Promise.race([sleep(afterMs), ended]);
  try {
    process.kill(-(child.pid as number), "SIGKILL");
  } catch {
    // It was done already.
  }
  return ended;
}

test(`kill -9 at ${killPoints} random points of collect: collected again, with nothing lost`, async (t) => {
  const random = seededRandom(15);
  let interrupted = 0;
  const wholeMs = new Map<readonly string[], number>();
  for (let point = 0; point < killPoints; point++) {
    const by = shellOf(point);
    const on = newHost();
    assert.equal(runRecord(on, ["arm", "--level", "events"], by).code, 0);
    const rings = updated(on);
    // Something of the user's by every name that collecting could think of.
    const beside = ["c/notes", "c.partial/notes", "c.tar.gz.partial"];
    const folder = join(on.root, "out");
    for (const path of ["c", "c.partial"]) mkdirSync(join(folder, path), { recursive: true });
    for (const path of beside) writeFileSync(join(folder, path), "precious\n");
    const to = join(folder, point % 4 < 2 ? "c.tar.gz" : "d");
    if (!wholeMs.has(by)) {
      const startedMs = Date.now();
      assert.equal(runRecord(on, ["collect", "-o", join(on.root, "timed")], by).code, 0);
      wholeMs.set(by, Date.now() - startedMs);
      runRecord(on, ["disarm"], by);
      close(rings);
      continue;
    }
    const kills = 1 + (point % 2);
    for (let kill = 0; kill < kills; kill++)
      if (await killed(on, ["collect", "-o", to], by, random.below(Math.ceil((wholeMs.get(by) as number) * 1.1))))
        interrupted++;
    const state = runRecord(on, ["disarm"], by);
    assert.equal(state.code, 0, state.stderr);
    const again = runRecord(on, ["collect", "-o", to], by);
    if (again.code !== 0) {
      // It had been whole, and reported so, before the kill.
      assert.match(again.stderr, /exists already|nothing is armed/, `point ${point}: ${again.stderr}`);
    }
    assertWhole(to, rings);
    for (const path of beside) assert.equal(readFileSync(join(folder, path), "utf8"), "precious\n", path);
    for (const left of readdirSync(folder).filter((name) => name.startsWith(".")))
      assert.deepEqual(readdirSync(join(folder, left)), [], `point ${point}: at most a name is left`);
    const disarmed = runRecord(on, ["disarm"], by);
    assert.equal(disarmed.code, 0, disarmed.stderr);
    assert.ok(!existsSync(join(on.root, "var/lib/blackout")), disarmed.stderr);
    close(rings);
  }
  t.diagnostic(`${interrupted} of ${killPoints} rounds were interrupted`);
});

test("after a reboot in the middle of collecting, what was read is collected", async () => {
  for (const by of shells) {
    const on = newHost();
    assert.equal(runRecord(on, ["arm", "--level", "events"], by).code, 0);
    const rings = updated(on);
    // Everything is read, and the capture cannot be written.
    writeFileSync(join(on.root, "file"), "");
    assert.equal(runRecord(on, ["collect", "-o", join(on.root, "file/c")], by).code, 3);
    close(rings);
    writeFileSync(join(on.root, "proc/sys/kernel/random/boot_id"), "third\n");
    writeFileSync(join(on.tracing, "instances/blackout/last_boot_info"), "# Current\n");
    assert.match(runRecord(on, ["arm"], by).stderr, /in no capture yet/, "a new update does not drop it");
    const run = runRecord(on, ["collect", "-o", join(on.root, "c")], by);
    assert.equal(run.code, 0, run.stderr);
    assertWhole(join(on.root, "c"), rings);
  }
});

test("disarm deletes only what is in a capture that is still what was written", () => {
  for (const [what, damage] of [
    ["cut", (to: string) => truncateSync(to, 1000)],
    ["gone", (to: string) => rmSync(to)],
    ["another file", (to: string) => writeFileSync(to, "something else")],
  ] as const) {
    const on = newHost();
    assert.equal(runRecord(on, ["arm", "--level", "events"]).code, 0);
    const rings = updated(on);
    const to = join(on.root, "c.tar.gz");
    assert.equal(runRecord(on, ["collect", "-o", to]).code, 0);
    damage(to);
    const run = runRecord(on, ["disarm"]);
    assert.equal(run.code, 0, run.stderr);
    assert.match(run.stderr, /c\.tar\.gz is not (?:what was collected|there any more): what was saved is kept/, what);
    const again = runRecord(on, ["collect", "-o", join(on.root, "again")]);
    assert.equal(again.code, 0, again.stderr);
    assertWhole(join(on.root, "again"), rings);
    close(rings);
    // One file of a folder.
    writeFileSync(join(on.root, "again/new/dmesg"), "another log\n");
    assert.match(runRecord(on, ["disarm"]).stderr, /again is not what was collected/);
    assert.equal(runRecord(on, ["disarm", "--discard"]).code, 0);
    assert.ok(!existsSync(join(on.root, "var/lib/blackout")));
  }
});

test("collecting if nothing is armed touches nothing", () => {
  for (const by of shells) {
    const on = newHost();
    const before = on.snapshot();
    const run = runRecord(on, ["collect", "-o", join(on.root, "c")], by);
    assert.equal(run.code, 3);
    assert.match(run.stderr, /nothing is armed in/);
    assert.equal(on.snapshot(), before);
    assert.ok(!existsSync(join(on.root, "var/lib/blackout")));
    assert.ok(!existsSync(join(on.root, "c")));
  }
});
