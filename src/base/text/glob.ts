/** Shell patterns for names: `*` stands for any text, `?` for one character, all else for itself. */

/**
 * Whether a text, as a whole, matches `pattern`. At worst as many steps as the product of both lengths, whatever the
 * pattern: a name comes from another machine.
 */
export function globMatcher(pattern: string): (text: string) => boolean {
  const wanted = [...pattern];
  return (text) => matches(wanted, [...text]);
}

/** Backtracks only to the last `*`: an earlier one never needs to match more, since the last can. */
function matches(pattern: readonly string[], text: readonly string[]): boolean {
  let p = 0;
  let t = 0;
  let star = -1;
  let starText = 0;
  while (t < text.length) {
    if (pattern[p] === "*") {
      star = p++;
      starText = t;
    } else if (p < pattern.length && (pattern[p] === "?" || pattern[p] === text[t])) {
      p++;
      t++;
    } else if (star >= 0) {
      p = star + 1;
      t = ++starText;
    } else return false;
  }
  while (pattern[p] === "*") p++;
  return p === pattern.length;
}
