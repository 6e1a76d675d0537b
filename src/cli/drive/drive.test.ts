/** A made-up host driven through updates, by the real recorder, with faults and kills. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { after } from "node:test";
import fc from "fast-check";
import { recordedSurroundings } from "../../testing/command-testing.js";
import { type DrivenHost, drivenHost } from "../../testing/fakes/hosts/driven-host.js";
import { projectRoot, shippedCohort } from "../../testing/places.js";
import { commands } from "../commands.js";
import { runCli } from "../frame/command-run.js";
import { type DriveJournal, JOURNAL_NAME, readJournal } from "./journal.js";
import { shellWord } from "./remote.js";

const scratch = mkdtempSync(join(tmpdir(), "blackout-drive-"));
after(() => rmSync(scratch, { recursive: true, force: true }));
let made = 0;
const place = (): string => mkdtempSync(join(scratch, `${made++}-`));
const kernel = join(scratch, "bzImage");
writeFileSync(kernel, "a kernel");
const other = join(scratch, "bzImage.other");
writeFileSync(other, "another kernel");
const initrd = join(scratch, "initrd");
writeFileSync(initrd, "an initrd");

const base = shippedCohort("base");

interface Driven {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

const words = (host: DrivenHost, out: string, more: readonly string[]): readonly string[] => {
  const place = ["--ssh", host.ssh, "--host-folder", host.folder, "-o", out];
  return ["drive", "root@made", "--kernel", kernel, ...place, "--limit", "10", ...more];
};
async function drive(host: DrivenHost, out: string, ...more: readonly string[]): Promise<Driven> {
  const surroundings = recordedSurroundings();
  const code = await runCli(words(host, out, more), surroundings, commands);
  return { code, out: surroundings.written(), err: surroundings.complained() };
}
/** The command in a process of its own, which the host's ssh kills. */
function driveApart(host: DrivenHost, out: string, ...more: readonly string[]): Driven {
  const main = join(projectRoot, "dist/cli/main.js");
  const run = spawnSync(process.execPath, [main, ...words(host, out, more)], { encoding: "utf8" });
  return { code: run.status, out: run.stdout, err: run.stderr };
}
function journalIn(out: string): DriveJournal {
  const found = readJournal(out);
  if (!found.ok || found.value === null) throw new Error("no journal");
  return found.value;
}
const states = (out: string): readonly string[] => journalIn(out).updates.map(({ state }) => state);
function assertClean(host: DrivenHost): void {
  assert.ok(!existsSync(host.folder), "nothing is left of the driver");
  assert.doesNotMatch(host.on.snapshot(), /\/enable=1/, "nothing is armed");
}

test("a host is driven through updates, and nothing is left on it", async () => {
  const host = drivenHost(place(), base);
  const out = join(place(), "cohort");
  const {
    code,
    out: text,
    err,
  } = await drive(host, out, "--repeat", "3", "--initrd", initrd, "--label", "workload=none");
  assert.equal(code, 0, err + text);
  assert.deepEqual(readdirSync(out).sort(), ["001.tar.gz", "002.tar.gz", "003.tar.gz", JOURNAL_NAME]);
  assert.deepEqual(states(out), ["done", "done", "done"]);
  assert.match(
    text,
    /^root@made: Linux 6\.19\.2\nupdate 1 of 3 {2}completed, blackout [\d.]+ m?s ± .* 001\.tar\.gz {2}about \d+ s left\n/,
  );
  assert.match(text, /3 of 3 updates made; nothing is left on root@made\n\n/);
  assert.match(text, /p50/);
  const kexecs = host.kexecs();
  assert.equal(kexecs.filter((line) => line === "-e").length, 3);
  assert.match(kexecs[0] ?? "", /^-s -l \S+\/kernel-a --initrd=\S+\/initrd-a --command-line=quiet .*trace_event=/);
  assertClean(host);
});

test("what the recorder collects on the host is fetched with its digest", async () => {
  const host = drivenHost(place());
  const out = join(place(), "cohort");
  const { code, out: text } = await drive(
    host,
    out,
    "--level",
    "probes",
    "--after",
    `echo resumed >> ${join(scratch, "resumed")}`,
  );
  assert.deepEqual(states(out), ["done"], text);
  assert.ok(code === 0 || code === 3, "the made-up rings are empty: there may be no percentile");
  assert.equal(readFileSync(join(scratch, "resumed"), "utf8"), "resumed\n");
  const list = spawnSync("tar", ["tzf", join(out, "001.tar.gz")], { encoding: "utf8" }).stdout;
  assert.match(list, /\/capture\.json\n/);
  assertClean(host);
});

test("a drive that is killed anywhere goes on, makes each update once, and leaves nothing", async () => {
  const counted = drivenHost(place(), base);
  assert.equal((await drive(counted, join(place(), "cohort"), "--repeat", "2")).code, 0);
  const calls = counted.calls();
  const points =
    process.env.KILL_POINTS === undefined ? [5, 9, 10, 11, 12, 14] : Array.from({ length: calls }, (_, i) => i + 1);
  for (const point of points) {
    const host = drivenHost(place(), base);
    const out = join(place(), "cohort");
    host.killAt(point);
    const killed = driveApart(host, out, "--repeat", "2");
    assert.equal(killed.code, null, `killed at call ${point}: ${killed.out}${killed.err}`);
    const again = await drive(host, out, "--repeat", "2", "--resume");
    assert.equal(again.code, 0, `call ${point} of ${calls}: ${again.out}${again.err}`);
    assert.deepEqual(states(out), ["done", "done"]);
    assert.deepEqual(readdirSync(out).sort(), ["001.tar.gz", "002.tar.gz", JOURNAL_NAME]);
    assert.equal(host.kexecs().filter((line) => line === "-e").length, 2, `call ${point}: one kexec for each update`);
    assertClean(host);
  }
});

test("a host that never comes back ends the series; once it is up, --resume collects what its rings hold", async () => {
  const host = drivenHost(place(), base);
  const out = join(place(), "cohort");
  host.fault("never");
  const gone = await drive(host, out, "--repeat", "2");
  assert.equal(gone.code, 3, gone.out);
  assert.match(gone.out, /update 1 of 2 {2}failed: the host did not come back within 10 s/);
  assert.match(
    gone.out,
    /0 of 2 updates made; stopped: the host did not come back within 10 s; left on root@made: not cleaned: ssh failed/,
  );
  assert.deepEqual(states(out), ["rebooting"]);
  host.fault(null);
  assert.equal(
    (await drive(host, out, "--repeat", "2")).code,
    3,
    "without --resume a folder with a drive is left alone",
  );
  const again = await drive(host, out, "--repeat", "2", "--resume");
  assert.equal(again.code, 0, again.out + again.err);
  assert.deepEqual(states(out), ["done", "done"]);
  assertClean(host);
});

test("a kexec that is refused is a failed update with its capture; after some of them the series ends", async () => {
  const host = drivenHost(place(), base);
  const out = join(place(), "cohort");
  host.fault("refuse");
  const { code, out: text } = await drive(host, out, "--repeat", "9", "--stop-after", "2");
  assert.equal(code, 4, text);
  assert.match(text, /update 1 of 9 {2}failed: the kexec did not happen: exit code 1: kexec: not permitted/);
  assert.match(text, /0 of 9 updates made; stopped: 2 updates failed; nothing is left/);
  assert.deepEqual(states(out), ["failed", "failed"]);
  assertClean(host);
  const failing = drivenHost(place(), base);
  const before = await drive(failing, join(place(), "cohort"), "--before", "echo 'vm7 cannot be paused' >&2; exit 7");
  assert.match(before.out, /failed: the kexec did not happen: exit code 7: vm7 cannot be paused/);
  assert.ok(!failing.kexecs().includes("-e"), "no kexec follows a pause that failed");
  assertClean(failing);
});

test("two kernels are updated to in turn, and compared: a regression is exit code 1", async () => {
  const turns = (a: string, b: string): readonly string[] =>
    shippedCohort(a).flatMap((path, i) => [path, shippedCohort(b)[i] as string]);
  const host = drivenHost(place(), turns("devices", "base"));
  const out = join(place(), "ab");
  const { code, out: text, err } = await drive(host, out, "--ab", other, "--repeat", "7");
  assert.equal(code, 1, text + err);
  assert.deepEqual(readdirSync(out).sort(), ["a", "b", JOURNAL_NAME]);
  assert.deepEqual(
    host
      .kexecs()
      .flatMap((line) => /kernel-([ab])/.exec(line)?.[1] ?? [])
      .slice(0, 4),
    ["a", "b", "a", "b"],
  );
  assert.match(text, /regressed/i);
  assertClean(host);
});

test("with a baseline the exit code is the verdict", async () => {
  const host = drivenHost(place(), shippedCohort("devices"));
  const baseline = join(projectRoot, "traces/cohorts/base");
  const { code, out } = await drive(host, join(place(), "now"), "--repeat", "7", "--baseline", baseline);
  assert.equal(code, 1, out);
});

test("a host without the words for recording is refused with them; --prepare restarts it once with them", async () => {
  const bare = () => drivenHost(place(), null, { rings: [] });
  const refused = bare();
  const { code, err } = await drive(refused, join(place(), "cohort"));
  assert.equal(code, 3);
  assert.match(err, /root@made cannot record level events:\n {2}no trace instance outlives a kexec/);
  assert.match(err, /give --prepare, .*: quiet kho=on liveupdate=on reserve_mem=8M:4096:blackout /);
  assert.deepEqual(refused.kexecs(), []);
  const host = bare();
  const out = join(place(), "cohort");
  const prepared = await drive(host, out, "--prepare");
  assert.deepEqual(states(out), ["done"], prepared.out + prepared.err);
  assert.equal(host.kexecs().filter((line) => line === "-e").length, 2);
  assert.match(host.kexecs()[0] ?? "", /--command-line=quiet .*trace_instance=blackout_marks/);
  assert.doesNotMatch(host.kexecs()[0] ?? "", /trace_event=/);
  assertClean(host);
});

test("a dry run prints every command, and runs none", async () => {
  const host = drivenHost(place(), base);
  const out = join(place(), "cohort");
  const { code, out: text } = await drive(host, out, "--dry-run", "--repeat", "30", "--initrd", initrd);
  assert.equal(code, 0);
  assert.equal(host.calls(), 0);
  assert.ok(!existsSync(out));
  for (const word of [
    "kexec -s -l",
    "kexec -e",
    "recorder.sh arm",
    "recorder.sh save",
    "recorder.sh collect",
    "disarm --discard",
    "rmdir",
  ])
    assert.ok(text.includes(word), word);
});

test("two drives do not use one host, and a folder's drive goes on only with the same plan", async () => {
  const host = drivenHost(place(), base);
  const out = join(place(), "cohort");
  host.killAt(8);
  assert.equal(driveApart(host, out).code, null);
  const rival = await drive(host, join(place(), "rival"));
  assert.equal(rival.code, 3);
  assert.match(rival.err, /root@made is being driven by another drive \([0-9a-f]{32}\)/);
  const changed = await drive(host, out, "--resume", "--level", "probes");
  assert.equal(changed.code, 3);
  assert.match(changed.err, /begun with another level \(events\)/);
  const { code, err } = await drive(host, join(place(), "none"), "--resume");
  assert.equal(code, 3);
  assert.match(err, /there is no drive to resume/);
});

test("any text as a journal is a journal, or a sentence", async () => {
  const folder = place();
  const check = (text: string): void => {
    writeFileSync(join(folder, JOURNAL_NAME), text);
    const found = readJournal(folder);
    if (!found.ok) assert.match(found.error, /not a journal of blackout drive/);
  };
  fc.assert(fc.property(fc.string(), check), { numRuns: 100 });
  fc.assert(fc.property(fc.json(), check), { numRuns: 100 });
  const part = { format: "blackout-drive", version: 1, id: "0".repeat(32), plan: {} };
  for (const updates of [
    null,
    [null],
    [{ number: 2, side: "a", state: "done", bootId: "", capture: null, why: null }],
    [{ number: 1, side: "../x", state: "done", bootId: "", capture: null, why: null }],
  ])
    check(JSON.stringify({ ...part, updates }));
});

test("a word of sh is quoted so that it stays one word", async () => {
  for (const word of ["plain", "two words", "it's", "$(reboot)", "`x`", "a\nb", "", "\\", "*"]) {
    const run = spawnSync("sh", ["-c", `printf %s ${shellWord(word)}`], { encoding: "utf8" });
    assert.equal(run.stdout, word);
  }
});
