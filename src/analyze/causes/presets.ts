/**
 * What is not in mainline yet, as data: functions of series under review that preserve devices and memory across a live
 * update. If one of them appears in a capture, its calls become causes of the kind given here; if none does, nothing is
 * missing. Sources: reference section 6.4 and the series named in each row.
 */
import { globMatcher } from "../../base/text/glob.js";
import type { SpanKind } from "../../model/span-table.js";

export interface PresetRow {
  /** The subsystem, for people. */
  readonly subsystem: string;
  /** A function's whole name, with `*` for any run of characters. */
  readonly functions: readonly string[];
  readonly kind: Extract<SpanKind, "device" | "file" | "function">;
  /** Probe arguments that name the cause, best first; without any the function's name is its identity. */
  readonly identity: readonly string[];
  readonly bus: string | null;
  readonly series: string;
}

const DEVICE_ARGUMENTS = ["dev", "bdf", "device", "name"] as const;

const PRESETS: readonly PresetRow[] = [
  {
    subsystem: "PCI preservation",
    functions: ["pci_liveupdate_*", "pci_flb_*"],
    kind: "device",
    identity: DEVICE_ARGUMENTS,
    bus: "pci",
    series: "PCI: liveupdate, D. Matlack, v6 (2026-06)",
  },
  {
    subsystem: "VFIO",
    functions: ["vfio_pci_liveupdate_*"],
    kind: "device",
    identity: DEVICE_ARGUMENTS,
    bus: "pci",
    series: "vfio/pci: liveupdate, V. Sharma and D. Matlack, v4 (2026)",
  },
  {
    subsystem: "IOMMU",
    functions: [
      "iommu_domain_preserve",
      "iommu_preserve_device",
      "iommu_preserve_pages",
      "iommufd_hwpt_liveupdate_*",
      "intel_iommu_preserve",
      "intel_iommu_preserve_device",
      "intel_iommu_liveupdate_*",
      "clear_unpreserved_context_entries",
    ],
    kind: "device",
    identity: DEVICE_ARGUMENTS,
    bus: "iommu",
    series: "iommu: liveupdate, S. Khawaja, v2 (2026)",
  },
  {
    subsystem: "HugeTLB preservation",
    functions: ["hugemfd_*", "huge_memfd_*", "hugetlb_flb_*"],
    kind: "file",
    identity: ["token", "data", "name"],
    bus: null,
    series: "prototype of 2026",
  },
  {
    subsystem: "KVM and guest_memfd preservation",
    functions: ["kvm_gmem_luo_*", "kvm_luo_*", "kvm_vcpu_luo_*", "kvm_mmu_preserve_kho", "kvm_kho_folios_*"],
    kind: "file",
    identity: ["token", "data", "name"],
    bus: null,
    series: "under review in 2026",
  },
  {
    subsystem: "KSTATE",
    functions: ["kstate_save*", "kstate_restore*", "kstate_load*"],
    kind: "function",
    identity: ["name"],
    bus: null,
    series: "kstate, A. Ryabinin, v2 (2025-03)",
  },
  {
    subsystem: "CPU preservation",
    functions: ["cpu_preserve_*", "oncore_*", "caretaker_*"],
    kind: "function",
    identity: ["cpu", "name"],
    bus: null,
    series: "Caretaker, P. Tatashin, RFC (2026-04)",
  },
];

/** Finds the preset that a function belongs to, or null. Names come in thousands of calls: each is matched once. */
export function presetFinder(presets: readonly PresetRow[] = PRESETS): (name: string) => PresetRow | null {
  const rows = presets.map((preset) => ({ preset, matchers: preset.functions.map(globMatcher) }));
  const known = new Map<string, PresetRow | null>();
  return (name) => {
    let found = known.get(name);
    if (found === undefined) {
      found = rows.find(({ matchers }) => matchers.some((matches) => matches(name)))?.preset ?? null;
      known.set(name, found);
    }
    return found;
  };
}
