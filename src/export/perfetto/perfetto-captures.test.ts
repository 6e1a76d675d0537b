/** The Perfetto file of every shipped capture agrees with the document and the tree, and protoc can read it. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import test from "node:test";
import { STRUCTURE, type TreeNode, walk } from "../../analyze/attribution/tree.js";
import {
  protoFile,
  protoFolder,
  type ReadSlice,
  type ReadTrace,
  type ReadTrack,
  reread,
  tracksNamed,
} from "../../testing/oracles/perfetto-reread.js";
import { shippedCohort, traces } from "../../testing/places.js";
import { eventsOf, readUnlinked, updateOfCapture, withFiles } from "../../testing/samples/captures.js";
import { type Attribution, attributionOf, writePerfetto } from "./perfetto.js";

type Update = ReturnType<typeof updateOfCapture>["update"];

/** The file as `blackout perfetto` writes it, events and all. */
async function fileOf(path: string): Promise<{ bytes: Uint8Array; update: Update; attribution: Attribution }> {
  return withFiles(path, (files) => {
    const read = updateOfCapture(files);
    return { ...bytesOf(read.update, eventsOf(files, read)), update: read.update };
  });
}

function bytesOf(update: Update, feed: Parameters<typeof writePerfetto>[1]) {
  const pieces: Uint8Array[] = [];
  const attribution = attributionOf(update);
  writePerfetto(update, feed, (piece) => pieces.push(piece), attribution);
  return { bytes: Buffer.concat(pieces), attribution };
}

const only = (trace: ReadTrace, name: string): ReadTrack => {
  const [track, ...more] = tracksNamed(trace, name);
  assert.ok(track !== undefined && more.length === 0, name);
  return track;
};

const lengthOf = ({ beginNs, endNs }: ReadSlice): number => (endNs ?? Number.NaN) - beginNs;

const shipped = [
  ...["plain", "v72-v73", "tsc-persistent"].map((name) => join(traces, `${name}.tar.gz`)),
  shippedCohort("devices")[0] as string,
];
const protoc = spawnSync("protoc", ["--version"]).status === 0;

for (const path of shipped) {
  test(`${path.split("/").slice(-2).join("/")}: phases, tree, chain, arrows and silence, to the nanosecond`, async (context) => {
    const { bytes, update, attribution } = await fileOf(path);
    const trace = reread(bytes);
    const zero = trace.attributes.get("blackout.axis_zero_ns") as number;
    const { document } = update;

    const phases = tracksNamed(trace, "Phases").flatMap(({ slices }) => slices);
    assert.deepEqual(
      phases
        .map((slice) => [slice.name, slice.beginNs - zero, lengthOf(slice)])
        .sort((a, b) => Number(a[1]) - Number(b[1])),
      document.phases
        .filter(({ durationNs }) => durationNs !== null)
        .map(({ name, beginNs, durationNs }) => [name, beginNs, durationNs])
        .sort((a, b) => Number(a[1]) - Number(b[1])),
    );

    const nodes: (readonly [number, number, string, number])[] = [];
    const { blackout, outside } = attribution.trees;
    for (const tree of [...(blackout === null ? [] : [blackout]), ...outside]) {
      walk(tree, (node: TreeNode, above) => nodes.push([node.beginNs, node.durationNs, node.kind, above.length]));
    }
    const tree = only(trace, "Where it went").slices;
    const order = (a: readonly unknown[], b: readonly unknown[]): number =>
      Number(a[0]) - Number(b[0]) || Number(a[3]) - Number(b[3]);
    assert.deepEqual(
      tree
        .filter(({ annotations }) => annotations.kind !== "unattributed")
        .map((slice) => [slice.beginNs - zero, lengthOf(slice), slice.annotations.kind, slice.depth])
        .sort(order),
      [...nodes].sort(order),
    );
    // What is drawn as unattributed is what the tree leaves.
    const left = tree
      .filter(({ annotations }) => annotations.kind === "unattributed")
      .reduce((sum, slice) => sum + lengthOf(slice), 0);
    let unattributed = 0;
    for (const root of [...(blackout === null ? [] : [blackout]), ...outside]) {
      walk(root, (node) => {
        if (STRUCTURE.has(node.kind)) unattributed += node.unattributedNs;
      });
    }
    assert.equal(left, unattributed);

    if (attribution.chain === null) assert.deepEqual(tracksNamed(trace, "Critical chain"), []);
    else {
      const steps = only(trace, "Critical chain").slices;
      assert.equal(steps.length, attribution.chain.steps.length);
      assert.equal(
        steps.reduce((sum, slice) => sum + lengthOf(slice), 0),
        document.blackout.durationNs,
      );
    }

    const all = [...trace.tracks.values()].flatMap(({ slices }) => slices);
    const ends = new Set(all.flatMap(({ terminatingFlows }) => terminatingFlows));
    const starts = new Set(all.flatMap(({ flows }) => flows));
    assert.deepEqual([...starts].sort(), [...ends].sort(), "every arrow that starts ends");
    for (const flow of starts) {
      const through = all.filter(({ flows, terminatingFlows }) => [...flows, ...terminatingFlows].includes(flow));
      const begins = through.map(({ beginNs }) => beginNs);
      assert.deepEqual(
        begins,
        [...begins].sort((a, b) => a - b),
      );
      assert.equal(new Set(through.map(({ category }) => category)).size, 1);
    }

    for (const { irq, lastOldNs, silentNs } of attribution.silences) {
      const [slice] = only(trace, irq).slices;
      assert.deepEqual(slice && [slice.beginNs - zero, lengthOf(slice)], [lastOldNs, silentNs]);
    }

    if (!protoc) return context.diagnostic("protoc is not installed");
    const decoded = spawnSync(
      "protoc",
      ["--decode", "perfetto.protos.Trace", `--proto_path=${protoFolder}`, protoFile],
      { input: bytes, maxBuffer: 512 * 1024 * 1024, encoding: "utf8" },
    );
    assert.equal(decoded.status, 0, decoded.stderr);
    assert.doesNotMatch(decoded.stdout, /^\s*\d+(?::| \{)/m, "a field is not in the schema");
    assert.equal(decoded.stdout.match(/^packet \{$/gm)?.length, trace.packets);
  });
}

test("a device's shutdown leads to its probe, and a file's preserve through its freeze to its retrieve", async () => {
  const { bytes } = await fileOf(join(traces, "plain.tar.gz"));
  const trace = reread(bytes);
  const group = only(trace, "Devices over the kexec");
  const devices = [...trace.tracks.values()].filter(({ parent }) => parent === group.uuid);
  assert.deepEqual(devices.map(({ name }) => name).sort(), [
    "e1000 0000:00:03.0",
    "virtio-pci 0000:00:02.0",
    "virtio-pci 0000:00:04.0",
  ]);
  for (const { slices, name } of devices) {
    const [shutdown, probe, ...more] = slices as [ReadSlice, ReadSlice];
    assert.deepEqual([shutdown.name, probe.name, more], ["shutdown", "probe", []], name);
    assert.deepEqual(shutdown.flows, probe.terminatingFlows);
    assert.ok(probe.beginNs > (shutdown.endNs ?? 0));
  }
  const files = [...trace.tracks.values()]
    .flatMap(({ slices }) => slices)
    .filter(({ category }) => category === "file");
  const arrows = new Set(files.flatMap(({ flows }) => flows));
  assert.equal(arrows.size, 4);
  for (const arrow of arrows) {
    const steps = files
      .filter(({ flows, terminatingFlows }) => [...flows, ...terminatingFlows].includes(arrow))
      .sort((a, b) => a.beginNs - b.beginNs)
      .map(({ annotations }) => annotations.action);
    assert.deepEqual(steps.slice(0, 3), ["preserve", "freeze", "retrieve"]);
  }
});

test("without a clock link each kernel has its own tree, and no arrow leads across", async () => {
  const { update } = await readUnlinked(join(traces, "plain.tar.gz"));
  const trace = reread(bytesOf(update, null).bytes);
  assert.equal(tracksNamed(trace, "Where it went").length, 2);
  for (const name of ["Critical chain", "Devices over the kexec", "Interrupt silence"])
    assert.deepEqual(tracksNamed(trace, name), []);
  for (const { slices } of trace.tracks.values())
    for (const { flows, terminatingFlows } of slices) assert.deepEqual([...flows, ...terminatingFlows], []);
});
