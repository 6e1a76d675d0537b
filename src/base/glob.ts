/** Shell patterns for names: `*` stands for any text, `?` for one character, all else for itself. */

/** Whether a text, as a whole, matches `pattern`. */
export function globMatcher(pattern: string): (text: string) => boolean {
  const source = pattern
    .replace(/\*+/g, "*")
    .replace(/[\\^$.|+()[\]{}]/g, "\\$&")
    .replace(/\*/g, "[^]*")
    .replace(/\?/g, "[^]");
  const expression = new RegExp(`^${source}$`, "u");
  return (text) => expression.test(text);
}
