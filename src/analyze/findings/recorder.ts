import { formatDuration } from "../../base/text/format.js";
import { leavesOf, type TreeNode } from "../attribution/tree.js";
import { RECORDER } from "../causes/causes.js";
import { type Finding, nodesWhere, type Rule, spanOf, sumNs } from "./finding.js";

const MIN_SHARE = 0.01;

/** What the new kernel does only because it is traced: kernel/trace's own initcalls and hotplug steps. */
const RECORDERS_OWN = new Set([
  "init_graph_trace",
  "event_trace_enable_again",
  "init_function_trace",
  "init_kprobe_trace",
  "trace_rb_cpu_prepare",
]);

/** Leaves of the seam in which the new kernel may arm the function graph: it starts from an initcall. */
const ARMED_IN: ReadonlySet<string> = new Set([
  "seam",
  "seam after sched_clock",
  "seam kernel",
  "seam boot",
  "seam tracing",
]);

/** The recorder, arming in the new kernel while the VMs wait. */
const isArming = ({ kind, id }: TreeNode): boolean => kind === "userspace" && id === RECORDER;

/** By the costs that the recorder measured on its host when it was armed: how much the records themselves took. */
export const recordingEstimate: Rule = ({ update, root }): readonly Finding[] => {
  const { recording } = update;
  if (recording === null || recording.ns < root.durationNs * MIN_SHARE) return [];
  const { events, probes, ns } = recording;
  const count = (number: number): string => number.toLocaleString("en");
  return [
    {
      rule: "recording-estimate",
      title: `Recording takes up to ${formatDuration(ns)} of the blackout: ${count(events)} events of the new kernel and ${count(probes)} probes, at what one costs on this host.`,
      phase: null,
      boot: null,
      costNs: ns,
      gainNs: [0, ns],
      spans: [spanOf(root)],
      advice: "Record less: level markers for budgets, and without --with what no question needs.",
      source: "old/costs, measured by the recorder",
    },
  ];
};

/**
 * The recorder's own part of the blackout, as far as spans show it. Arming inside the seam shows in none: it is more.
 */
export const recorderCost: Rule = ({ update, root }): readonly Finding[] => {
  const nodes = nodesWhere(
    root,
    (node) =>
      (node.kind === "initcall" && RECORDERS_OWN.has(node.id)) ||
      (node.kind === "cpu" && RECORDERS_OWN.has(node.action)) ||
      isArming(node),
  );
  const cost = nodes.reduce((sum, { durationNs }) => sum + durationNs, 0);
  const armed = update.armsGraphAtBoot
    ? leavesOf(root).filter(({ kind, id }) => kind === "seam" && ARMED_IN.has(id))
    : [];
  if (cost < root.durationNs * MIN_SHARE && !update.armsGraphAtBoot) return [];
  const spans = [...nodes, ...armed];
  if (spans.length === 0) return [];
  const most = cost + sumNs(armed);
  const arming = nodes.filter(isArming).reduce((sum, { durationNs }) => sum + durationNs, 0);
  const byHand =
    arming === 0 ? "" : `, ${formatDuration(arming)} of it to arm in the new kernel, which a bootconfig saves`;
  const more = armed.length > 0 ? ", and arming the function graph takes more inside the seam, unseen" : "";
  return [
    {
      rule: "recorder-cost",
      title: `The recording itself takes ${formatDuration(cost)} of the blackout in spans of its own${byHand}${more}.`,
      phase: "kexec",
      boot: "new",
      costNs: cost,
      gainNs: [cost, most],
      spans: spans.sort((a, b) => a.beginNs - b.beginNs).map(spanOf),
      advice:
        "Measure at level events or markers; use graph to find causes, never for budgets. Medians of six interleaved rounds of one update: graph 6.1 s, probes 4.9 s, events 4.0 s, markers 4.0 s.",
      source: "kernel/trace/trace.c, ring_buffer.c; the recordings in traces/",
    },
  ];
};
