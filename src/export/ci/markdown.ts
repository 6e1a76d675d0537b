/** Markdown of GitHub's flavour from untrusted text. */

import { escapeInvisible } from "../../base/text/controls.js";

/** Text that Markdown and HTML show as it is, on one line. */
export function escapeMarkdown(text: string): string {
  return escapeInvisible(text.replace(/[\x00-\x1f\x7f-\x9f\u2028\u2029]/g, " ")).replace(
    /[\\`*_{}[\]<>#|~!&@]/g,
    (mark) => (mark === "@" ? "&#64;" : `&#${mark.charCodeAt(0)};`),
  );
}

/** A table; cells are already Markdown: the caller has escaped untrusted text. */
export function markdownTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |\n`;
  return [line(head), line(head.map(() => "---")), ...rows.map(line)].join("");
}
