import { formatDuration } from "../../base/text/format.js";
import { type Finding, nodesWhere, type Rule, spanOf, stageOf, sumNs } from "./finding.js";

const MIN_SHARE = 0.05;

/** What runs in the new kernel between init and the process that opens /dev/liveupdate. */
export const lateOpen: Rule = ({ root }) => {
  const stage = stageOf(root, "user space") ?? stageOf(root, "after initcalls + user space");
  if (stage === null || stage.durationNs < root.durationNs * MIN_SHARE) return [];
  const tasks = new Map<string, number>();
  for (const node of nodesWhere(stage, ({ kind }) => kind === "userspace")) {
    tasks.set(node.id, (tasks.get(node.id) ?? 0) + node.durationNs);
  }
  const worst = [...tasks].sort((a, b) => b[1] - a[1])[0];
  const most = worst === undefined ? "" : `; most of it in ${worst[0]}, ${formatDuration(worst[1])}`;
  return [
    {
      rule: "late-open",
      title: `User space runs for ${formatDuration(stage.durationNs)} before it opens /dev/liveupdate${most}.`,
      phase: "kexec",
      boot: "new",
      costNs: stage.durationNs,
      gainNs: [0, stage.durationNs],
      spans: [spanOf(stage)],
      advice: "Restore from the initramfs, before anything else that init starts.",
      source: "kernel/liveupdate/luo_core.c, luo_open: sessions are deserialised at the first open",
    },
  ];
};

/** Prepare between the VMs' pause and the reboot, as when systemd's shutdown preserves the fd stores. */
export const prepareInBlackout: Rule = ({ root }) => {
  const phase = root.children.find(({ kind, id }) => kind === "phase" && id === "prepare");
  if (phase === undefined) return [];
  return [
    {
      rule: "prepare-in-blackout",
      title: `Sessions are preserved while the VMs stand still: ${formatDuration(phase.durationNs)} of the blackout.`,
      phase: "prepare",
      boot: "old",
      costNs: phase.durationNs,
      gainNs: [0, phase.durationNs],
      spans: [spanOf(phase)],
      advice:
        "Preserve before the pause: LUO allows it, and memory that changes afterwards is carried over all the same.",
      source: "include/uapi/linux/liveupdate.h; systemd 261, luo-util.c: the session is created at shutdown",
    },
  ];
};

/** Several sessions retrieved by one task, one after the other. */
export const serialRetrieve: Rule = ({ root }) => {
  const nodes = nodesWhere(
    root,
    (node) => (node.kind === "file" || node.kind === "session") && node.action === "retrieve",
  );
  const sessions = new Map<string, number>();
  for (const node of nodes) {
    const session = node.kind === "session" ? node.id : node.id.slice(0, node.id.lastIndexOf(" "));
    sessions.set(session, (sessions.get(session) ?? 0) + node.durationNs);
  }
  const cost = sumNs(nodes);
  const most = cost - [...sessions.values()].reduce((longest, ns) => Math.max(longest, ns), 0);
  if (sessions.size < 2 || most < root.durationNs * 0.005) return [];
  return [
    {
      rule: "serial-retrieve",
      title: `${sessions.size} sessions are retrieved one after the other in ${formatDuration(cost)}.`,
      phase: "restore",
      boot: "new",
      costNs: cost,
      gainNs: [0, most],
      spans: nodes.map(spanOf),
      advice: "Retrieve each VM's session from a thread of its own, and resume each VM as soon as its own is back.",
      source: "kernel/liveupdate/luo_session.c: sessions are locked one by one",
    },
  ];
};

/** Preserved memory in small folios, if a probe recorded how many. Cost goes with folios, not with bytes. */
export const smallFolios: Rule = ({ update, root }): readonly Finding[] => {
  const nodes = nodesWhere(root, ({ kind, row }) => kind === "file" && row >= 0).filter(({ row }) => {
    const detail = update.spans.strings[update.spans.detail[row] as number] ?? "";
    const folios = Number(/(?:^| )folios=(\d{1,15})(?: |$)/.exec(detail)?.[1] ?? 0);
    const bytes = Number(/(?:^| )bytes=(\d{1,15})(?: |$)/.exec(detail)?.[1] ?? 0);
    return folios > 1 && bytes / folios <= 4_096;
  });
  const cost = sumNs(nodes);
  if (cost < root.durationNs * 0.005) return [];
  return [
    {
      rule: "small-folios",
      title: `${nodes.length} files come back in folios of 4 KiB, which takes ${formatDuration(cost)}.`,
      phase: "restore",
      boot: "new",
      costNs: cost,
      gainNs: [0, cost],
      spans: nodes.map(spanOf),
      advice:
        "Back guest memory with huge pages (memfd with MFD_HUGETLB or shmem_enabled=always): 2 MiB folios are 512 times fewer.",
      source: "mm/memfd_luo.c: one radix insert and one page-cache insert a folio",
    },
  ];
};
