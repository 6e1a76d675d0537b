import { formatDuration } from "../../base/text/format.js";
import { captured, isKernelLine } from "../../model/kernel-lines.js";
import { type Rule, spanOf } from "./finding.js";

const MIN_SHARE = 0.005;
/** A start bit, eight data bits, a stop bit. */
const BITS_PER_CHARACTER = 10;
/** What a serial console runs at if the command line does not say (drivers/tty/serial/8250/8250_core.c). */
const DEFAULT_BAUD = 9_600;
/** `console=ttyS0` without a speed: firmware or boot loader may have set 115,200, the fastest a 16550A does. */
const FASTEST_BAUD = 115_200;
/** console_loglevel under `quiet` and by default (include/linux/printk.h). */
const LOGLEVEL = { quiet: 4, usual: 7 } as const;
/** `[    1.234567] ` stands before each line. */
const STAMP_CHARACTERS = 15;

/**
 * Kernel lines that a serial console prints inside the blackout: printk waits for the wire if the console has no
 * thread.
 */
export const consoleOutput: Rule = ({ update, root }) => {
  const line = update.printk.find(({ boot, text }) => boot === "new" && isKernelLine(text, "command-line"));
  const command = captured("command-line", line?.text ?? "")?.words ?? "";
  const serial = /\bconsole=tty(?:S|AMA|PS)\d+(?:,(\d{3,7}))?/.exec(command);
  if (serial === null) return [];
  const level = /(?:^|\s)quiet(?:\s|$)/.test(command) ? LOGLEVEL.quiet : LOGLEVEL.usual;
  const lines = update.printk.filter(
    (line) =>
      line.atNs !== null &&
      line.atNs >= 0 &&
      line.atNs <= root.endNs &&
      (line.level === null ? level === LOGLEVEL.usual : line.level < level),
  );
  const characters = lines.reduce((sum, { text }) => sum + text.length + STAMP_CHARACTERS + 2, 0);
  const baud = serial[1] === undefined ? null : Number(serial[1]);
  const costAt = (rate: number): number => Math.round((characters * BITS_PER_CHARACTER * 1e9) / rate);
  const least = costAt(baud ?? FASTEST_BAUD);
  if (least < root.durationNs * MIN_SHARE) return [];
  const kexec = root.children.find(({ phase, id }) => phase === "kexec" || id.includes("kexec")) ?? root;
  return [
    {
      rule: "console-output",
      title: `${lines.length} kernel lines, ${characters.toLocaleString("en")} characters, go to a serial console inside the blackout: ${formatDuration(least)} on the wire at ${(baud ?? FASTEST_BAUD).toLocaleString("en")} baud.`,
      phase: "kexec",
      boot: "new",
      costNs: least,
      gainNs: [0, costAt(baud ?? DEFAULT_BAUD)],
      spans: [spanOf(kexec)],
      advice: "Add `quiet` to the new kernel's command line, or keep the serial console out of it.",
      source: "kernel/printk/printk.c, console_unlock; 10 bits a character",
    },
  ];
};
