/**
 * syscalls: LUO's ioctls, reboot(KEXEC), kexec_file_load, and the opening of /dev/liveupdate; of all others nothing.
 */
import type { EventFields, FieldValue } from "../../../model/collected.js";
import { LIVEUPDATE_DEVICE, LUO_IOCTL_RANGE, REBOOT_CMD_KEXEC } from "../../../model/luo.js";
import { integerField, type ReadRow, type Recording, type Tracer, timeOf } from "./tracer.js";

const NAMES = ["ioctl", "reboot", "kexec_file_load", "openat"] as const;

function isWanted(name: string, cmd: number | null, fields: EventFields): boolean {
  switch (name) {
    case "kexec_file_load":
      return true;
    case "ioctl":
      return cmd !== null && cmd >= LUO_IOCTL_RANGE.first && cmd <= LUO_IOCTL_RANGE.last;
    case "reboot":
      return cmd === REBOOT_CMD_KEXEC;
    default:
      return [...fields.values()].some((value) => String(value).includes(LIVEUPDATE_DEVICE));
  }
}

export function syscalls(recording: Recording): Tracer {
  const { spans } = recording;
  /** The wanted call that a task is in: it is in one at a time, so that a second entry means a lost exit. */
  const inside = new Map<number, { readonly name: string; readonly fields: Map<string, FieldValue> }>();
  const enter =
    (name: string): ReadRow =>
    (chunk, row) => {
      const recorded = chunk.fields(row);
      const cmd = integerField(recorded.get("cmd"));
      if (!isWanted(name, cmd, recorded)) return;
      const fields = new Map(recorded);
      if (cmd !== null) fields.set("cmd", cmd);
      const fd = integerField(recorded.get("fd"));
      if (fd !== null) fields.set("fd", fd);
      const pid = chunk.pid[row] as number;
      const detail = name === "ioctl" ? `cmd=0x${(cmd ?? 0).toString(16)} fd=${fd}` : "";
      const span = recording.span(chunk, row, "syscall", name, detail, "syscall events");
      const spanRow = spans.enter(`syscall ${pid}`, span, timeOf(chunk, row));
      inside.set(pid, { name, fields });
      recording.keep(chunk, row, { what: "syscall-enter", name, fields, source: "syscall" }, spanRow);
    };
  const exit =
    (name: string): ReadRow =>
    (chunk, row) => {
      const pid = chunk.pid[row] as number;
      const entered = inside.get(pid);
      if (entered === undefined || entered.name !== name) return;
      inside.delete(pid);
      const ret = integerField(chunk.fields(row).get("ret")) ?? 0;
      // The entry learns what came of it too: no boundary may rest on a call that failed.
      const fields = entered.fields.set("ret", ret);
      const spanRow = spans.exit(`syscall ${pid}`, name, timeOf(chunk, row), null, `ret=${ret}`);
      recording.keep(chunk, row, { what: "syscall-exit", name, fields, source: "syscall" }, spanRow);
    };
  return {
    events: new Map(
      NAMES.flatMap((name): [string, ReadRow][] => [
        [`sys_enter_${name}`, enter(name)],
        [`sys_exit_${name}`, exit(name)],
      ]),
    ),
  };
}
