/** Every stage boundary against the kernel's own text of the same event, and one cause from two sources. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { after } from "node:test";
import { axisNsOf } from "../../base/clock-map.js";
import { instant } from "../../base/time.js";
import { spanAt } from "../../model/span-table.js";
import { sharedCaptures, traces } from "../../testing/places.js";
import { readUpdate } from "../../testing/samples/captures.js";
import { buildTrees } from "./build.js";
import { type TreeNode, walk } from "./tree.js";

const unpacked = mkdtempSync(join(tmpdir(), "blackout-kernel-text-"));
after(() => rmSync(unpacked, { recursive: true }));

/** A capture's folder. */
function folderOf(name: string): string {
  if (sharedCaptures !== null && existsSync(join(sharedCaptures, name, "capture.json")))
    return join(sharedCaptures, name);
  assert.equal(spawnSync("tar", ["-xzf", join(traces, `${name}.tar.gz`), "-C", unpacked]).status, 0);
  return existsSync(join(unpacked, name, "capture.json")) ? join(unpacked, name) : unpacked;
}

interface TextLine {
  /** In counts of the trace clock, cut to a microsecond as printed. */
  readonly count: bigint;
  readonly text: string;
}

const STAMPED = /(?:^|\s)(\d+)(?:\.(\d{6}))?(?::| +\|)\s*(.*)$/;

/**
 * An independent reading of the kernel's text: stamp and what follows, no more. x86-tsc is printed as a whole number.
 */
function linesOf(path: string): readonly TextLine[] {
  return readFileSync(path, "latin1")
    .split("\n")
    .flatMap((line): readonly TextLine[] => {
      const match = line.startsWith("#") ? null : STAMPED.exec(line);
      if (match === null) return [];
      const [, whole, fraction, text] = match as unknown as readonly [string, string, string | undefined, string];
      const count = fraction === undefined ? BigInt(whole) : BigInt(whole) * 1_000_000_000n + BigInt(fraction) * 1_000n;
      return [{ count, text: text.replace(/^[^/]*\/\* /, "") }];
    });
}

type Finder = (lines: readonly TextLine[]) => TextLine | undefined;

/** The last one: an earlier attempt may have failed. */
const called =
  (...names: readonly string[]): Finder =>
  (lines) =>
    lines.findLast(({ text }) => names.some((name) => text.startsWith(`${name}: __probe_ip`)));
const first =
  (text: RegExp): Finder =>
  (lines) =>
    lines.find((line) => text.test(line.text));
const level = (name: string): Finder => first(new RegExp(`initcall_level: level=${name}\\b`));
/** The last initcall of a level ends before the next level begins, or the file does. */
const lastInitcallOf =
  (name: string): Finder =>
  (lines) => {
    const begin = lines.findIndex(({ text }) => text.includes(`initcall_level: level=${name}`));
    if (begin < 0) return undefined;
    const next = lines.findIndex(({ text }, i) => i > begin && text.includes("initcall_level: "));
    return lines
      .slice(begin, next < 0 ? lines.length : next)
      .findLast(({ text }) => text.includes("initcall_finish: "));
  };

/** What the kernel prints where each stage begins. */
const TEXTS: Readonly<Record<string, Finder>> = {
  "reboot notifiers": called("kernel_restart_prepare"),
  "device shutdown": called("device_shutdown"),
  "CPU migration": called("migrate_to_reboot_cpu"),
  "syscore shutdown": called("syscore_shutdown"),
  "stopping CPUs": (lines) =>
    called("machine_shutdown", "native_machine_shutdown")(lines) ?? first(/Starting new kernel/)(lines),
  machine_kexec: called("machine_kexec"),
  "early initcalls": level("early"),
  "SMP bring-up": lastInitcallOf("early"),
  ...Object.fromEntries(
    ["pure", "core", "postcore", "arch", "subsys", "fs", "device", "late"].map((name) => [
      `initcalls: ${name}`,
      level(name),
    ]),
  ),
  "after initcalls": lastInitcallOf("late"),
  "user space": first(/console: (?:msg=)?Run \S+ as init process/),
};

for (const name of ["plain", "nic5", "many", "big", "probes", "events", "v73-v72"]) {
  test(`${name}: stages begin where the kernel's own text says`, async (context) => {
    if (sharedCaptures === null && name !== "plain") return context.skip("needs the full set of recordings");
    const folder = folderOf(name);
    const { update, collected } = await readUpdate(folder);
    const { blackout } = buildTrees(update);
    assert.ok(blackout !== null);
    const texts = { old: linesOf(join(folder, "ring/trace")), new: linesOf(join(folder, "new/trace")) };
    const stages: TreeNode[] = [];
    walk(blackout, (node) => {
      if (node.kind === "stage" && !node.inferred) stages.push(node);
    });
    const compared: string[] = [];
    for (const { id, boot, beginNs } of stages) {
      if (boot === null) continue;
      // Another kernel prints the old ring with its own ids and symbols: its text names other events.
      if (boot === "old" && name.startsWith("v7")) continue;
      const line = TEXTS[id]?.(texts[boot]);
      if (line === undefined) continue;
      const map = collected.maps[boot];
      assert.ok(map !== null);
      const at = axisNsOf(map as never, instant(`${boot}:trace` as never, line.count as never)) - update.zeroNs[boot];
      assert.ok(Math.abs(at - beginNs) <= 1_000, `${id}: ${beginNs} is not ${at}, of '${line.text}'`);
      compared.push(id);
    }
    context.diagnostic(`${name}: ${compared.length} of ${stages.length} stages: ${compared.join(", ")}`);
    assert.ok(compared.length >= stages.length - (name.startsWith("v7") ? 7 : 2), compared.join(", "));
  });
}

test("a kprobe and the function graph on one call are one span with two pieces of evidence", async () => {
  const { update } = await readUpdate(join(traces, "plain.tar.gz"));
  const { spans } = update;
  const rows = Array.from({ length: spans.count }, (_, row) => spanAt(spans, row));
  const both = rows.filter(({ evidence }) => evidence === "kprobe + function graph");
  assert.ok(both.length >= 5, `${both.length}`);
  const graph = rows.filter(({ evidence }) => evidence === "function graph");
  const probe = rows.filter(({ evidence }) => evidence === "kprobe");
  // No call is left twice: of one function and task, no probe's span lies over a graph's.
  for (const a of probe) {
    const twin = graph.find(
      (b) => b.name === a.name && b.boot === a.boot && b.pid === a.pid && b.beginNs < a.endNs && b.endNs > a.beginNs,
    );
    assert.equal(twin, undefined, `${a.name} at ${a.beginNs}`);
  }
});

test("what is carried over the kexec has one identity on both sides", async () => {
  const { update } = await readUpdate(join(traces, "plain.tar.gz"));
  const { spans } = update;
  const ids = (boot: "old" | "new", kind: string, action: string): readonly string[] =>
    [
      ...new Set(
        Array.from({ length: spans.count }, (_, row) => spanAt(spans, row))
          .filter((span) => span.boot === boot && span.kind === kind && span.action === action)
          .map(({ id }) => id),
      ),
    ].sort();
  const preserved = ids("old", "file", "preserve");
  assert.equal(preserved.length, 4);
  assert.deepEqual(ids("old", "file", "freeze"), preserved);
  assert.deepEqual(ids("new", "file", "retrieve"), preserved);
  assert.equal(ids("old", "session", "create").length, 2);
  assert.deepEqual(ids("old", "session", "create"), ids("new", "session", "finish"));
  const probed = ids("new", "device", "probe");
  assert.ok(probed.includes("0000:00:03.0"));
  for (const id of probed) assert.ok(ids("old", "device", "shutdown").includes(id), id);
  // One address of serialized data for each file, whichever kernel it was read in.
  const addresses = update.sessions.flatMap(({ files }) => files.map(({ serializedData }) => serializedData));
  assert.equal(new Set(addresses).size, 4);
  assert.ok(addresses.every((address) => address !== null));
});
