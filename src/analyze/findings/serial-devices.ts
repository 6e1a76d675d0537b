import { formatDuration } from "../../base/text/format.js";
import { type Finding, longestNs, nodesWhere, type Rule, spanOf, sumNs } from "./finding.js";

/** Below this share of the blackout devices in a row are not worth a sentence. */
const MIN_SHARE = 0.01;

const WORDS = { shutdown: "shut down", probe: "probed" } as const;

/**
 * Devices that are shut down, or probed, one after the other: device_shutdown() walks its list alone
 * (drivers/base/core.c), and a driver without asynchronous probing is offered its devices one by one
 * (drivers/base/dd.c, probe_type). At the most all but the longest could go.
 */
export const serialDevices: Rule = ({ root }) =>
  (["shutdown", "probe"] as const).flatMap((action): readonly Finding[] => {
    const nodes = nodesWhere(root, (node) => node.kind === "device" && node.action === action);
    const cost = sumNs(nodes);
    const most = cost - longestNs(nodes);
    if (nodes.length < 2 || most < root.durationNs * MIN_SHARE) return [];
    const worst = [...nodes].sort((a, b) => b.durationNs - a.durationNs)[0] ?? null;
    return [
      {
        rule: `serial-device-${action}`,
        title: `${nodes.length} devices are ${WORDS[action]} one after the other in ${formatDuration(cost)}; the longest alone, ${worst?.name}, takes ${formatDuration(worst?.durationNs ?? 0)}.`,
        phase: "kexec",
        boot: action === "shutdown" ? "old" : "new",
        costNs: cost,
        gainNs: [0, most],
        spans: nodes.map(spanOf),
        advice:
          action === "shutdown"
            ? "Let drivers shut down asynchronously, or preserve devices over the update so that they need no shutdown."
            : "Let the driver probe asynchronously (PROBE_PREFER_ASYNCHRONOUS, driver_async_probe=), or after the VMs have resumed.",
        source: action === "shutdown" ? "drivers/base/core.c, device_shutdown" : "drivers/base/dd.c, driver_attach",
      },
    ];
  });
