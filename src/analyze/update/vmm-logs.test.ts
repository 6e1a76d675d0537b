/**
 * VMMs' logs in a capture. The recorded log of a QEMU is laid into the recording of a live update: shifted by the one
 * number that puts its save before, and its load after, what the update did.
 */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { memorySource } from "../../base/bytes/byte-source.js";
import type { Boot } from "../../base/time.js";
import type { CaptureFiles } from "../../collect/files/files.js";
import { VMM_EVIDENCE } from "../../model/collected.js";
import { madeCapture, markLine, memoryCapture, traceLine } from "../../testing/fakes/capture-memory.js";
import { documentFaults } from "../../testing/fakes/document-faults.js";
import { auditTree } from "../../testing/oracles/audit-tree.js";
import { traces } from "../../testing/places.js";
import { type ReadUpdate, updateOfCapture, withFiles } from "../../testing/samples/captures.js";
import { buildTrees } from "../attribution/build.js";
import { blame } from "../attribution/views/blame.js";
import { deviceRows } from "../attribution/views/device-rows.js";
import { analyzeUpdate } from "./analyze.js";

const UPDATE = join(traces, "dialects/pstore.tar.gz");
/** No mark has this spelling: only the VMM's log shows the VM. */
const UNMARKED = { pause: "none:", resume: "none:" };

const MICROS = /@(\d+)\.(\d{6}):/g;
const sample = (boot: Boot): string => readFileSync(join(traces, `dialects/qemu/qemu.${boot}.log`), "utf8");
const microsOf = (line: string): bigint => BigInt(line.replace(/^.*?@(\d+)\.(\d{6}):.*$/s, "$1$2"));

/** The log, such that the line that holds `event` is stamped `us`. */
function shifted(log: string, event: string, us: bigint): string {
  const line = log.split("\n").find((each) => each.includes(event));
  assert.ok(line !== undefined, event);
  const by = us - microsOf(line);
  return log.replace(MICROS, (_, seconds: string, micros: string) => {
    const at = BigInt(`${seconds}${micros}`) + by;
    return `@${at / 1_000_000n}.${String(at % 1_000_000n).padStart(6, "0")}:`;
  });
}

function withMore(files: CaptureFiles, more: Readonly<Record<string, string>>): CaptureFiles {
  const own = (path: string) =>
    more[path] === undefined ? null : memorySource(path, new TextEncoder().encode(more[path]));
  return {
    ...files,
    paths: [...files.paths, ...Object.keys(more)].sort(),
    open: (path) => own(path) ?? files.open(path),
  };
}

/** When each boot's workload marked the realtime clock, and what it read, in microseconds. */
function markedClock({ collected }: ReadUpdate, boot: Boot): { readonly ns: number; readonly us: bigint } {
  const mark = collected.collected.keyEvents.find(
    ({ at, name }) => at.boot === boot && name.startsWith("clock: realtime="),
  );
  assert.ok(mark !== undefined);
  const [, seconds, micros] = /realtime=(\d+)\.(\d{6})/.exec(mark.name) ?? [];
  return { ns: mark.at.ns, us: BigInt(`${seconds}${micros}`) };
}

const STOP_BEFORE_NS = 2_000_000_000;
const RESUME_AFTER_NS = 5_000_000_000;

/** The update with both logs: the VM stops 2 s before the old boot's mark, and runs again 5 s after the new one's. */
async function composed<T>(use: (files: CaptureFiles, plain: ReadUpdate) => T): Promise<T> {
  return withFiles(UPDATE, (files) => {
    const plain = updateOfCapture(files);
    const old = shifted(
      sample("old"),
      "(running) new_state 4 (paused)",
      markedClock(plain, "old").us - BigInt(STOP_BEFORE_NS / 1_000),
    );
    const fresh = shifted(
      sample("new"),
      "(paused) new_state 9 (running)",
      markedClock(plain, "new").us + BigInt(RESUME_AFTER_NS / 1_000),
    );
    return use(withMore(files, { "vmm/qemu-web1.old.log": old, "vmm/qemu-web1.new.log": fresh }), plain);
  });
}

test("without marks the blackout is the VMM's own, within its stated ±", async () => {
  await composed((files, plain) => {
    const { collected } = updateOfCapture(files);
    const update = analyzeUpdate(collected.collected, UNMARKED);
    const { blackout, vms, defects } = update.document;
    assert.deepEqual(documentFaults(update.document), []);
    const [old, fresh] = [markedClock(plain, "old"), markedClock(plain, "new")];
    const trueNs = fresh.ns + RESUME_AFTER_NS - (old.ns - STOP_BEFORE_NS);
    const { durationNs, uncertaintyNs, basis, evidence } = blackout;
    assert.ok(durationNs !== null && uncertaintyNs !== null);
    assert.ok(Math.abs(durationNs - trueNs) <= uncertaintyNs, `${durationNs} is not ${trueNs} ± ${uncertaintyNs}`);
    assert.ok(uncertaintyNs >= 2_000 && uncertaintyNs < 40_000_000, `± ${uncertaintyNs}`);
    assert.equal(basis, "vm-marks");
    assert.deepEqual(
      [evidence.begin, evidence.end].map((each) => [each?.event, each?.confidence, each?.file]),
      [
        ["qemu stopped: runstate_set running → paused", "agent", "vmm/qemu-web1.old.log"],
        ["qemu resumed: runstate_set paused → running", "agent", "vmm/qemu-web1.new.log"],
      ],
    );
    assert.deepEqual(
      vms.map(({ id, durationNs: own }) => [id, own]),
      [["web1", durationNs]],
    );
    assert.ok(!defects.some(({ code }) => code.startsWith("vm")));
  });
});

test("devices saved and loaded are spans and causes, and the accounts close", async () => {
  await composed((files) => {
    const { collected } = updateOfCapture(files);
    const update = analyzeUpdate(collected.collected, UNMARKED);
    const { blackout } = buildTrees(update);
    assert.ok(blackout !== null);
    assert.deepEqual(auditTree(blackout), []);
    const rows = deviceRows(update, [blackout]);
    const ram = rows.find(({ id }) => id === "web1 ram");
    assert.ok(ram !== undefined && ram.saveNs !== null && ram.loadNs !== null);
    assert.equal(ram.totalNs, ram.saveNs + ram.loadNs);
    // What the log itself says, added up by hand: all of it lies within the blackout, and nothing else runs on the path.
    const between = (log: string, begin: RegExp, end: RegExp): bigint => {
      let [sum, open] = [0n, null as bigint | null];
      for (const line of log.split("\n")) {
        if (open !== null && end.test(line)) {
          sum += microsOf(line) - open;
          open = null;
        }
        if (begin.test(line)) open = microsOf(line);
      }
      return sum;
    };
    const saved = between(sample("old"), /savevm_section_start ram,/, /savevm_section_end ram,/);
    assert.ok(ram.saveNs <= Number(saved) * 1_000 && ram.saveNs > Number(saved) * 800, `${ram.saveNs} of ${saved} us`);
    const shared = blame([blackout], null, null);
    assert.ok(
      shared.causes.some(
        ({ id, spans }) => id === "web1 ram" && spans.some(({ evidence }) => evidence === VMM_EVIDENCE),
      ),
    );
    const logged = Array.from({ length: update.spans.count }, (_, row) => row).filter(
      (row) => update.spans.strings[update.spans.evidence[row] as number] === VMM_EVIDENCE,
    );
    const parts = (text: string, pattern: RegExp): number => text.match(pattern)?.length ?? 0;
    assert.equal(
      logged.length,
      parts(sample("old"), /savevm_section_start/g) + parts(sample("new"), /section_(?:startfull|partend)/g),
    );
  });
});

test("marks are the better evidence: with them the log adds devices, and changes no boundary", async () => {
  await composed((files, plain) => {
    const { update } = updateOfCapture(files);
    assert.deepEqual(update.document.blackout, plain.update.document.blackout);
    assert.deepEqual(update.document.phases, plain.update.document.phases);
    assert.deepEqual(update.document.vms, plain.update.document.vms);
  });
});

const state = (us: string, from: string, to: string): string =>
  `7@${us}:runstate_set current_run_state 0 (${from}) new_state 0 (${to})\n`;
const KVM = (offset: bigint): string => `[    0.000000] kvm-clock: using sched offset of ${offset} cycles\n`;
const clock = (seconds: number, realtime: string): string =>
  markLine(seconds, `clock: realtime=${realtime}000 monotonic=1.000000000`);

/**
 * Two boots by hand; the old one's clock reads 1000 s at 10 s, the new one's 1003 s at 2 s of their traces, as by
 * kvm-clock.
 */
const made = (marks: boolean, trace: { readonly old?: string; readonly new?: string } = {}) => {
  const [old, fresh] = marks
    ? [clock(10, "1000.000000"), clock(2, "1003.000000")]
    : [markLine(10, "x"), markLine(2, "x")];
  return updateOfCapture(
    memoryCapture(
      madeCapture(
        {
          old: { trace: old + (trace.old ?? ""), dmesg: KVM(1_000_000_000n) },
          new: { trace: fresh + (trace.new ?? ""), dmesg: KVM(12_000_000_000n) },
        },
        {
          "vmm/qemu-a.old.log": state("1001.000000", "running", "paused"),
          "vmm/qemu-a.new.log": state("1006.000000", "paused", "running"),
          "vmm/qemu-b.old.log": state("1000.500000", "running", "paused"),
          "vmm/qemu-b.new.log": state("1005.500000", "paused", "running"),
        },
      ),
    ),
  );
};

test("several VMs: each its own, the host's from the first stop to the last run", () => {
  const { update } = made(true);
  assert.deepEqual(
    update.document.vms.map(({ id, beginNs, endNs }) => [id, beginNs, endNs]),
    [
      ["a", 500_000_000, 5_500_000_000],
      ["b", 0, 5_000_000_000],
    ],
  );
  assert.equal(update.document.blackout.durationNs, 5_500_000_000);
});

test("vCPUs that were seen beat a log", () => {
  const seen = (name: string, at: number) => traceLine(at, `${name}: vcpu 0, rip 0x0`, "CPU 0/KVM-71");
  const { update } = made(true, { old: seen("kvm_entry", 11.5), new: seen("kvm_entry", 4) });
  assert.equal(update.document.blackout.basis, "vcpu");
});

test("a log whose clock is not linked to the trace is reported, and left out", () => {
  const { update, collected } = made(false);
  assert.deepEqual([update.document.blackout.basis, update.document.vms], [null, []]);
  const told = collected.collected.defects.filter(({ defect }) => defect.code === "vmm-log-unplaced");
  assert.deepEqual(
    told.map(({ defect }) => [defect.boot, defect.file]),
    [
      ["old", "vmm/qemu-a.old.log"],
      ["old", "vmm/qemu-b.old.log"],
      ["new", "vmm/qemu-a.new.log"],
      ["new", "vmm/qemu-b.new.log"],
    ],
  );
});
