import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { traces } from "../../testing/places.js";
import { privateFolder } from "./private-folder.js";

const folder = mkdtempSync(join(tmpdir(), "private-folder-"));
after(() => rmSync(folder, { recursive: true, force: true }));

async function until(holds: () => boolean): Promise<boolean> {
  for (let tries = 0; tries < 400 && !holds(); tries++) await new Promise((done) => setTimeout(done, 25));
  return holds();
}

test("it is there until it is removed", async () => {
  const { path, remove } = privateFolder();
  assert.ok(existsSync(path));
  remove();
  assert.ok(!existsSync(path));
  remove();
});

/** Opens a shipped archive and then works without a pause, as an analysis does. */
const WORK = `
  const { openCaptureFiles } = await import(process.argv[1]);
  const files = await openCaptureFiles(process.argv[2]);
  if (!files.ok) process.exit(3);
  for (;;);
`;

for (const [signal, code] of [
  ["SIGINT", 130],
  ["SIGTERM", 143],
  ["SIGKILL", 137],
] as const) {
  test(`${signal} in the middle of the work: the process ends at once, and nothing is left in TMPDIR`, async () => {
    const shell = 'node=$1; shift; "$node" --input-type=module -e "$@" & echo $!; wait $!; echo "ended $?"';
    const child = spawn(
      "/bin/sh",
      [
        "-c",
        shell,
        "sh",
        process.execPath,
        WORK,
        new URL("../capture/capture-files.js", import.meta.url).href,
        join(traces, "plain.tar.gz"),
      ],
      { env: { ...process.env, TMPDIR: folder }, stdio: ["ignore", "pipe", "inherit"] },
    );
    let said = "";
    child.stdout.on("data", (data: Buffer) => {
      said += data.toString();
    });
    const ended = new Promise<void>((done) => child.on("close", () => done()));
    const unpacked = (): boolean => {
      const [only] = readdirSync(folder);
      return only !== undefined && existsSync(join(folder, only, "plain/capture.json"));
    };
    assert.ok(await until(unpacked), "the archive is unpacked");
    process.kill(Number(said.trim()), signal);
    await ended;
    assert.match(said, new RegExp(`ended ${code}\n$`));
    assert.ok(await until(() => readdirSync(folder).length === 0), `left: ${readdirSync(folder)}`);
  });
}
