/** kvm: when each vCPU's thread was first and last seen to enter or to leave the guest. */
import type { StringTable } from "../../../base/bytes/string-table.js";
import { integerField, type ReadRow, type Tracer, timeOf } from "./tracer.js";

/** A host has hundreds of vCPUs, not millions; beyond this their times are of no more use. */
const MAX_VCPUS = 65_536;
/** kvm_entry and kvm_exit as text (arch/x86/kvm/trace.h): `vcpu 0, rip 0x…`, `vcpu 0 reason HLT …`. */
const VCPU_TEXT = /^\s*vcpu (\d{1,5})\b/;

export interface VcpuSight {
  readonly vcpu: number | null;
  readonly task: string;
  readonly strings: StringTable;
  /** Time, file, place and event name (an id in `strings`) of the first and the last sight. */
  readonly first: number;
  readonly firstFile: string;
  readonly firstPlace: number;
  readonly firstName: number;
  last: number;
  lastFile: string;
  lastPlace: number;
  lastName: number;
}

/** Fills `sights`, by thread, in counts since the base. */
export function vcpus(sights: Map<number, VcpuSight>): Tracer {
  const seen: ReadRow = (chunk, row) => {
    const pid = chunk.pid[row] as number;
    const time = timeOf(chunk, row);
    const file = chunk.fileOf(row);
    const place = chunk.place[row] as number;
    const name = chunk.name[row] as number;
    const known = sights.get(pid);
    if (known !== undefined) {
      known.last = time;
      known.lastFile = file;
      known.lastPlace = place;
      known.lastName = name;
      return;
    }
    if (sights.size >= MAX_VCPUS) return;
    const fields = chunk.fields(row);
    const printed = VCPU_TEXT.exec(chunk.text(row))?.[1];
    const vcpu = integerField(fields.get("vcpu_id") ?? fields.get("vcpu") ?? printed);
    const task = chunk.strings.stringOf(chunk.comm[row] as number);
    const first = { first: time, firstFile: file, firstPlace: place, firstName: name };
    const last = { last: time, lastFile: file, lastPlace: place, lastName: name };
    sights.set(pid, { vcpu, task, strings: chunk.strings, ...first, ...last });
  };
  return { events: new Map(["kvm_entry", "kvm_exit", "kvm_userspace_exit"].map((name) => [name, seen])) };
}
