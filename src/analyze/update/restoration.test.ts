/** What was lost, and what was only not seen: on a shipped recording with lines changed, and on small captures. */
import assert from "node:assert/strict";
import test from "node:test";
import type { LiveUpdateDocument } from "../../model/live-update.js";
import {
  callLine,
  type MadeBoot,
  madeCapture,
  markLine,
  memoryCapture,
  returnLine,
  traceLine,
} from "../../testing/fakes/capture-memory.js";
import { hiding, replacing, updateOfCapture, withFiles } from "../../testing/samples/captures.js";

const SHIPPED = "traces/cohorts/base/01.tar.gz";
const FIRST = "7f994553-0000-4000-8000-000000000001";
const SECOND = "7f994553-0000-4000-8000-000000000002";

/** The shipped update read from its text, with the new kernel's trace or log changed. */
async function shipped(
  trace: (lines: readonly string[]) => readonly string[],
  log: string = "",
): Promise<LiveUpdateDocument> {
  return withFiles(SHIPPED, (files) => {
    const text = replacing(hiding(files, /trace_pipe_raw$/), /new\/trace$/, (whole) =>
      trace(whole.split("\n")).join("\n"),
    );
    return updateOfCapture(replacing(text, /new\/dmesg$/, (whole) => `${whole.trimEnd()}\n${log}`)).update.document;
  });
}

/** The lines with what the retrieve of a token returned. */
const returning =
  (token: string, ret: string) =>
  (lines: readonly string[]): readonly string[] => {
    const at = lines.findIndex((line) => line.includes("luo_retrieve_file: ") && line.includes(`token=${token} `));
    return lines.map((line, i) =>
      i > at && i < at + 12 && line.includes("luo_retrieve_file_ret: ") ? line.replace(/ret=\S+/, `ret=${ret}`) : line,
    );
  };

test("a file whose retrieve returned an error is lost: session, token, handler and errno are named", async () => {
  for (const ret of ["-12", "0xfffffffffffffff4", "4294967284"]) {
    const update = await shipped(returning("0x101", ret));
    assert.equal(update.outcome, "partly-restored", ret);
    assert.match(update.outcomeReason, /3 of 4 files came back.*session 7f994553\S+1, token 0x101.*ENOMEM/);
    assert.deepEqual(
      update.losses.map(({ session, token, action, errno }) => [session, token, action, errno]),
      [[FIRST, "0x101", "retrieve", "ENOMEM"]],
    );
    const files = update.sessions.flatMap((session) => session.files);
    assert.deepEqual(
      files.map(({ token, status, failedAt, errno }) => [token, status, failedAt, errno]),
      [
        ["0x100", "finished", null, null],
        ["0x101", "failed", "retrieve", "ENOMEM"],
        ["0x200", "finished", null, null],
        ["0x201", "finished", null, null],
      ],
    );
    assert.ok(update.blackout.durationNs !== null, "the blackout is what it is");
  }
});

test("a session that was not seen to be restored is named, and is not a loss", async () => {
  const update = await shipped((lines) =>
    lines.filter((line) => !line.includes(`session="${SECOND}"`) || !/luo_(?:session_)?retrieve/.test(line)),
  );
  assert.equal(update.outcome, "completed");
  assert.match(update.outcomeReason, /Not seen to be restored, which does not show a loss: session \S+2 \(0x200/);
  assert.deepEqual(update.losses, []);
  assert.deepEqual(update.notSeen, [{ session: SECOND, tokens: ["0x200", "0x201"] }]);
  assert.deepEqual(
    update.sessions.find(({ name }) => name === SECOND)?.files.map(({ status }) => status),
    ["not-seen", "not-seen"],
  );
});

test("the shipped update as it is: nothing lost, nothing unseen", async () => {
  const update = await shipped((lines) => lines);
  assert.equal(update.outcome, "completed");
  assert.deepEqual([update.losses, update.notSeen, update.health], [[], [], { counts: [], events: [] }]);
});

test("the new kernel's own lines are evidence of a loss: of a handler, of LUO, of KHO", async () => {
  for (const line of [
    "memfd_luo: Unable to restore folio at physical address: 48bf000",
    "luo: Failed to retrieve file for token[0x101] err[-ENOMEM]",
    "luo: File count mismatch: expected 4, found 3",
    "luo: No registered handler for compatible [vfio-pci-v1]",
    "luo: Failed to insert session [vm-7] -EEXIST",
    "vfio_pci_liveupdate 0000:00:04.0: could not restore device state: -5",
    "KHO: failed to restore page at 0x48bf000",
    "luo: finish of session [vm-7] failed -EBUSY",
  ]) {
    const update = await shipped((lines) => lines, `[    2.400000] ${line}\n`);
    assert.equal(update.outcome, "partly-restored", line);
    assert.ok(update.outcomeReason.includes(line), update.outcomeReason);
    assert.equal(update.losses[0]?.evidence, line);
    assert.equal(update.health.counts[0]?.class, "handover", line);
  }
  const named = await shipped(
    (lines) => lines,
    "[    2.4] x\n[    2.400000] luo: Failed to retrieve token[0x7] -EIO\n",
  );
  assert.deepEqual([named.losses[0]?.token, named.losses[0]?.errno], ["0x7", "EIO"]);
});

test("lines that complain of something else lose nothing", async () => {
  for (const line of ["memfd_luo: failed to preserve folios: -12", "luo: Failed to allocate session", "9p: restored"]) {
    const update = await shipped((lines) => lines, `[    2.400000] ${line}\n`);
    assert.equal(update.outcome, "completed", line);
    assert.deepEqual(update.losses, [], line);
  }
});

const KVM_OLD = "[    0.000000] kvm-clock: using sched offset of 1000000000 cycles\n";
const KVM_NEW = "[    0.000000] kvm-clock: using sched offset of 12000000000 cycles\n";
const OLD =
  callLine(9.1, "luo_session_create", 'session="a"') +
  callLine(9.2, "luo_preserve_file", 'session="a" token=0x1') +
  returnLine(9.25, "luo_preserve_file", 0) +
  markLine(10, "luo: vm_pause") +
  callLine(10.1, "kernel_kexec") +
  callLine(10.2, "liveupdate_reboot") +
  returnLine(10.3, "liveupdate_reboot", 0) +
  callLine(10.4, "machine_kexec");

function made(trace: string, old: MadeBoot = { trace: OLD, dmesg: KVM_OLD }): LiveUpdateDocument {
  const fresh = callLine(2, "luo_open") + trace + markLine(2.9, "luo: vm_resume");
  return updateOfCapture(memoryCapture(madeCapture({ old, new: { trace: fresh, dmesg: KVM_NEW } }))).update.document;
}
const retrieve = (at: number, ret: number, token = "0x1"): string =>
  callLine(at, "luo_retrieve_file", `session="a" token=${token}`) + returnLine(at + 0.01, "luo_retrieve_file", ret);

test("a call that failed and was repeated with success lost nothing", () => {
  const update = made(retrieve(2.1, -11) + retrieve(2.2, 0));
  assert.equal(update.outcome, "completed");
  assert.deepEqual(update.sessions[0]?.files[0]?.status, "retrieved");
  const never = made(retrieve(2.1, -11) + retrieve(2.2, -11));
  assert.deepEqual([never.outcome, never.losses.length, never.losses[0]?.errno], ["partly-restored", 1, "EAGAIN"]);
});

test("an agent that asks for a session which was never preserved loses nothing", () => {
  const asks = (session: string): string =>
    callLine(2.05, "luo_session_retrieve", `session="${session}"`) + returnLine(2.06, "luo_session_retrieve", -2);
  assert.equal(made(asks("other") + retrieve(2.2, 0)).outcome, "completed");
  const lost = made(asks("a") + callLine(2.3, "luo_session_finish", 'session="a"'));
  assert.equal(lost.outcome, "partly-restored");
  assert.deepEqual([lost.losses[0]?.session, lost.losses[0]?.token, lost.losses[0]?.errno], ["a", null, "ENOENT"]);
});

test("sessions that cannot be deserialized or finished are lost, by the call that failed", () => {
  const deserialized = made(
    callLine(2.02, "luo_session_deserialize") + returnLine(2.03, "luo_session_deserialize", -22) + retrieve(2.1, 0),
  );
  assert.deepEqual([deserialized.losses[0]?.action, deserialized.losses[0]?.errno], ["deserialize", "EINVAL"]);
  const finish = (at: number, ret: number): string =>
    callLine(at, "luo_session_finish", 'session="a"') + returnLine(at + 0.01, "luo_session_finish", ret);
  const finished = made(retrieve(2.1, 0) + finish(2.3, -16));
  assert.equal(finished.outcome, "partly-restored");
  assert.deepEqual([finished.losses[0]?.session, finished.losses[0]?.action], ["a", "finish"]);
  assert.equal(made(retrieve(2.1, 0) + finish(2.3, -16) + finish(2.4, 0)).outcome, "completed");
});

test("what the function graph saw of a failed call, without its return value, is not its success", async () => {
  const update = await shipped((lines) =>
    lines.map((line) => (line.includes("luo_session_deserialize_ret: ") ? line.replace(/ret=0/, "ret=-22") : line)),
  );
  assert.equal(update.outcome, "partly-restored");
  assert.deepEqual(
    update.losses.map(({ action, errno }) => [action, errno]),
    [["deserialize", "EINVAL"]],
  );
});

test("a line's session and token are named where the update has them, in whatever form the line prints them", async () => {
  for (const [line, session, token, handler] of [
    [`luo: Failed to deserialize files for session ${SECOND}: -ENOENT`, SECOND, null, null],
    [`luo: Failed to deserialize files for session [${SECOND}] -ENOENT`, SECOND, null, null],
    [`luo: session '${SECOND}' finish failed: -16`, SECOND, null, null],
    ["luo: Unable to retrieve file with token 0x201: -EIO", SECOND, "0x201", "memfd-v2"],
    ["luo: Failed to restore session state", null, null, null],
  ] as const) {
    const update = await shipped((lines) => lines, `[    2.400000] ${line}\n`);
    assert.deepEqual(
      update.losses.map((loss) => [loss.session, loss.token, loss.handler]),
      [[session, token, handler]],
      line,
    );
  }
});

test("without probes the ioctls show the loss, though not whose", () => {
  const ioctl = (at: number, cmd: string, ret: string): string =>
    traceLine(at, `sys_ioctl(fd: 5, cmd: ${cmd}, arg: 7ffd)`) + traceLine(at + 0.01, `sys_ioctl -> ${ret}`);
  const update = made(ioctl(2.1, "ba41", "0x0") + ioctl(2.2, "ba41", "0xfffffffffffffff4"));
  assert.equal(update.outcome, "partly-restored");
  assert.deepEqual(
    update.losses.map(({ session, token, action, errno }) => [session, token, action, errno]),
    [[null, null, "retrieve", "ENOMEM"]],
  );
  assert.equal(made(ioctl(2.1, "ba41", "0x0") + ioctl(2.2, "ba41", "0x0")).outcome, "completed");
});

test("a file that could not be preserved was never handed over: it failed at preserve, and is not lost", () => {
  const trace = OLD.replace("luo_preserve_file_ret", "luo_preserve_file_ret");
  const failed =
    callLine(9.3, "luo_preserve_file", 'session="a" token=0x2') + returnLine(9.35, "luo_preserve_file", -95);
  const at = trace.indexOf(markLine(10, "luo: vm_pause"));
  const update = made(retrieve(2.1, 0), { trace: trace.slice(0, at) + failed + trace.slice(at), dmesg: KVM_OLD });
  assert.equal(update.outcome, "completed");
  const file = update.sessions[0]?.files.find(({ token }) => token === "0x2");
  assert.deepEqual([file?.status, file?.failedAt, file?.errno], ["failed", "preserve", "EOPNOTSUPP"]);
});
