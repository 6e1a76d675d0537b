import { formatDuration } from "../../base/text/format.js";
import { captured } from "../../model/kernel-lines.js";
import { type Rule, spanOf, stageOf } from "./finding.js";

const MIN_SHARE = 0.02;

/** Stopping the old kernel's CPUs and bringing up the new one's. */
export const cpuBringUp: Rule = ({ root }) => {
  const stages = [stageOf(root, "stopping CPUs"), stageOf(root, "SMP bring-up")].filter((stage) => stage !== null);
  const cost = stages.reduce((sum, { durationNs }) => sum + durationNs, 0);
  if (cost < root.durationNs * MIN_SHARE) return [];
  return [
    {
      rule: "cpu-bring-up",
      title: `Stopping and bringing up the CPUs takes ${formatDuration(cost)}.`,
      phase: "kexec",
      boot: null,
      costNs: cost,
      gainNs: [0, cost],
      spans: stages.map(spanOf),
      advice:
        "Bring up secondary CPUs in parallel (x86: cpuhp.parallel, on by default since 6.5), or after the VMs have resumed (maxcpus=, then online them).",
      source: "kernel/cpu.c, cpuhp_bringup_mask; D. Woodhouse's parallel bring-up: 500 ms to 100 ms on 96 threads",
    },
  ];
};

/** Struct pages that are initialised before user space may run (page_alloc_init_late); the log has ms of jiffies. */
export const deferredMemory: Rule = ({ update, root }) => {
  const stage = stageOf(root, "SMP bring-up");
  const longest = update.printk
    .filter(({ boot }) => boot === "new")
    .reduce((most, { text }) => Math.max(most, Number(captured("deferred-pages", text)?.ms ?? 0)), 0);
  const cost = longest * 1_000_000;
  if (stage === null || cost < root.durationNs * MIN_SHARE) return [];
  return [
    {
      rule: "deferred-memory-init",
      title: `Initialising deferred pages takes ${formatDuration(cost)} on the slowest node.`,
      phase: "kexec",
      boot: "new",
      costNs: cost,
      gainNs: [0, cost],
      spans: [spanOf(stage)],
      advice:
        "Use 1 GiB HugeTLB pages with vmemmap optimisation, whose tail pages need no initialisation, or more CPUs for the node.",
      source: "mm/mm_init.c, deferred_init_memmap",
    },
  ];
};
