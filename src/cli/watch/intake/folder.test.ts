import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { appendFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import test, { after } from "node:test";
import { capturesIn } from "../../files/capture-paths.js";
import { lookThrough } from "./folder.js";

const folder = mkdtempSync(join(tmpdir(), "blackout-folder-"));
after(() => rmSync(folder, { recursive: true }));

const place = (name: string): string => join(folder, name);
const names = (view: ReturnType<typeof lookThrough>) => view.sightings.map(({ path }) => basename(path));

test("captures are seen, what is being written is not, and what must not be opened is named", () => {
  for (const name of ["a.tar", "b.tar.gz", ".hidden.tar", "c.tar.part", "d.tar~", "notes.txt", "b.tar.gz.done"]) {
    writeFileSync(place(name), "x");
  }
  mkdirSync(place("host/deeper"), { recursive: true });
  writeFileSync(place("host/e.tar.zst"), "x");
  writeFileSync(place("host/deeper/f.tar"), "x");
  mkdirSync(place("capture/new"), { recursive: true });
  writeFileSync(place("capture/capture.json"), "{}");
  mkdirSync(place("not yet"));
  symlinkSync("/etc/passwd", place("link.tar"));
  symlinkSync("/etc", place("folder"));
  execFileSync("mkfifo", [place("fifo.tar"), place("fifo")]);
  const view = lookThrough(folder, 100);
  assert.deepEqual(names(view), ["a.tar", "b.tar.gz", "capture", "e.tar.zst"]);
  assert.deepEqual(
    view.sightings.map(({ done }) => done),
    [false, true, false, false],
  );
  assert.deepEqual(
    view.unusable.map(({ path, reason }) => [basename(path), reason.split(",")[0]]),
    [
      ["fifo.tar", "it is a FIFO"],
      ["link.tar", "it is a symbolic link"],
    ],
  );
  assert.equal(lookThrough(folder, 2).sightings.length, 2);
});

test("a fingerprint changes with any file of a capture, and with nothing else", () => {
  const of = (name: string) =>
    lookThrough(folder, 100).sightings.find(({ path }) => basename(path) === name)?.fingerprint;
  const before = of("capture");
  assert.equal(of("capture"), before);
  writeFileSync(place("capture/new/trace"), "a");
  const grown = of("capture");
  assert.notEqual(grown, before);
  appendFileSync(place("capture/new/trace"), "b");
  assert.notEqual(of("capture"), grown);
  const archive = of("a.tar");
  appendFileSync(place("a.tar"), "y");
  assert.notEqual(of("a.tar"), archive);
});

test("a name that is not UTF-8 is reported, not passed over", () => {
  const own = join(folder, "undecoded");
  mkdirSync(own);
  writeFileSync(Buffer.concat([Buffer.from(`${own}/a`), Buffer.from([0xff, 0xfe]), Buffer.from(".tar.gz")]), "x");
  mkdirSync(Buffer.concat([Buffer.from(`${own}/host`), Buffer.from([0xe9])]));
  writeFileSync(join(own, "größe.tar"), "x");
  const view = lookThrough(own, 100);
  assert.deepEqual(names(view), ["größe.tar"]);
  assert.deepEqual(
    view.unusable.map(({ reason }) => reason),
    ["its name is not UTF-8: rename it", "its name is not UTF-8: rename it"],
  );
  assert.equal(capturesIn(own).length, 3, "a command reports them too");
});

test("a folder that is not there is an error", () => {
  assert.throws(() => lookThrough(place("gone"), 1), /ENOENT/);
});
