import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  closeSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { after } from "node:test";
import { openCaptureFiles } from "../capture/capture-files.js";
import { openBelow, openFile, openInput } from "./open-file.js";

const folder = realpathSync(mkdtempSync(join(tmpdir(), "blackout-open-")));
after(() => rmSync(folder, { recursive: true, force: true }));
const fifo = join(folder, "fifo");
execFileSync("mkfifo", [fifo]);
writeFileSync(join(folder, "file"), "x");
symlinkSync("file", join(folder, "link"));
symlinkSync("fifo", join(folder, "link-to-fifo"));
mkdirSync(join(folder, "outside"));
writeFileSync(join(folder, "outside", "secret"), "secret");

test("a FIFO is refused at once, also behind a link, and a folder, and a device where a file is expected", () => {
  for (const open of [openFile, openInput]) {
    assert.throws(() => open(fifo), /^Error: it is a FIFO, expected a file$|it is a FIFO, expected a file/);
    assert.throws(() => open(join(folder, "link-to-fifo")), /it is a FIFO, expected a file/);
    assert.throws(() => open(folder), /it is a folder, expected a file/);
    closeSync(open(join(folder, "link")).fd);
  }
  assert.throws(() => openFile("/dev/zero"), /it is a device, expected a file/);
  closeSync(openInput("/dev/zero").fd);
});

test("below a root, no link is followed: neither as the file nor as a folder on the way", () => {
  const root = join(folder, "root");
  mkdirSync(join(root, "real"), { recursive: true });
  writeFileSync(join(root, "real", "secret"), "own");
  closeSync(openBelow(root, "real/secret").fd);
  symlinkSync("../outside", join(root, "old"));
  symlinkSync("../../outside/secret", join(root, "real", "secret2"));
  assert.throws(() => openBelow(root, "old/secret"), /lies behind a symbolic link/);
  assert.throws(() => openBelow(root, "real/secret2"), { code: "ELOOP" });
  execFileSync("mkfifo", [join(root, "real", "pipe")]);
  assert.throws(() => openBelow(root, "real/pipe"), /it is a FIFO/);
});

/** A capture whose files are listed, and then replaced before they are read. */
async function swapped(swap: (capture: string) => void) {
  const capture = mkdtempSync(join(folder, "capture-"));
  writeFileSync(join(capture, "capture.json"), "{}");
  mkdirSync(join(capture, "old"));
  writeFileSync(join(capture, "old", "secret"), "own");
  const files = await openCaptureFiles(capture);
  assert.ok(files.ok);
  swap(capture);
  return files.value;
}

const SWAPS: readonly (readonly [string, (capture: string) => void])[] = [
  [
    "the file by a link",
    (capture) => {
      rmSync(join(capture, "old", "secret"));
      symlinkSync(join(folder, "outside", "secret"), join(capture, "old", "secret"));
    },
  ],
  [
    "its folder by a link",
    (capture) => {
      rmSync(join(capture, "old"), { recursive: true });
      symlinkSync(join(folder, "outside"), join(capture, "old"));
    },
  ],
  [
    "the capture by a link",
    (capture) => {
      renameSync(capture, `${capture}.gone`);
      const other = join(folder, "other");
      cpSync(`${capture}.gone`, other, { recursive: true });
      writeFileSync(join(other, "old", "secret"), "secret");
      symlinkSync(other, capture);
    },
  ],
  [
    "the file by a FIFO",
    (capture) => {
      rmSync(join(capture, "old", "secret"));
      execFileSync("mkfifo", [join(capture, "old", "secret")]);
    },
  ],
];
for (const [what, swap] of SWAPS) {
  test(`replacing ${what} after the check reads nothing outside the capture, and does not hang`, async () => {
    const files = await swapped(swap);
    const sink = { defect: () => {} };
    assert.throws(() => files.bytes("old/secret", 100, sink), /can no longer be read/);
    const source = files.open("old/secret");
    assert.throws(() => source?.read(new Uint8Array(3), 0), /can no longer be read/);
    files.close();
  });
}

test("in a folder that others write, a capture behind a link is refused", async () => {
  const spool = join(folder, "spool");
  mkdirSync(join(spool, "host"), { recursive: true });
  mkdirSync(join(spool, "own"));
  writeFileSync(join(spool, "own", "capture.json"), "{}");
  symlinkSync(join(spool, "own"), join(spool, "host", "linked"));
  symlinkSync("host", join(spool, "other-host"));
  mkdirSync(join(spool, "host", "real"));
  writeFileSync(join(spool, "host", "real", "capture.json"), "{}");
  writeFileSync(join(folder, "outside", "x.tar"), "");
  symlinkSync(join(folder, "outside", "x.tar"), join(spool, "x.tar"));
  const opened = async (path: string): Promise<string> => {
    const found = await openCaptureFiles(join(spool, path), undefined, undefined, spool);
    if (found.ok) found.value.close();
    return found.ok ? "opened" : found.error.code;
  };
  assert.equal(await opened("own"), "opened");
  assert.equal(await opened("host/real"), "opened");
  assert.equal(await opened("host/linked"), "link");
  assert.equal(await opened("other-host/real"), "link");
  assert.notEqual(await opened("x.tar"), "opened");
  assert.equal(readFileSync(join(folder, "outside", "secret"), "utf8"), "secret");
});
