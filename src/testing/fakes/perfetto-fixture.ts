/** A live update of the size of the recorded one (traces/plain.tar.gz), and events as the readers deliver them. */

import { StringTable } from "../../base/bytes/string-table.js";
import type { Boot } from "../../base/time.js";
import { type EventChunk, EventKind, type FieldValue } from "../../model/collected.js";
import type { LiveUpdate, LiveUpdateDocument, PhaseDocument, PhaseName } from "../../model/live-update.js";
import { type Span, SpanFlag, SpanTableBuilder } from "../../model/span-table.js";

const NOTHING: Span = {
  id: "",
  action: "",
  beginNs: 0,
  endNs: 0,
  parent: -1,
  kind: "function",
  name: "",
  detail: "",
  boot: null,
  cpu: -1,
  pid: -1,
  task: "",
  evidence: "",
  flags: 0,
};

export const span = (part: Partial<Span>): Span => ({ ...NOTHING, id: part.name ?? "", ...part });

function phase(name: PhaseName, beginNs: number | null, endNs: number | null): PhaseDocument {
  const evidence = { event: `kprobe ${name}`, confidence: "probe", file: "ring/trace", place: 4711 } as const;
  return {
    name,
    axis: "joint",
    beginNs,
    endNs,
    durationNs: beginNs === null || endNs === null ? null : endNs - beginNs,
    uncertaintyNs: name === "kexec" ? 12_345 : 1_000,
    beginRangeNs: beginNs === null ? [null, 17] : null,
    endRangeNs: endNs === null ? [17, null] : null,
    evidence: { begin: beginNs === null ? null : evidence, end: endNs === null ? null : evidence },
  };
}

const BLACKOUT_NS = 5_214_506_369;

export const fixtureDocument: LiveUpdateDocument = {
  format: "blackout-live-update",
  version: 1,
  capture: {
    name: "plain",
    kernel: { old: "7.2.13-luo", new: "7.3.4-luo" },
    probeLevel: "graph",
    labels: { workload: "memfd-2x2", mib: "4" },
  },
  outcome: "completed",
  outcomeReason: "The new kernel restored what the old one preserved.",
  clock: {
    method: "clock-pairs",
    uncertaintyNs: 12_345,
    parts: [{ what: "reading of the pair", ns: 12_345 }],
    tscKhz: 2_100_000,
    rejected: [],
  },
  blackout: {
    basis: "vm-marks",
    beginNs: 0,
    endNs: BLACKOUT_NS,
    durationNs: BLACKOUT_NS,
    uncertaintyNs: 12_400,
    evidence: {
      begin: { event: "marker luo: vm_pause", confidence: "marker", file: "ring/trace", place: 812 },
      end: { event: "marker luo: vm_resume", confidence: "marker", file: "new/trace", place: 90_210 },
    },
  },
  phases: [
    phase("prepare", -911_273_541, -102_533_210),
    phase("freeze", 4_120_377, 61_830_094),
    phase("kexec", 61_830_094, 5_071_229_873),
    phase("restore", 5_071_229_873, 5_202_118_466),
    phase("finish", 5_180_000_001, 5_214_000_017),
  ],
  vms: [
    { id: "vm", beginNs: 0, endNs: BLACKOUT_NS, durationNs: BLACKOUT_NS },
    { id: "left", beginNs: 1_000_000, endNs: null, durationNs: null },
  ],
  sessions: [
    {
      name: "lab-0",
      phases: [
        { name: "prepare", beginNs: -911_273_541, endNs: -500_000_000, durationNs: 411_273_541 },
        { name: "freeze", beginNs: 5_000_000, endNs: 20_000_000, durationNs: 15_000_000 },
        { name: "restore", beginNs: 5_080_000_000, endNs: 5_100_000_000, durationNs: 20_000_000 },
        { name: "finish", beginNs: 5_190_000_000, endNs: null, durationNs: null },
      ],
      files: [
        {
          token: "0x100",
          handler: "memfd-v1",
          bytes: 4_194_304,
          preserveNs: 9,
          freezeNs: 8,
          retrieveNs: 7,
          status: "finished",
          failedAt: null,
          errno: null,
        },
        {
          token: "0x101",
          handler: null,
          bytes: null,
          preserveNs: null,
          freezeNs: null,
          retrieveNs: null,
          status: "not-seen",
          failedAt: null,
          errno: null,
        },
      ],
    },
  ],
  losses: [],
  notSeen: [],
  health: { counts: [], events: [] },
  seam: { beginNs: 92_000_113, endNs: 1_870_331_004, durationNs: 1_778_330_891, uncertaintyNs: 12_345 },
  sources: [],
  defects: [
    {
      code: "ring-lost",
      severity: "warning",
      file: "ring/trace",
      line: 17,
      byte: null,
      message: "12 events were lost.",
      advice: "Make the ring larger.",
      boot: "old",
      count: 12,
      atNs: -50_000_000,
    },
    {
      code: "text-undecoded",
      severity: "note",
      file: "new/trace",
      line: 3,
      byte: null,
      message: "A line was not decoded.",
      advice: "Report it.",
      boot: "new",
      count: 2,
      atNs: null,
    },
  ],
};

export const spans: readonly Span[] = [
  span({ kind: "blackout", name: "blackout", beginNs: 0, endNs: BLACKOUT_NS }),
  span({ kind: "phase", name: "freeze", beginNs: 4_120_377, endNs: 61_830_094 }),
  ...(
    [
      { name: "kernel_kexec", beginNs: 4_120_377, endNs: 92_000_113, parent: -1, flags: SpanFlag.endUnseen },
      { name: "liveupdate_reboot", beginNs: 4_300_000, endNs: 61_830_094, parent: 2 },
      { name: "luo_session_serialize", beginNs: 4_400_000, endNs: 61_000_000, parent: 3 },
      { name: "device_shutdown", beginNs: 62_000_000, endNs: 91_000_000, parent: 2 },
    ] as const
  ).map((part) =>
    span({ ...part, kind: "function", boot: "old", cpu: 1, pid: 1, task: "init", evidence: "function graph" }),
  ),
  span({
    kind: "function",
    name: "kernel_kexec",
    beginNs: 4_120_001,
    endNs: 92_000_113,
    boot: "old",
    cpu: 1,
    pid: 1,
    task: "init",
    evidence: "kprobe",
    flags: SpanFlag.endUnseen,
  }),
  // One fd's calls by mark and by probe: the token in hexadecimal and in decimal, overlapping crosswise.
  span({
    kind: "file",
    name: "lab-0 0x100",
    beginNs: -900_000_000,
    endNs: -880_000_000,
    detail: "token=0x100 bytes=4194304",
    boot: "old",
    cpu: 0,
    pid: 1,
    task: "init",
    evidence: "marker",
  }),
  span({
    kind: "file",
    name: "lab-0 256",
    beginNs: -899_000_000,
    endNs: -879_999_999,
    detail: "token=256 ret=0",
    boot: "old",
    cpu: 0,
    pid: 1,
    task: "init",
    evidence: "kprobe",
  }),
  span({ kind: "session", name: "lab-0", beginNs: -911_273_541, endNs: -905_000_000, boot: "old", cpu: 0, pid: 1 }),
  span({ kind: "session", name: "unheard-of", beginNs: 5_080_000_000, endNs: 5_081_000_000, boot: "new", pid: 1 }),
  span({ kind: "marker", name: "luo: vm_pause", boot: "old", cpu: 0, pid: 1, task: "init", evidence: "marker" }),
  span({
    kind: "marker",
    name: "luo: vm_resume",
    beginNs: BLACKOUT_NS,
    endNs: BLACKOUT_NS,
    boot: "new",
    cpu: 0,
    pid: 1,
    task: "init",
    evidence: "marker",
  }),
  // Two initcalls at once, as async probing does.
  span({
    kind: "initcall",
    name: "pci_subsys_init",
    beginNs: 2_000_000_000,
    endNs: 2_300_000_000,
    detail: "ret=0",
    boot: "new",
    cpu: 0,
    pid: 1,
    task: "swapper/0",
    evidence: "initcall events",
  }),
  span({
    kind: "initcall",
    name: "virtio_blk_init",
    beginNs: 2_200_000_000,
    endNs: 2_400_000_000,
    detail: "ret=-19",
    boot: "new",
    cpu: 1,
    pid: 1,
    task: "swapper/0",
    evidence: "initcall events",
  }),
  // Pid 1 of the new boot is a different task from pid 1 of the old.
  span({
    kind: "function",
    name: "luo_session_retrieve",
    beginNs: 5_080_000_000,
    endNs: 5_099_000_000,
    boot: "new",
    cpu: 0,
    pid: 1,
    task: "init",
    evidence: "function graph",
  }),
  span({
    kind: "function",
    name: "tick_nohz_idle_exit",
    beginNs: 5_000_000_000,
    endNs: 5_000_004_000,
    boot: "new",
    cpu: 1,
    pid: 0,
    task: "<idle>",
    evidence: "function graph",
  }),
  span({
    kind: "task",
    name: "kworker/0:1",
    beginNs: 4_000_000_000,
    endNs: 4_000_400_000,
    boot: "new",
    cpu: 0,
    pid: 44,
    task: "kworker/0:1",
    evidence: "sched_switch",
  }),
  span({
    kind: "cpu",
    name: "cpu1 fgraph_cpu_init",
    beginNs: 1_900_000_000,
    endNs: 1_900_100_000,
    boot: "new",
    cpu: 0,
    pid: 20,
    task: "cpuhp/0",
    evidence: "cpuhp events",
  }),
];

export function fixtureUpdate(parts: {
  readonly document?: LiveUpdateDocument;
  readonly spans?: readonly Span[];
  readonly printk?: LiveUpdate["printk"];
}): LiveUpdate {
  const table = new SpanTableBuilder();
  for (const row of parts.spans ?? []) table.add(row);
  return { document: parts.document ?? fixtureDocument, spans: table.build(), printk: parts.printk ?? [] };
}

export const fixturePrintk: LiveUpdate["printk"] = [
  {
    boot: "old",
    atNs: 70_000_000,
    uncertaintyNs: 1_000,
    stampNs: 4_447_000_000,
    level: 5,
    text: "kexec_core: Starting new kernel",
  },
  { boot: "new", atNs: 1_871_000_000, uncertaintyNs: 1_000, stampNs: 0, level: null, text: "Linux version 7.3.4-luo" },
  { boot: "old", atNs: -3_600e9 * 24 * 40, uncertaintyNs: 1_000, stampNs: 0, level: 6, text: "weeks ago" },
  { boot: "new", atNs: null, uncertaintyNs: null, stampNs: null, level: 3, text: "no stamp" },
];

export interface EventRow {
  readonly ns: number;
  readonly cpu: number;
  readonly pid: number;
  readonly comm: string;
  readonly name: string;
  readonly kind?: number;
  readonly fields?: Readonly<Record<string, FieldValue>>;
}

/** Rows as a reader delivers them, with their times on the axis. */
export function chunkOf(boot: Boot, rows: readonly EventRow[]): readonly [EventChunk, Float64Array] {
  const strings = new StringTable();
  const chunk: EventChunk = {
    boot,
    fileOf: () => (boot === "old" ? "ring/trace" : "new/trace"),
    base: 0n,
    count: rows.length,
    time: Float64Array.from(rows, ({ ns }) => ns),
    cpu: Int16Array.from(rows, ({ cpu }) => cpu),
    pid: Int32Array.from(rows, ({ pid }) => pid),
    comm: Uint32Array.from(rows, ({ comm }) => strings.idOf(comm)),
    name: Uint32Array.from(rows, ({ name }) => strings.idOf(name)),
    kind: Uint8Array.from(rows, ({ kind }) => kind ?? EventKind.event),
    place: new Float64Array(rows.length),
    strings,
    fields: (row) => new Map(Object.entries(rows[row]?.fields ?? {})),
    text: () => "",
    inInterrupt: () => false,
  };
  return [chunk, Float64Array.from(rows, ({ ns }) => ns)];
}
