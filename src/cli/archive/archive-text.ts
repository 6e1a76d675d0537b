/** What the actions on an archive say to people. */

import type { CompactResult } from "../../archive/upkeep/compact.js";
import type { Verification } from "../../archive/upkeep/verify.js";
import { escapeControls } from "../../base/text/controls.js";
import { formatSize } from "../../base/text/format.js";
import type { TerminalPalette } from "../terminal/terminal-style.js";

export function verifyText(path: string, found: Verification, palette: TerminalPalette): string {
  const { commit, updates, segments, files, bytes, documents, problems, leftovers } = found;
  const verdict = problems.length === 0 ? palette.good("sound") : palette.bad(`${problems.length} problems`);
  const head = `${palette.heading(escapeControls(path))}  ${verdict}: ${updates} updates in ${segments} segments, ${files} files, ${formatSize(bytes)}, as of commit ${commit}\n`;
  const read = documents === 0 ? "" : `  ${documents} documents were read back and are those that were added.\n`;
  const told = problems.slice(0, 50).map((problem) => `  ${palette.bad("✗")} ${escapeControls(problem)}\n`);
  const more = problems.length > 50 ? `  … and ${problems.length - 50} more (--json has them)\n` : "";
  const left =
    leftovers.length === 0
      ? ""
      : palette.quiet(
          `  ${leftovers.length} files of writers that were killed or are at work are not in it; compact removes them.\n`,
        );
  return [head, read, ...told, more, left].join("");
}

export function compactText(path: string, { merged, made, deleted }: CompactResult): string {
  const what = merged === 0 ? "nothing to merge" : `${merged} segments are now ${made}`;
  return `${escapeControls(path)}: ${what}; ${deleted} files deleted\n`;
}
