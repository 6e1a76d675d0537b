/** Recordings cut down to what decides: the same answer in a tenth of the time, for tests that read thousands. */
import { gunzipSync, gzipSync } from "node:zlib";
import type { HeldFiles } from "./held-files.js";

const text = (bytes: Uint8Array): readonly string[] => Buffer.from(bytes).toString("latin1").split("\n");
const bytesOf = (lines: readonly string[]): Uint8Array => new Uint8Array(Buffer.from(lines.join("\n"), "latin1"));

/** Lines of a trace and of a log on which boundaries and clocks rest. */
const DECISIVE_EVENT = /tracing_mark_write|luo_|liveupdate|kernel_kexec|^#/;
const DECISIVE_LINE = /tsc|clocksource|sched_clock|luo|KHO|kexec|Linux version|rtc/i;
/** Groups of event formats whose events the cut-down pages hold. */
const KEPT_FORMATS = /^(?:ftrace|printk|kprobes|fprobes|syscalls\/sys_\w+_(?:ioctl|reboot|open\w*))\b/;

/** The capture without symbols, with few of its other events and log lines. */
export function smallCapture(files: HeldFiles): HeldFiles {
  return Object.fromEntries(
    Object.entries(files)
      .filter(([path]) => !path.endsWith("kallsyms.gz") && path !== "observed.json")
      .map(([path, bytes]) => [path, cutDown(path, bytes)]),
  );
}

function cutDown(path: string, bytes: Uint8Array): Uint8Array {
  if (/(?:ring|new|marks)\/trace$/.test(path)) {
    return bytesOf(text(bytes).filter((line, i) => DECISIVE_EVENT.test(line) || i % 200 === 0));
  }
  if (/(?:dmesg|console-ramoops-\d+)$/.test(path)) {
    return bytesOf(text(bytes).filter((line, i) => DECISIVE_LINE.test(line) || i % 16 === 0));
  }
  if (path.endsWith("formats.gz")) {
    const kept = text(gunzipSync(bytes)).filter((line) => KEPT_FORMATS.test(line));
    return new Uint8Array(gzipSync(bytesOf([...kept, ""])));
  }
  return bytes;
}
