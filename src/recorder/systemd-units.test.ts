/** The shipped units: as systemd reads them, and what they run, on this machine's own tracefs. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import {
  accessSync,
  constants,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { after } from "node:test";
import { missing } from "../testing/oracles/debian-programs.js";
import { projectRoot } from "../testing/places.js";
import { readUpdate } from "../testing/samples/captures.js";
import { recorderPath } from "./recorder.js";

const scratch = mkdtempSync(join(tmpdir(), "blackout-units-"));
after(() => rmSync(scratch, { recursive: true, force: true }));

const folder = join(projectRoot, "packaging/systemd");
/** blackout-watch.service runs on the machine that watches the fleet, not with the recorder. */
const units = readdirSync(folder).filter((name) => name.endsWith(".service") && name !== "blackout-watch.service");
const INSTALLED = "/usr/local/sbin/blackout-recorder";

/** The recorder at the path that a copy of the units uses. */
const recorder = join(scratch, "blackout-recorder");
copyFileSync(recorderPath, recorder, constants.COPYFILE_EXCL);
spawnSync("chmod", ["755", recorder]);

/** The kernel's file that shows whether a kexec is loaded. */
const kexecLoaded = join(scratch, "kexec_loaded");

test("systemd finds nothing to complain about", { skip: missing("systemd-analyze", "systemd") }, () => {
  const copies = units.map((name) => {
    const copy = join(scratch, name);
    writeFileSync(
      copy,
      readFileSync(join(folder, name), "utf8")
        .replaceAll(INSTALLED, recorder)
        .replaceAll("/usr/bin/blackout ", "/bin/true "),
    );
    return copy;
  });
  assert.ok(copies.length >= 3);
  const env = { ...process.env, SYSTEMD_LOG_LEVEL: "notice", SYSTEMD_UNIT_PATH: `${scratch}:` };
  const run = spawnSync("systemd-analyze", ["verify", "--man=no", ...copies], { encoding: "utf8", env });
  // Its complaints about other units do not matter.
  const ours = run.stderr.split("\n").filter((line) => line.includes("blackout"));
  assert.deepEqual(ours, []);
});

/** What `key` runs, as systemd.service(5) reads it: `-` before it, `%%` and `${NAME}` in it. */
function commandOf(unit: string, key: string, environment: Readonly<Record<string, string>>): string {
  const line = readFileSync(join(folder, unit), "utf8").match(new RegExp(`^${key}=-?(.+)$`, "m"));
  assert.ok(line, `${unit} has ${key}`);
  return (line[1] as string)
    .replaceAll(INSTALLED, recorder)
    .replaceAll("/sys/kernel/kexec_loaded", kexecLoaded)
    .replaceAll("%%", "%")
    .replace(/\$\{(\w+)\}/g, (_, name) => environment[name] ?? "");
}

const own = ["/sys/kernel/tracing", "/sys/kernel/debug/tracing"].find((tracing) => {
  try {
    accessSync(join(tracing, "trace_marker"), constants.W_OK);
    return true;
  } catch {
    return false;
  }
});

test("what the units run arms, saves, collects and disarms", { skip: own === undefined }, async () => {
  const captures = join(scratch, "captures");
  mkdirSync(captures);
  const environment = {
    BLACKOUT_LEVEL: "markers",
    BLACKOUT_CAPTURES: captures,
    BLACKOUT_STATE: join(scratch, "state"),
    BLACKOUT_INSTANCE: `blackout_units_${process.pid}`,
  };
  const env = { ...process.env, ...environment };
  const run = (unit: string, key: string): void => {
    // systemd splits a command into words itself; for these units, a shell does the same.
    const ran = spawnSync("sh", ["-c", commandOf(unit, key, environment)], { encoding: "utf8", env });
    assert.equal(ran.status, 0, `${unit} ${key}: ${ran.stderr}`);
  };
  try {
    run("blackout-arm.service", "ExecStart");
    const saved = (): number => statSync(join(scratch, "state/old")).ino;
    const armed = saved();
    writeFileSync(kexecLoaded, "0\n");
    run("blackout-save.service", "ExecStop");
    assert.equal(saved(), armed, "a host that is powered off saves nothing");
    writeFileSync(kexecLoaded, "1\n");
    run("blackout-save.service", "ExecStop");
    assert.notEqual(saved(), armed);
    run("blackout-collect.service", "ExecStart");
  } finally {
    run("blackout-collect.service", "ExecStartPost");
  }
  const [capture, ...others] = readdirSync(captures);
  assert.deepEqual(others, []);
  assert.match(capture ?? "", /-\d{8}T\d{6}Z\.tar\.gz$/);
  const { capture: read } = await readUpdate(join(captures, capture as string));
  assert.equal(read.labels.probe_level, "markers");
});
