/**
 * Removes from a live update what must not leave the host by default: kernel addresses (an attacker's way around
 * KASLR), the KASLR offset, and command lines (which often contain secrets). Names of functions, devices and tasks are
 * kept, and times.
 */
import { withoutSecrets } from "../base/text/secrets.js";
import { captured } from "../model/kernel-lines.js";
import type { DefectDocument, LiveUpdate, PlacedPrintk } from "../model/live-update.js";

/**
 * 16 hex digits from ff00000000000000 on: the kernel's half of the address space on x86-64 (4 and 5 levels) and arm64.
 * The last page is excluded: those values are masks and error codes.
 */
const KERNEL_ADDRESS = /(?<![0-9a-z])(?:0x)?(?!f{13})ff[0-9a-f]{14}(?![0-9a-z])/gi;
/** A word of a command line that a message of blackout quotes with its place. */
const QUOTED_COMMAND_LINE = /'[^']*'(?= \((?:old|new)\/cmdline:\d+\))/g;

const ADDRESS_LEFT_OUT = "[address left out]";
const LEFT_OUT = " [left out]";

/** One text without what must not leave the host. */
export function redactText(text: string): string {
  return text.replace(KERNEL_ADDRESS, ADDRESS_LEFT_OUT).replace(QUOTED_COMMAND_LINE, "'[command line left out]'");
}

/** A line of the kernel's log: as `redactText`, and without what only the log contains, and without secrets. */
export function redactLogLine(text: string): string {
  return redactText(withoutSecrets(withoutTail("holds-kernel-place", withoutTail("holds-command-line", text))));
}

/** Events without any of these repeat no command line. */
const MAY_REPEAT_A_COMMAND_LINE = /line|offset|kaslr|relocation|[=@]|--[a-z]|bearer /i;

/** The text of an event, which may be a line of the log: as `redactLogLine`. */
export function redactEventText(text: string): string {
  return MAY_REPEAT_A_COMMAND_LINE.test(text) ? redactLogLine(text) : redactText(text);
}

/**
 * Lines of the kernel's log in their order. After `with arguments:` and `with environment:` the kernel prints one word
 * of the command line per line, each indented by four blanks: these words are left out.
 */
export function redactLog(lines: readonly PlacedPrintk[]): readonly PlacedPrintk[] {
  const inside = new Map<string, boolean>();
  return lines.map((line): PlacedPrintk => {
    if (/^ *with (?:arguments|environment):$/.test(line.text)) inside.set(line.boot, true);
    else if (!/^ {4}\S/.test(line.text)) inside.set(line.boot, false);
    else if (inside.get(line.boot) === true) return { ...line, text: `   ${LEFT_OUT}` };
    return { ...line, text: redactLogLine(line.text) };
  });
}

/** The line's head alone, if it is of this row. */
function withoutTail(id: "holds-command-line" | "holds-kernel-place", text: string): string {
  const head = captured(id, text)?.head;
  return head === undefined ? text : `${head}${LEFT_OUT}`;
}

/** The update without what must not leave the host; everything else is unchanged, including rows and places. */
export function redactUpdate<U extends LiveUpdate>(update: U): U {
  const { document, printk, spans } = update;
  return {
    ...update,
    document: {
      ...redactDeep(document),
      defects: document.defects.map(
        (found): DefectDocument => ({
          ...found,
          message: redactLogLine(found.message),
          advice: redactText(found.advice),
        }),
      ),
    },
    printk: redactLog(printk),
    spans: { ...spans, strings: spans.strings.map(redactText) },
  };
}

/** Every text inside, to any depth; the document is data without cycles. */
function redactDeep<T>(value: T): T {
  if (typeof value === "string") return redactText(value) as T;
  if (Array.isArray(value)) return value.map(redactDeep) as T;
  if (typeof value === "object" && value !== null) {
    return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, redactDeep(part)])) as T;
  }
  return value;
}
