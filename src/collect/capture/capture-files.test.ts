import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import test from "node:test";
import { gzipSync } from "node:zlib";
import type { DefectInput } from "../../base/defect.js";
import { manifest } from "../../testing/fakes/capture-memory.js";
import { tarArchive } from "../../testing/fakes/tar.js";
import { traces } from "../../testing/places.js";
import { type CaptureLimits, DEFAULT_LIMITS } from "../files/capture-error.js";
import { CaptureReadError } from "../files/whole-file.js";
import { openCaptureFiles } from "./capture-files.js";

const made: string[] = [];
/** A folder with the given files; its name. */
function folder(files: Readonly<Record<string, string | Uint8Array>>): string {
  const top = mkdtempSync(join(tmpdir(), "blackout-test-"));
  made.push(top);
  for (const [path, data] of Object.entries(files)) {
    mkdirSync(dirname(join(top, path)), { recursive: true });
    writeFileSync(join(top, path), data);
  }
  return top;
}
process.on("exit", () => {
  for (const path of made) rmSync(path, { recursive: true, force: true });
});

async function refusal(path: string, limits: Partial<CaptureLimits> = {}): Promise<string> {
  const files = await openCaptureFiles(path, { ...DEFAULT_LIMITS, ...limits });
  if (files.ok) files.value.close();
  return files.ok ? "opened" : `${files.error.code}: ${files.error.message}`;
}

const MADE = { "capture.json": manifest(), "old/uname": "x", "ring/trace": "" };

test("a folder's files are listed sorted, and read by position or whole", async () => {
  const files = await openCaptureFiles(folder({ ...MADE, "old/a.gz": gzipSync("unpacked") }));
  assert.ok(files.ok);
  assert.deepEqual(files.value.paths, ["capture.json", "old/a.gz", "old/uname", "ring/trace"]);
  const into = new Uint8Array(10);
  assert.equal(files.value.open("old/uname")?.read(into, 0), 1);
  assert.equal(files.value.open("old/uname")?.read(into, 5), 0);
  assert.equal(files.value.open("old/none"), null);
  assert.equal(files.value.open("../../etc/passwd"), null, "only what was listed can be opened");
  const sink = { defect: () => assert.fail() };
  assert.equal(Buffer.from(files.value.bytes("old/a.gz", 100, sink) ?? []).toString(), "unpacked");
  assert.equal(files.value.bytes("old/none", 100, sink), null);
  files.value.close();
});

test("a .gz inside that is damaged, or unpacks to too much, is a defect of that file", async () => {
  const bomb = gzipSync(Buffer.alloc(1 << 22));
  const files = await openCaptureFiles(
    folder({
      ...MADE,
      "old/bomb.gz": bomb,
      "old/cut.gz": bomb.subarray(0, 900),
      "old/no.gz": "plain",
      "old/big": "x".repeat(50),
    }),
  );
  assert.ok(files.ok);
  for (const [path, limit, code] of [
    ["old/bomb.gz", 1 << 20, "file-too-large"],
    ["old/cut.gz", 1 << 23, "file-damaged"],
    ["old/no.gz", 1 << 20, "file-damaged"],
    ["old/big", 49, "file-too-large"],
  ] as const) {
    const defects: DefectInput[] = [];
    assert.equal(files.value.bytes(path, limit, { defect: (found) => defects.push(found) }), null);
    assert.deepEqual(
      defects.map((found) => [found.code, found.file, found.severity]),
      [[code, path, "error"]],
    );
  }
  files.value.close();
});

test("an archive is unpacked into a folder of its own, which closing removes", async () => {
  const before = new Set(readdirSync(tmpdir()));
  const files = await openCaptureFiles(join(traces, "cohorts/base/01.tar.gz"));
  assert.ok(files.ok);
  const mine = readdirSync(tmpdir()).filter((name) => name.startsWith("blackout-") && !before.has(name));
  assert.ok(files.value.paths.includes("capture.json"), "paths are relative to the manifest's folder");
  files.value.close();
  const left = new Set(readdirSync(tmpdir()));
  assert.ok(mine.some((name) => !left.has(name)));
});

test("what cannot be a capture is refused in a sentence that says what and where", async () => {
  assert.match(await refusal("/nowhere/at/all"), /^not-found: .*\/nowhere\/at\/all/);
  const top = folder({ "no.tar": "hello", "empty.tar.gz": "", "old/uname": "x" });
  assert.match(await refusal(join(top, "no.tar")), /^not-a-capture: .*no\.tar is no \.tar/);
  assert.match(await refusal(join(top, "empty.tar.gz")), /^not-a-capture/);
  assert.match(await refusal(top), /^not-a-capture: .* holds no capture\.json/);
  writeFileSync(join(top, "some.tar"), tarArchive([{ name: "c/x", data: "x" }]));
  const message = await refusal(join(top, "some.tar"));
  assert.match(
    message,
    /^not-a-capture: .*some\.tar holds no capture\.json/,
    "the archive is named, not where it went",
  );
});

test("a folder with a link is refused, wherever it leads; a link given on the command line is the user's own", async () => {
  for (const target of ["/etc/passwd", "capture.json", "/", "nowhere"]) {
    const top = folder(MADE);
    symlinkSync(target, join(top, "old/dmesg"));
    assert.match(await refusal(top), /^link: .*"old\/dmesg" is a link/);
  }
  const top = folder({ "c/capture.json": manifest() });
  symlinkSync(join(top, "c"), join(top, "given"));
  assert.equal(await refusal(join(top, "given")), "opened");
});

test("a FIFO is refused and not opened, in a folder and by itself", {
  skip: process.platform === "win32",
}, async () => {
  const top = folder(MADE);
  const pipe = join(top, "old/dmesg");
  assert.equal(spawnSync("mkfifo", [pipe]).status, 0);
  assert.match(await refusal(top), /^special-file: .*"old\/dmesg" is neither a file nor a folder/);
  assert.match(await refusal(pipe), /^special-file/);
});

test("limits hold for folders: bytes of one, of all, files, depth, names", async () => {
  const top = folder({ ...MADE, "old/deep/er/x": "x", "old/dmesg": "x".repeat(1_000) });
  assert.match(await refusal(top, { memberBytes: 999 }), /^too-large: .*"old\/dmesg" holds 1,000 bytes, more than 999/);
  assert.match(await refusal(top, { totalBytes: 1_000 }), /^too-large/);
  assert.match(await refusal(top, { members: 3 }), /^too-many-members/);
  assert.match(await refusal(top, { depth: 2 }), /^bad-path/);
  assert.match(await refusal(folder({ ...MADE, "old/\u001b[2J": "" })), /^bad-path: .*cannot be printed/);
});

test("a file that may not be read is named", {
  skip: process.getuid?.() === 0 ? "root reads everything" : false,
}, async () => {
  const top = folder(MADE);
  spawnSync("chmod", ["000", join(top, "old/uname")]);
  assert.match(await refusal(top), /^unreadable: .*"old\/uname"/);
});

test("a file that vanishes while it is read is an error of the capture, not of the program", async () => {
  const top = folder({ ...MADE, "old/dmesg": "x" });
  const files = await openCaptureFiles(top);
  assert.ok(files.ok);
  rmSync(join(top, "old/dmesg"));
  assert.throws(() => files.value.open("old/dmesg")?.read(new Uint8Array(1), 0), CaptureReadError);
  assert.throws(() => files.value.bytes("old/dmesg", 10, { defect: () => {} }), CaptureReadError);
  files.value.close();
});
