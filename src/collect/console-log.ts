/** A serial console's log: firmware noise, then one kernel after another, with user space's output between the lines. */
import type { ByteSource } from "../base/byte-source.js";
import type { DefectInput } from "../base/defect.js";
import { forEachLine, parseKmsgLine } from "./kmsg.js";
import type { PrintkLine } from "./types.js";

/** `[luolab] luo: vm_pause`: what the workload writes to the console beside its marks; kept, unstamped. */
const KEXEC = /kexec_core: Starting new kernel/;
const BANNER = /Linux version \d/;
/** A kernel line may follow user space's output on the same line: `[luolab] luo: kexec begin[    7.2] kexec_core: …`. */
const EMBEDDED_STAMP = /\[\s*\d{1,10}\.\d{6}\](?:\[\s*[TC]\d+\])? /;

export interface ConsoleBoots {
  readonly old: readonly PrintkLine[];
  readonly new: readonly PrintkLine[];
}

interface Section {
  readonly lines: Omit<PrintkLine, "boot">[];
  /** Its kernel announced the kexec. */
  kexec: boolean;
}

/**
 * The old and the new kernel's lines of the last update in the log. A new kernel begins at its banner, or, where it is
 * quiet, after the old one's `Starting new kernel`. Without any kexec in the log all of it is the old kernel's.
 */
export function splitConsoleLog(source: ByteSource, sink: { defect(input: DefectInput): void }): ConsoleBoots {
  const sections: Section[] = [{ lines: [], kexec: false }];
  let afterKexec = false;
  forEachLine(source, sink, (raw, line) => {
    const embedded = EMBEDDED_STAMP.exec(raw);
    const parts =
      embedded === null || embedded.index === 0 ? [raw] : [raw.slice(0, embedded.index), raw.slice(embedded.index)];
    for (const part of parts) {
      if (part === "") continue;
      const stamped = parseKmsgLine(part);
      let section = sections.at(-1) as Section;
      const banner = BANNER.test(part) && stamped.stampNs !== null;
      if ((banner && section.lines.some((each) => each.stampNs !== null)) || afterKexec) {
        section = { lines: [], kexec: false };
        sections.push(section);
      }
      afterKexec = KEXEC.test(part);
      if (afterKexec) section.kexec = true;
      section.lines.push({ file: source.name, line, ...stamped });
    }
  });
  const last = sections.findLastIndex((section) => section.kexec);
  if (last < 0) return { old: ofBoot("old", sections.at(-1)), new: [] };
  return { old: ofBoot("old", sections[last]), new: ofBoot("new", sections[last + 1]) };
}

function ofBoot(boot: PrintkLine["boot"], section: Section | undefined): readonly PrintkLine[] {
  return section?.lines.map((line) => ({ boot, ...line })) ?? [];
}
