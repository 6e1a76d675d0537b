/** Markdown of GitHub's flavour, of text that is not to be trusted. */

/** Text that Markdown and HTML take as text, on one line. */
export function escapeMarkdown(text: string): string {
  return text
    .replace(/[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g, " ")
    .replace(/[\\`*_{}[\]<>#|~!&@]/g, (mark) => (mark === "@" ? "&#64;" : `&#${mark.charCodeAt(0)};`));
}

/** A table; cells are Markdown already, escaped by the caller where they are not its own words. */
export function markdownTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |\n`;
  return [line(head), line(head.map(() => "---")), ...rows.map(line)].join("");
}
