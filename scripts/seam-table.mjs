/**
 * How much of each recording's blackout lies in the seam, and how much of that nothing divides: the table in
 * docs/seam.md.
 *
 *     npm run build && node scripts/seam-table.mjs [CAPTURE...]
 *
 * Without arguments: the shipped captures, and the full set if it lies beside the checkout. Before stamps, clock and
 * log divided it, all of the seam was undivided.
 */
import { existsSync, readdirSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { root } from "./lib/project.mjs";

const dist = (path) => import(join(root, "dist", path));
const { readUpdate } = await dist("testing/samples/captures.js");
const { buildTrees } = await dist("analyze/attribution/build.js");
const { leavesOf, walk } = await dist("analyze/attribution/tree.js");
const { isOpaque } = await dist("analyze/attribution/seam.js");

/** Captures in a folder: archives, and folders with a manifest; of a folder of such the first. */
function capturesIn(folder) {
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .sort()
    .map((name) => join(folder, name))
    .filter((path) => path.endsWith(".tar.gz") || existsSync(join(path, "capture.json")));
}

const traces = join(root, "traces");
const shared = join(root, "../shared/captures");
const given = process.argv.slice(2);
const captures =
  given.length > 0
    ? given
    : [
        ...capturesIn(traces),
        ...capturesIn(join(traces, "dialects")),
        ...capturesIn(join(traces, "dialects/seam")),
        ...["base", "devices"].flatMap((name) => capturesIn(join(traces, "cohorts", name)).slice(0, 1)),
        ...capturesIn(shared),
      ];

const sum = (nodes) => nodes.reduce((total, { durationNs }) => total + durationNs, 0);
const percent = (ns, total) => `${((100 * ns) / total).toFixed(1)} %`;
/** What the recorder adds inside the seam: tracing's set-up, names of filters, arming the function graph. */
const isRecorders = ({ id, name }) => id === "seam tracing" || /the recorder's/.test(name);

console.log(
  "| capture | level | blackout, ms | seam | undivided before | undivided after | of it the recorder's, at most |",
);
console.log("| --- | --- | ---: | ---: | ---: | ---: | ---: |");
for (const path of captures) {
  const { update } = await readUpdate(path);
  const tree = buildTrees(update).blackout;
  const place = basename(dirname(path));
  const name = `${place === "traces" ? "" : `${place}/`}${basename(path).replace(/\.tar\.gz$/, "")}`;
  if (tree === null) {
    console.log(`| ${name} | ${update.document.capture.probeLevel ?? ""} | not known | | | | |`);
    continue;
  }
  const seams = [];
  walk(tree, (node) => {
    if (node.kind === "seam" && node.id === "seam") seams.push(node);
  });
  const opaque = leavesOf(tree).filter(isOpaque);
  const total = tree.durationNs;
  console.log(
    `| ${name} | ${update.document.capture.probeLevel ?? ""} | ${(total / 1e6).toFixed(0)} | ${percent(sum(seams), total)} | ${percent(sum(seams), total)} | ${percent(sum(opaque), total)} | ${percent(sum(opaque.filter(isRecorders)), total)} |`,
  );
}
