/**
 * Which cause each nanosecond of the blackout belongs to, from the span table: the innermost running cause has it
 * (partition.ts), phase by phase. The only file that knows how causes are read; whatever else needs them takes
 * `CauseSample`s.
 */
import { type LiveUpdate, PHASES, type PhaseName } from "../live-update.js";
import { type Cause, partition, unattributed } from "../partition.js";
import { type Span, SpanFlag, spanAt } from "../span-table.js";
import type { CauseKind, CauseSample } from "./update-sample.js";

interface NamedCause extends Cause {
  readonly kind: CauseKind;
  readonly id: string;
  /** What it was doing, or empty. */
  readonly part: string;
  readonly detail: string;
}

/** A part of the blackout that lies in one phase, or between two. */
interface Segment {
  readonly phase: PhaseName | null;
  readonly beginNs: number;
  readonly endNs: number;
}

/**
 * The causes of the blackout, in the order in which they first ran; they and `unattributed` add up to it exactly. Null
 * where the blackout's duration is not known: without a clock link there is no sum.
 */
export function causesOfSpans(update: LiveUpdate): readonly CauseSample[] | null {
  const { blackout } = update.document;
  if (blackout.durationNs === null || blackout.durationNs < 0) return null;
  const causes = namedCauses(update);
  const totals = new Map<string, { sample: CauseSample; parts: Map<string, number>; counted: Set<number> }>();
  const give = (cause: NamedCause, index: number, phase: PhaseName | null, ns: number): void => {
    const key = `${cause.kind}\0${cause.id}\0${phase}`;
    let total = totals.get(key);
    if (total === undefined) {
      const { kind, id, detail } = cause;
      const sample: CauseSample = { kind, id, phase, totalNs: 0, count: 0, parts: [], detail };
      total = { sample, parts: new Map(), counted: new Set() };
      totals.set(key, total);
    }
    total.counted.add(index);
    total.sample = { ...total.sample, totalNs: total.sample.totalNs + ns, count: total.counted.size };
    total.parts.set(cause.part, (total.parts.get(cause.part) ?? 0) + ns);
  };
  for (const { phase, beginNs, endNs } of segmentsOf(update)) {
    const pieces = partition(beginNs, endNs, causes);
    const own = unattributed(beginNs, endNs, pieces);
    pieces.forEach((piece, i) => {
      give(causes[piece.cause] as NamedCause, piece.cause, phase, own.pieces[i] as number);
    });
    if (own.top > 0) give({ ...NOBODY, beginNs, endNs }, -1, phase, own.top);
  }
  return [...totals.values()].map(({ sample, parts }) => ({
    ...sample,
    parts: parts.size === 1 && parts.has("") ? [] : [...parts].map(([name, totalNs]) => ({ name, totalNs })),
  }));
}

const NOBODY = { kind: "unattributed", id: "unattributed", part: "", detail: "" } as const;

/** The blackout cut at the phases' ends. Where phases overlap, the later one has what they share. */
function segmentsOf({ document }: LiveUpdate): readonly Segment[] {
  const begin = document.blackout.beginNs ?? 0;
  const end = begin + (document.blackout.durationNs ?? 0);
  const clipped = document.phases.flatMap((phase): readonly Segment[] => {
    if (phase.beginNs === null || phase.endNs === null || phase.axis !== "joint") return [];
    const segment = { phase: phase.name, beginNs: Math.max(begin, phase.beginNs), endNs: Math.min(end, phase.endNs) };
    return segment.endNs > segment.beginNs ? [segment] : [];
  });
  const cuts = [begin, end, ...clipped.flatMap(({ beginNs, endNs }) => [beginNs, endNs])].sort((a, b) => a - b);
  const rank = (phase: PhaseName | null): number => (phase === null ? -1 : PHASES.indexOf(phase));
  return cuts.slice(1).flatMap((to, i): readonly Segment[] => {
    const from = cuts[i] as number;
    if (to <= from) return [];
    const inside = clipped.filter((segment) => segment.beginNs <= from && segment.endNs >= to);
    const phase = inside.reduce<PhaseName | null>((best, s) => (rank(s.phase) > rank(best) ? s.phase : best), null);
    return [{ phase, beginNs: from, endNs: to }];
  });
}

/** The text after `key=` in a span's detail. */
function valueIn(detail: string, key: string): string | null {
  const at = ` ${detail}`.indexOf(` ${key}=`);
  return at < 0 ? null : (detail.slice(at + key.length + 1).split(" ", 1)[0] ?? null);
}

function namedCauses(update: LiveUpdate): readonly NamedCause[] {
  const spans = Array.from({ length: update.spans.count }, (_, row) => spanAt(update.spans, row));
  const drivers = driversOf(update);
  const probed = probedDevices(spans, drivers);
  const traced = new Set(spans.flatMap((s) => (s.evidence === "kprobe" && s.kind === "function" ? [s.name] : [])));
  const causes = spans.flatMap((span): readonly NamedCause[] => {
    const named = causeOf(span, drivers, probed, traced);
    return named === null ? [] : [{ ...named, beginNs: span.beginNs, endNs: span.endNs }];
  });
  return [...causes, ...userSpace(update, spans)];
}

type Naming = Omit<NamedCause, "beginNs" | "endNs">;

function causeOf(
  span: Span,
  drivers: ReadonlyMap<string, string>,
  probed: ReadonlyMap<Span, string>,
  traced: ReadonlySet<string>,
): Naming | null {
  const plain = (kind: CauseKind, id: string, part = "", detail = ""): Naming => ({ kind, id, part, detail });
  switch (span.kind) {
    case "seam":
      return plain("seam", "seam");
    case "session":
      return plain("session", span.name);
    case "file":
      return plain("file", fileId(span.name));
    case "initcall":
      return span.name.startsWith("level ") ? null : plain("initcall", span.name);
    case "cpu":
      return plain("cpu", span.name.split(" ", 1)[0] ?? span.name);
    case "notifier":
    case "device":
      return plain(span.kind, span.name);
    case "function": {
      // The same call seen by the function graph names no device.
      if (span.evidence === "function graph" && traced.has(span.name)) return null;
      const device = valueIn(span.detail, "dev") ?? probed.get(span) ?? null;
      const part = /_(shutdown|probe|remove|suspend|resume)$/.exec(span.name)?.[1];
      if (device === null || part === undefined) return plain("function", span.name);
      return plain("device", device, part, drivers.get(device) ?? "");
    }
    case "phase":
    case "blackout":
    case "irq":
    case "softirq":
    case "task":
    case "userspace":
    case "syscall":
    case "marker":
    case "printk":
    case "unattributed":
      return null;
  }
}

/** A token is printed in hexadecimal by the workload and in decimal by a probe: one file, one name. */
function fileId(name: string): string {
  const [session = "", token = ""] = name.split(" ", 2);
  return /^(?:0x[0-9a-f]{1,16}|\d{1,20})$/i.test(token) ? `${session} 0x${BigInt(token).toString(16)}` : name;
}

/** Driver of each device, by dev_printk's prefix `DRIVER DEVICE: …`; `pci` alone is the bus, not a driver. */
function driversOf(update: LiveUpdate): ReadonlyMap<string, string> {
  const drivers = new Map<string, string>();
  for (const { text } of update.printk) {
    const match = /^([\w-]{1,64}) ([0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7])(?=[: ])/.exec(text);
    if (match !== null && match[1] !== "pci") drivers.set(match[2] as string, match[1] as string);
  }
  return drivers;
}

/**
 * A probe seen by the function graph names no device. Those inside a driver's initcall are its devices in the order
 * in which the log names them, where there are as many (drivers probe in bus order).
 */
function probedDevices(spans: readonly Span[], drivers: ReadonlyMap<string, string>): ReadonlyMap<Span, string> {
  const found = new Map<Span, string>();
  const probes = spans.filter((span) => span.kind === "function" && span.name === "pci_device_probe");
  for (const call of spans) {
    if (call.kind !== "initcall") continue;
    const devices = [...drivers].filter(([, driver]) => call.name.startsWith(`${driver.replaceAll("-", "_")}_`));
    if (devices.length === 0) continue;
    const inside = probes.filter((probe) => probe.beginNs >= call.beginNs && probe.endNs <= call.endNs);
    if (inside.length !== devices.length) continue;
    inside.forEach((probe, i) => {
      found.set(probe, (devices[i] as readonly [string, string])[0]);
    });
  }
  return found;
}

/** From the end of the new kernel's last initcall until restore begins: init's own way there. */
function userSpace({ document }: LiveUpdate, spans: readonly Span[]): readonly NamedCause[] {
  const restore = document.phases.find(({ name }) => name === "restore")?.beginNs ?? null;
  const calls = spans.filter((s) => s.kind === "initcall" && s.boot === "new" && (s.flags & SpanFlag.endUnseen) === 0);
  const last = calls.reduce((latest, span) => Math.max(latest, span.endNs), Number.NEGATIVE_INFINITY);
  if (restore === null || !(restore > last) || calls.length === 0) return [];
  const cause = { kind: "userspace", id: "init until /dev/liveupdate", part: "", detail: "" } as const;
  return [{ ...cause, beginNs: last, endNs: restore }];
}
