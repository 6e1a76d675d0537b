/** What ramoops kept: of a live update's old kernel (its ring was full), and of a kernel that panicked. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import fc from "fast-check";
import { memorySource } from "../../base/bytes/byte-source.js";
import type { PrintkLine } from "../../model/collected.js";
import { madeCapture, memoryCapture } from "../../testing/fakes/capture-memory.js";
import { traces } from "../../testing/places.js";
import { hiding, updateOfCapture, withFiles } from "../../testing/samples/captures.js";
import { readKmsg } from "./kmsg.js";
import { LOG_LIMITS } from "./kmsg-lines.js";
import { type KnownLogs, ownerOf, pstoreFrame, pstoreName, readPstoreLog } from "./pstore.js";

const CRASH = join(traces, "dialects/pstore-crash");
const UPDATE = join(traces, "dialects/pstore.tar.gz");
const source = (name: string, text: string | Uint8Array) =>
  memorySource(name, typeof text === "string" ? new TextEncoder().encode(text) : text);
const crashLog = (name: string) =>
  readPstoreLog(source(name, readFileSync(join(CRASH, name))), pstoreName(name)?.type ?? "console");
const codes = (log: { readonly defects: readonly { readonly code: string }[] }) => log.defects.map(({ code }) => code);

test("files are identified by the names that fs/pstore gives them", () => {
  assert.deepEqual(pstoreName("console-ramoops-0"), { type: "console", packed: false });
  assert.deepEqual(pstoreName("dmesg-efi_pstore-171234567801001"), { type: "dmesg", packed: false });
  assert.deepEqual(pstoreName("dmesg-ramoops-1.enc.z"), { type: "dmesg", packed: true });
  for (const other of ["pmsg-ramoops-0", "ftrace-ramoops-0", "console-ramoops", "dmesg", "console-ramoops-0/x"]) {
    assert.equal(pstoreName(other), null, other);
  }
});

test("pstore's own lines are distinguished from the log's", () => {
  assert.deepEqual(pstoreFrame("Panic#1 Part1"), { kind: "dump", reason: "Panic", count: 1, part: 1 });
  assert.deepEqual(pstoreFrame("====1764444444.123456-D"), { kind: "memory", packed: false });
  assert.deepEqual(pstoreFrame("====1764444444.123456-C"), { kind: "memory", packed: true });
  assert.deepEqual(pstoreFrame("ECC: No errors detected"), { kind: "ecc", corrected: 0, lost: 0 });
  assert.deepEqual(pstoreFrame("ECC: 3 Corrected bytes, 1 unrecoverable blocks"), {
    kind: "ecc",
    corrected: 3,
    lost: 1,
  });
  assert.equal(pstoreFrame("[    1.000000] Panic#1 Part1"), null);
});

test("a panic's dump: its frame is not part of the log, its levels are read", () => {
  const { lines, counts, defects } = crashLog("dmesg-ramoops-0");
  assert.deepEqual(defects, []);
  const printed = readFileSync(join(CRASH, "dmesg-ramoops-0"), "utf8").split("\n");
  const logged = printed.filter((line) => /^<\d>\[/.test(line));
  assert.ok(logged.length > 100);
  assert.deepEqual([counts.events, counts.structural, counts.undecoded], [logged.length, 2, 0]);
  const panic = lines.find(({ text }) => text.startsWith("Kernel panic - not syncing"));
  assert.equal(panic?.level, 0);
  const [seconds, micros] = (/^<0>\[ *(\d+)\.(\d{6})\]/.exec(printed[(panic?.line ?? 0) - 1] ?? "") ?? []).slice(1);
  assert.equal(panic?.stampNs, Number(seconds) * 1e9 + Number(micros) * 1e3);
});

test("the first line of a console whose ring was full is a remainder, which is reported", () => {
  const log = crashLog("console-ramoops-0");
  assert.deepEqual(codes(log), ["pstore-torn"]);
  assert.deepEqual([log.defects[0]?.severity, log.defects[0]?.line, log.counts.undecoded], ["note", 1, 1]);
  assert.equal(log.lines.at(-1)?.text, "pstore: backend (ramoops) writing error (-28)");
});

test("damage is reported, and everything whole is read", () => {
  const text =
    "[    1.000000] a\n\xff\xfe garbage\n[    2.000000] b\x00\x01\n\nECC: 3 Corrected bytes, 1 unrecoverable blocks\n";
  const log = readPstoreLog(source("console-ramoops-0", Buffer.from(text, "latin1")), "console");
  assert.deepEqual(codes(log), ["printk-not-utf8", "pstore-ecc", "pstore-torn"]);
  assert.deepEqual(
    log.lines.map(({ stampNs, text }) => [stampNs, text]),
    [
      [1e9, "a"],
      [2e9, "b\\x00\\x01"],
    ],
  );
  assert.deepEqual(codes(readPstoreLog(source("x", "====1.000001-C\nx\x9c\n[    1.000000] a\n"), "dmesg")), [
    "pstore-packed",
  ]);
  assert.deepEqual(codes(readPstoreLog(source("x", "no stamp\n"), "console")), ["pstore-unstamped"]);
  const long = readPstoreLog(source("x", `[    1.000000] ${"a".repeat(99)}\n[    2.000000] b\n`), "console", {
    ...LOG_LIMITS,
    lines: 1,
    lineBytes: 50,
  });
  assert.deepEqual(codes(long), ["printk-line-cut", "printk-log-cut"]);
});

test("every line is counted once, whatever the bytes", () => {
  const piece = fc.constantFrom(
    "[    1.000000] a",
    "\n",
    "ECC: No errors detected",
    "Panic#1 Part1",
    "====1.1-D",
    "\0",
    "\xff",
  );
  fc.assert(
    fc.property(fc.array(fc.oneof(piece, fc.string()), { maxLength: 30 }), (pieces) => {
      const { counts, lines } = readPstoreLog(source("x", pieces.join("")), "console");
      assert.equal(counts.lines, counts.events + counts.structural + counts.undecoded);
      assert.equal(lines.length, counts.events);
    }),
    { numRuns: 500 },
  );
});

const log = (text: string): readonly PrintkLine[] => readKmsg(source("dmesg", text), "old", { defect: () => {} });
const known = (part: Partial<KnownLogs>): KnownLogs => ({ old: [], new: [], newBootReached: true, ...part });
const ownerOfText = (text: string, part: Partial<KnownLogs>, type: "console" | "dmesg" = "console") =>
  ownerOf(readPstoreLog(source("x", text), type), known(part));

test("a log is of the kernel whose own log has its lines", () => {
  const kept = "[    1.000001] a\n[    2.000002] b\n[    3.000003] c\n";
  assert.equal(ownerOfText(kept, { old: log("[    1.000001] a\n[    2.000002] b\n") }), "old");
  assert.equal(ownerOfText(kept, { new: log("[    1.000001] a\n[    2.000002] b\n") }), "new");
  assert.equal(ownerOfText(kept, { old: log("[    1.000009] a\n[    2.000009] b\n") }), null);
  assert.equal(ownerOfText(kept, { old: log("[    1.000001] a\n[    2.000002] b\n") }, "dmesg"), "old");
  const zero = "[    0.000000] Linux version\n[    1.000001] a\n";
  assert.equal(ownerOfText(zero, { old: log("[    0.000000] Linux version\n[    1.000007] a\n") }), null);
});

test("without a log to compare with, a console is the one of the kernel before; a dump may be of any", () => {
  const kept = "[    9.000001] a\n[    9.100000] kexec_core: Starting new kernel\n";
  assert.equal(ownerOfText(kept, {}), "old");
  assert.equal(ownerOfText(kept, {}, "dmesg"), null);
  assert.equal(ownerOfText(kept, { old: log("[    1.000001] b\n") }), "old", "its dmesg was read before it began");
  assert.equal(ownerOfText("[    9.000001] a\n", { old: log("[    1.000001] b\n") }), null);
});

test("read later than in the new kernel, a console is that of the new one", () => {
  const lost = { newBootReached: false, old: log("[    1.000001] a\n[    5.000000] b\n") };
  assert.equal(ownerOfText("[    1.000002] a\n[    2.000000] Kernel panic - not syncing: x\n", lost), "new");
  assert.equal(ownerOfText("[    9.000001] KHO: found kexec handover data.\n", { newBootReached: false }), "new");
  assert.equal(ownerOfText("[    9.000001] a\n", { newBootReached: false }), null);
});

test("the old kernel's last words come from pstore where its own log ends before them, and no line twice", async () => {
  await withFiles(UPDATE, (files) => {
    const { collected } = updateOfCapture(hiding(files, /^(?:ring|marks)\//)).collected;
    const old = collected.printk.filter(({ line }) => line.boot === "old");
    const last = old.at(-1);
    assert.equal(last?.line.text, "kexec_core: Starting new kernel");
    assert.equal(last?.line.file, "pstore/console-ramoops-0");
    assert.deepEqual(
      collected.sources.flatMap(({ dialect, boot, clock, files }) =>
        dialect === "pstore" ? [boot, clock, ...files] : [],
      ),
      ["old", "printk", "pstore/console-ramoops-0"],
    );
    assert.equal(old.filter(({ line }) => line.file.startsWith("pstore/")).length, 1, "the other lines are dmesg's");
    const said = collected.keyEvents.filter(({ name }) => name === "kexec_core: Starting new kernel");
    assert.deepEqual(
      said.map(({ at, file }) => [at.boot, file]),
      [["old", "pstore/console-ramoops-0"]],
    );
  });
});

test("where the old kernel's dmesg is missing, pstore's console is its log", async () => {
  await withFiles(UPDATE, (files) => {
    const { collected } = updateOfCapture(hiding(files, /^old\/dmesg$/)).collected;
    const old = collected.printk.filter(({ line }) => line.boot === "old");
    assert.ok(old.length > 50 && old.every(({ line }) => line.file === "pstore/console-ramoops-0"));
    const last = old.at(-1);
    assert.ok(last?.ns !== null && (last?.uncertaintyNs ?? 1e9) <= 1_000, "placed by the trace event of the same line");
    const missing = collected.defects.find(({ defect }) => defect.file === "old/dmesg")?.defect;
    assert.equal(missing?.severity, "note");
  });
});

test("a new kernel that panicked is found by what pstore kept of it, dump and console as one log", () => {
  const read = (name: string): Uint8Array => readFileSync(join(CRASH, name));
  const files = {
    "pstore/console-ramoops-0": read("console-ramoops-0"),
    "pstore/dmesg-ramoops-0": read("dmesg-ramoops-0"),
  };
  const made = madeCapture({ old: { dmesg: "[    1.000000] a\n[    9.000000] b\n" } }, files);
  const { collected, update } = updateOfCapture(memoryCapture(made));
  const { verdicts, printk, defects } = collected.collected;
  assert.deepEqual(
    verdicts.map(({ what, boot, file }) => [what, boot, file]),
    [["panic", "new", "pstore/dmesg-ramoops-0"]],
  );
  assert.equal(update.document.outcome, "failed");
  const texts = printk.flatMap(({ line }) => (line.boot === "new" ? [`${line.stampNs} ${line.text}`] : []));
  assert.equal(texts.filter((text) => text.includes("Kernel panic - not syncing")).length, 1);
  assert.match(texts.at(-1) ?? "", /^\d+ pstore: backend \(ramoops\) writing error \(-28\)$/);
  assert.ok(!defects.some(({ defect }) => defect.code === "pstore-unrelated"));
});

test("files of other kernels are reported, and left out", () => {
  const dmesg = "[    1.000000] a\n[    9.000000] b\n";
  const crash = "Oops#1 Part1\n<4>[    3.123456] BUG: old news\n";
  const more = { "pstore/dmesg-ramoops-0": crash, "pstore/dmesg-ramoops-1.enc.z": "x", "pstore/pmsg-ramoops-0": "y" };
  const { printk, defects } = updateOfCapture(memoryCapture(madeCapture({ old: { dmesg }, new: { dmesg } }, more)))
    .collected.collected;
  assert.equal(printk.length, 4);
  assert.deepEqual(
    defects.flatMap(({ defect }) => (defect.code.startsWith("pstore") ? [`${defect.code} ${defect.file}`] : [])),
    ["pstore-unrelated pstore/dmesg-ramoops-0", "pstore-packed pstore/dmesg-ramoops-1.enc.z"],
  );
});
