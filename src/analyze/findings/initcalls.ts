import { formatDuration } from "../../base/text/format.js";
import { type Finding, nodesWhere, type Rule, spanOf } from "./finding.js";

/** An initcall is named from this share of the blackout on. */
const MIN_SHARE = 0.02;

/** Initcalls that take long by themselves, without the devices probed in them (those are findings of their own). */
export const longInitcalls: Rule = ({ root }) =>
  nodesWhere(root, ({ kind }) => kind === "initcall").flatMap((node): readonly Finding[] => {
    const devices = nodesWhere(node, ({ kind }) => kind === "device");
    const own = node.durationNs - devices.reduce((sum, { durationNs }) => sum + durationNs, 0);
    if (own < root.durationNs * MIN_SHARE) return [];
    return [
      {
        rule: "long-initcall",
        title: `The initcall ${node.id} takes ${formatDuration(own)}${devices.length > 0 ? " beside the devices it probes" : ""}.`,
        phase: "kexec",
        boot: "new",
        costNs: own,
        gainNs: [0, own],
        spans: [spanOf(node)],
        advice:
          "Leave its subsystem out of the new kernel, make it a module that is loaded after the resume, or look into it at level graph.",
        source: "init/main.c, do_one_initcall",
      },
    ];
  });
