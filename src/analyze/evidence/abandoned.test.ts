import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { KeyEvent } from "../../model/collected.js";
import {
  callLine,
  madeCapture,
  markLine,
  memoryCapture,
  returnLine,
  traceLine,
} from "../../testing/fakes/capture-memory.js";
import { projectRoot } from "../../testing/places.js";
import { readUpdate, updateOfCapture } from "../../testing/samples/captures.js";
import { abandonedLives } from "./abandoned.js";

const of = (session: string, more = ""): string => `session="${session}"${more}`;
const preserve = (at: number, session: string): string =>
  callLine(at, "luo_session_create", of(session)) +
  returnLine(at + 0.001, "luo_session_create", 0) +
  callLine(at + 0.002, "luo_preserve_file", of(session, " token=0x100 fd=9")) +
  callLine(at + 0.003, "memfd_luo_preserve", 'compat="memfd-v2"') +
  returnLine(at + 0.004, "memfd_luo_preserve", 0) +
  returnLine(at + 0.005, "luo_preserve_file", 0);
const unpreserve = (at: number, session: string): string =>
  callLine(at, "luo_file_unpreserve_files", of(session)) + returnLine(at + 0.001, "luo_file_unpreserve_files");
const reboot = (at: number, ret: number): string =>
  callLine(at, "kernel_kexec") + callLine(at, "liveupdate_reboot") + returnLine(at + 0.001, "liveupdate_reboot", ret);
const updateFrom = (trace: string) => updateOfCapture(memoryCapture(madeCapture({ old: { trace } }))).update;
const prepareOf = ({ document }: ReturnType<typeof updateFrom>) =>
  document.phases.find(({ name }) => name === "prepare")?.durationNs;

test("a session that the kernel unpreserved is listed as abandoned, and is not part of prepare", () => {
  const update = updateFrom(preserve(1, "gone") + unpreserve(1.01, "gone") + preserve(2, "vm") + reboot(3, 0));
  assert.equal(prepareOf(update), 5_000_000);
  assert.deepEqual(
    update.document.sessions.map(({ name }) => name),
    ["vm"],
  );
  const [life, ...more] = update.document.abandoned ?? [];
  assert.deepEqual(more, []);
  assert.deepEqual([life?.session, life?.files, life?.durationNs], ["gone", 1, 11_000_000]);
  // Create, preserve and unpreserve; the time between them is nobody's work.
  assert.equal(life?.workNs, 1_000_000 + 3_000_000 + 1_000_000);
});

test("a session that is made again under its name is live, and only its first life was abandoned", () => {
  const update = updateFrom(preserve(1, "vm") + unpreserve(1.01, "vm") + preserve(2, "vm") + reboot(3, 0));
  assert.equal(prepareOf(update), 5_000_000);
  assert.deepEqual(
    update.document.sessions.map(({ name, files }) => [name, files.length]),
    [["vm", 1]],
  );
  assert.equal(update.document.abandoned?.length, 1);
});

test("a session that is closed because the kexec was refused was not abandoned", () => {
  const update = updateFrom(preserve(1, "vm") + reboot(2, -16) + unpreserve(2.5, "vm"));
  assert.equal(update.document.abandoned, undefined);
  assert.equal(prepareOf(update), 5_000_000);
  assert.equal(update.document.sessions.length, 1);
});

test("an update without abandoned sessions lists none", () => {
  const update = updateFrom(preserve(1, "vm") + reboot(2, 0));
  assert.equal(update.document.abandoned, undefined);
  assert.deepEqual(update.luo.abandoned, []);
});

const event = (part: Pick<KeyEvent, "what" | "name"> & { ns: number; session: string; span?: number }): KeyEvent => ({
  at: { boot: "old", ns: part.ns },
  fields: new Map([["session", part.session]]),
  source: part.what === "message" ? "agent" : "kprobe",
  cpu: 0,
  pid: 7,
  task: "vmm",
  file: "ring/trace",
  place: part.ns,
  ...(part.span === undefined ? {} : { span: part.span }),
  what: part.what,
  name: part.name,
});

test("a client of luod that disconnects before it is ready abandons its session", () => {
  const made = [
    event({ what: "call", name: "luo_session_create", ns: 1, session: "vm", span: 0 }),
    event({ what: "return", name: "luo_session_create", ns: 2, session: "vm", span: 0 }),
  ];
  const gone = event({ what: "message", name: "luod DISCONNECTED", ns: 9, session: "vm" });
  const ready = event({ what: "message", name: "luod READY", ns: 5, session: "vm" });
  assert.deepEqual(
    abandonedLives([...made, gone]).map(({ session }) => session),
    ["vm"],
  );
  assert.deepEqual(abandonedLives([...made, ready, gone]), []);
  const frozen = event({ what: "call", name: "luo_file_freeze", ns: 20, session: "vm", span: 1 });
  assert.deepEqual(abandonedLives([...made, gone, frozen]), []);
});

test("who held the device is listed, and who was refused it", () => {
  const open = (at: number, task: string, ret: number): string =>
    traceLine(at, "luo_open: (luo_open+0x4/0x50)", task) +
    traceLine(at + 0.001, `luo_open_ret: (misc_open+0x4/0x60 <- luo_open) ret=${ret}`, task);
  const update = updateFrom(open(1, "luod-10", 0) + open(2, "vmm-20", -16) + markLine(3, "luo: vm_pause"));
  assert.deepEqual(
    update.luo.device.map(({ boot, task, pid, ret, result }) => [boot, task, pid, ret, result]),
    [
      ["old", "luod", 10, 0, "held"],
      ["old", "vmm", 20, -16, "refused"],
    ],
  );
});

test("the state machine of 2025 is one session with its tokens, and its states are listed", () => {
  const step = (at: number, name: string, fields = ""): string =>
    callLine(at, name, fields) + returnLine(at + 0.001, name, 0);
  const update = updateFrom(
    step(1, "luo_files_prepare_one", "token=0x100") +
      step(1.1, "luo_files_prepare_one", "token=0x101") +
      step(1.2, "luo_prepare") +
      traceLine(1.3, "console: [    1.300000] luo: Switched from [normal] to [prepared] state") +
      step(2, "luo_files_freeze_one", "token=0x100") +
      traceLine(2.1, "console: luo: Switched from [prepared] to [frozen] state") +
      reboot(3, 0),
  );
  const [host] = update.sessions;
  assert.equal(host?.name, "luo");
  assert.deepEqual(
    host?.files.map(({ token, preserveNs, freezeNs }) => [token, preserveNs, freezeNs]),
    [
      ["0x100", 1_000_000, 1_000_000],
      ["0x101", 1_000_000, null],
    ],
  );
  assert.deepEqual(
    update.luo.states.map(({ boot, from, to }) => `${boot} ${from} ${to}`),
    ["old normal prepared", "old prepared frozen"],
  );
});

const input = (name: string): string => join(projectRoot, "../shared/integrity", `${name}.tar.gz`);
const skip = existsSync(input("abandoned-session")) ? false : "the shared inputs are not beside the checkout";

test("the recording of an agent that died keeps 125 ms out of prepare", { skip }, async () => {
  const { update } = await readUpdate(input("abandoned-session"));
  assert.equal(Math.round((prepareOf(update) ?? 0) / 1e5) / 10, 94.6);
  assert.equal(update.document.abandoned?.[0]?.session, "abandoned-0000-4000-8000-000000000009");
  assert.equal(update.document.sessions.length, 2);
});
