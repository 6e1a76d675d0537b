/**
 * The VMMs' logs of a capture (`vmm/`): when each VM stood still, and what the VMM did to its devices, placed on the
 * axis by the host's realtime clock.
 */

import type { ByteSource } from "../../base/bytes/byte-source.js";
import type { DefectInput, DefectSink } from "../../base/defect.js";
import type { Boot } from "../../base/time.js";
import {
  type KeyEvent,
  type RawSpans,
  type SourceCounts,
  type Texts,
  VMM_EVIDENCE,
  VMMS,
  type Vmm,
} from "../../model/collected.js";
import type { CaptureFiles } from "../files/files.js";
import { placeStamp, type WallAnchor } from "./agents.js";
import { QEMU_STAMP_NS, qemuLogName, readQemuLog } from "./qemu-log.js";
import { VMM_FOLDER, type VmmFacts, type VmmLogName } from "./vmm-log.js";

/** The VM of a host that has but one, as the marks without `vm=` name it. */
const ONLY_VM = "vm";

interface VmmReader {
  /** Of which VM and boot a file of `vmm/` is the log; null for other files. */
  nameOf(file: string): VmmLogName | null;
  read(source: ByteSource, boot: Boot, sink: DefectSink): VmmFacts;
  /** The resolution of its stamps. */
  readonly stampNs: number;
}

const READERS: Readonly<Record<Vmm, VmmReader>> = {
  qemu: { nameOf: qemuLogName, read: readQemuLog, stampNs: QEMU_STAMP_NS },
};

export interface VmmLog {
  readonly vmm: Vmm;
  readonly vm: string;
  readonly boot: Boot;
  readonly log: VmmFacts;
}

/** Logs that are read: one of each VM and boot. */
const MAX_LOGS = 2_048;
/** The span table's flag for an end that is inferred (SpanFlag.inferred). */
const INFERRED = 4;

/** Reads the VMMs' logs; each is optional. */
export function readVmmLogs(files: CaptureFiles, sink: DefectSink): readonly VmmLog[] {
  const named = files.paths.flatMap((path) => {
    if (!path.startsWith(`${VMM_FOLDER}/`)) return [];
    return VMMS.flatMap((vmm) => {
      const name = READERS[vmm].nameOf(path.slice(VMM_FOLDER.length + 1));
      return name === null ? [] : [{ path, vmm, ...name }];
    });
  });
  return named.slice(0, MAX_LOGS).flatMap(({ path, vmm, vm, boot }): readonly VmmLog[] => {
    const source = files.open(path);
    return source === null ? [] : [{ vmm, vm: vm ?? ONLY_VM, boot, log: READERS[vmm].read(source, boot, sink) }];
  });
}

export const vmmSources = (logs: readonly VmmLog[]): readonly SourceCounts[] =>
  logs.map(({ vmm, boot, log }) => ({
    boot,
    dialect: `${vmm}-log`,
    files: [log.file],
    clock: "realtime",
    ...log.counts,
  }));

/** The logs of one boot, on its axis. */
export interface PlacedVmm {
  readonly keyEvents: readonly KeyEvent[];
  readonly spans: readonly PlacedVmmSpan[];
}

export interface PlacedVmmSpan {
  readonly vmm: Vmm;
  readonly boot: Boot;
  readonly beginNs: number;
  readonly endNs: number;
  readonly name: string;
  readonly detail: string;
  readonly tid: number;
  readonly flags: number;
}

/**
 * Places a boot's logs. One reading of the clock places all of a log, the one that makes its stop or resume surest, so
 * that durations within it are the log's own. A log that nothing places is noted in `sink`.
 */
export function placeVmmLogs(logs: readonly VmmLog[], anchors: readonly WallAnchor[], sink: DefectSink): PlacedVmm {
  const keyEvents: KeyEvent[] = [];
  const spans: PlacedVmmSpan[] = [];
  for (const { vmm, vm, boot, log } of logs) {
    const { file, transition } = log;
    const middle = transition?.realtimeNs ?? log.spans[log.spans.length >> 1]?.beginNs ?? null;
    if (middle === null) continue;
    const resolutionNs = READERS[vmm].stampNs;
    const anchor = surest(anchors, middle, resolutionNs);
    if (anchor === null) {
      sink.defect(unplacedDefect(file, boot));
      continue;
    }
    const place = (ns: bigint) => placeStamp({ clock: "realtime", ns, resolutionNs }, [anchor]);
    for (const { action, device, beginNs, endNs, inferred, tid } of log.spans) {
      const [begin, end] = [place(beginNs), place(endNs)];
      if (begin === null || end === null) continue;
      const detail = `action=${action} vm=${vm}`;
      const flags = inferred ? INFERRED : 0;
      spans.push({ vmm, boot, beginNs: begin.ns, endNs: end.ns, name: `${vm} ${device}`, detail, tid, flags });
    }
    const at = transition === null ? null : place(transition.realtimeNs);
    if (transition === null || at === null) continue;
    keyEvents.push({
      at: { boot, ns: at.ns, uncertaintyNs: at.uncertaintyNs },
      what: "message",
      name: `${vmm} ${transition.what}`,
      fields: new Map([
        ["vm", vm],
        ["event", transition.event],
      ]),
      source: "agent",
      cpu: -1,
      pid: transition.tid,
      task: "",
      file,
      place: transition.line,
    });
  }
  return { keyEvents, spans };
}

function surest(anchors: readonly WallAnchor[], ns: bigint, resolutionNs: number): WallAnchor | null {
  let best: { readonly anchor: WallAnchor; readonly uncertaintyNs: number } | null = null;
  for (const anchor of anchors) {
    const at = placeStamp({ clock: "realtime", ns, resolutionNs }, [anchor]);
    if (at !== null && (best === null || at.uncertaintyNs < best.uncertaintyNs)) {
      best = { anchor, uncertaintyNs: at.uncertaintyNs };
    }
  }
  return best?.anchor ?? null;
}

function unplacedDefect(file: string, boot: Boot): DefectInput {
  return {
    code: "vmm-log-unplaced",
    severity: "warning",
    file,
    boot,
    message:
      "Its realtime timestamps cannot be mapped to this boot's trace clock, so its events are not placed on the time axis.",
    advice: 'Mark the clock in both kernels: echo "clock: realtime=$(date +%s.%N)" > trace_marker.',
  };
}

/** The spans with the VMMs' behind them. */
export function withVmmSpans(raw: RawSpans, more: readonly PlacedVmmSpan[]): RawSpans {
  if (more.length === 0) return raw;
  const count = raw.count + more.length;
  const column = <A extends Float64Array | Int16Array | Int32Array | Uint8Array>(
    made: A,
    own: A,
    of: (span: PlacedVmmSpan) => number,
  ): A => {
    made.set(own);
    more.forEach((span, i) => {
      made[raw.count + i] = of(span);
    });
    return made;
  };
  const all = <T extends string>(own: Texts<T>, of: (span: PlacedVmmSpan) => T): Texts<T> => ({
    at(row) {
      const span = more[row - raw.count];
      return span === undefined ? own.at(row) : of(span);
    },
  });
  return {
    count,
    beginNs: column(new Float64Array(count), raw.beginNs, ({ beginNs }) => beginNs),
    endNs: column(new Float64Array(count), raw.endNs, ({ endNs }) => endNs),
    cpu: column(new Int16Array(count), raw.cpu, () => -1),
    pid: column(new Int32Array(count), raw.pid, ({ tid }) => tid),
    flags: column(new Uint8Array(count), raw.flags, ({ flags }) => flags),
    kind: all(raw.kind, () => "device" as const),
    name: all(raw.name, ({ name }) => name),
    detail: all(raw.detail, ({ detail }) => detail),
    boot: all(raw.boot, ({ boot }) => boot),
    task: all(raw.task, ({ vmm }) => vmm),
    evidence: all(raw.evidence, () => VMM_EVIDENCE),
  };
}
