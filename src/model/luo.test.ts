import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { projectRoot } from "../testing/places.js";
import { ALL_FUNCTIONS, functionRow, ioctlNumber, LUO_IOCTL_RANGE, LUO_IOCTLS, REBOOT_CMD_KEXEC } from "./luo.js";
import { clockReading, deedOf, isMark, MARKS, parseMark } from "./marks.js";

const HOMES = new Set(["src/model/luo.ts", "src/model/marks.ts"]);

/** Production sources, by path, without their comments. */
function sources(): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (const room of ["src", "viewer/src"]) {
    for (const file of readdirSync(join(projectRoot, room), { recursive: true, encoding: "utf8" })) {
      const path = `${room}/${file}`;
      if (!path.endsWith(".ts") || path.endsWith(".test.ts") || path.startsWith("src/testing/")) continue;
      const text = readFileSync(join(projectRoot, path), "utf8");
      found.set(path, text.replace(/\/\*[\s\S]*?\*\/|(?<=^|\s)\/\/.*$/gm, ""));
    }
  }
  return found;
}

/** Files that hold one of `words` as a whole text or number, other than the vocabulary. */
function elsewhere(words: readonly string[]): readonly string[] {
  const pattern = new RegExp(`(?:^|[^\\w.])(${words.join("|")})(?![\\w.])`, "gi");
  return [...sources()]
    .filter(([path]) => !HOMES.has(path))
    .flatMap(([path, text]) => [...text.matchAll(pattern)].map((match) => `${path}: ${match[1]}`));
}

test("each function that the tool names stands in one production file", () => {
  // The field table of ftrace's text reader is of trace events, one of which has its function's name.
  const found = elsewhere(ALL_FUNCTIONS.map(({ name }) => `["'\`]${name}["'\`]`));
  assert.deepEqual(found, ['src/collect/ftrace-text/fields.ts: "notifier_run"']);
});

test("each ioctl number, ioctl name and the reboot command stand in one production file", () => {
  const ioctls = Object.values(LUO_IOCTLS).flatMap((dialect) => [...dialect]);
  const numbers = [...ioctls.map(([number]) => number), REBOOT_CMD_KEXEC].map((number) => `0x0*${number.toString(16)}`);
  const found = elsewhere([...new Set([...numbers, ...ioctls.map(([, { name }]) => `["'\`]${name}["'\`]`)])]);
  // A field number of Perfetto's packets, which only looks like one.
  assert.deepEqual(found, ["src/export/perfetto/carried-update.ts: 0xba01"]);
});

test("each mark that the tool names stands in one production file", () => {
  const names = Object.values(MARKS).flatMap(({ name }) => (name.startsWith("luo: ") ? [name] : []));
  assert.notEqual(names.length, 0);
  assert.deepEqual(elsewhere(names.map((name) => `["'\`]${name}(?: begin| end)?["'\`]`)), []);
});

test("no two rows have one name, and each says where the kernel has it", () => {
  assert.equal(new Set(ALL_FUNCTIONS.map(({ name }) => name)).size, ALL_FUNCTIONS.length);
  for (const { name, source } of ALL_FUNCTIONS) assert.match(source, /^[a-z]+\/.+\.c$/, name);
});

test("a mark is known by its whole name: the text ends there, or a blank follows", () => {
  assert.equal(isMark("luo: vm_pause", MARKS.pause.name), true);
  assert.equal(isMark("luo: vm_pause vm=7", MARKS.pause.name), true);
  assert.equal(isMark("luo: vm_paused vm=7", MARKS.pause.name), false);
  assert.equal(isMark("my luo: vm_pause", MARKS.pause.name), false);
  assert.equal(isMark("clock: realtime=1.000000000", MARKS.clock.name), true);
});

test("a clock mark reads seconds and nanoseconds, and nothing else", () => {
  const fields = new Map([
    ["realtime", "1793000000.000000005"],
    ["monotonic", "12.5"],
  ]);
  const text = "clock: realtime=1793000000.000000005 monotonic=12.5";
  assert.equal(clockReading(text, fields, "realtime"), 1_793_000_000_000_000_005n);
  assert.equal(clockReading(text, fields, "monotonic"), null);
  assert.equal(clockReading("luo: vm_pause", fields, "realtime"), null);
});

test("0xba43 reads a session's name on merged kernels, and its state in the series of 2025", () => {
  assert.equal(LUO_IOCTLS.sessions.get(0xba43)?.name, "LIVEUPDATE_SESSION_GET_NAME");
  assert.equal(LUO_IOCTLS["states-and-sessions"].get(0xba43)?.name, "LIVEUPDATE_SESSION_GET_STATE");
  assert.equal(ioctlNumber("states", "LIVEUPDATE_SESSION_GET_NAME"), null);
  assert.deepEqual(LUO_IOCTL_RANGE, { first: 0xba00, last: 0xba44 });
});

test("a function and the mark of the same step have the same deed", () => {
  assert.deepEqual(deedOf("luo_preserve_file"), { of: "file", action: "preserve" });
  assert.deepEqual(deedOf("luo: preserve_fd"), deedOf("luo_preserve_file"));
  assert.deepEqual(deedOf("luo_session_retrieve"), deedOf("luo: session_retrieve"));
  assert.equal(deedOf("kernel_kexec"), null);
  assert.equal(functionRow("vfs_read"), null);
});

test("a mark is split into its label, its edge and its fields", () => {
  const mark = parseMark("luo: preserve_fd begin session=vm-1 token=0x100");
  assert.equal(mark.label, "luo: preserve_fd");
  assert.equal(mark.edge, "begin");
  assert.deepEqual(
    [...mark.fields],
    [
      ["session", "vm-1"],
      ["token", "0x100"],
    ],
  );
  assert.equal(parseMark("luo: vm_pause vm=7 end").edge, null);
});
