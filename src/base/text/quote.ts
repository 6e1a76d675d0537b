/** Text of others inside a message or another language: one rule for each, so that none is forgotten in one place. */

/** In a message: in quotes, with control characters escaped as JSON does, and cut beyond `most` characters. */
export function quoted(text: string, most = 200): string {
  return JSON.stringify(text.length > most ? `${text.slice(0, most)}…` : text);
}

/** A value of a JSON document in a message, at most 60 characters of it: `"x"`, `5`, `{"a":1}`; `nothing` if absent. */
export function quotedValue(value: unknown): string {
  if (typeof value === "string") return quoted(value, 60);
  const text = value === undefined ? "nothing" : (JSON.stringify(value) ?? "?");
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}

/** A word of a POSIX shell's command, of bash and of zsh. */
export function shellQuoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

/** The source of a regular expression that matches exactly this text, also next to other parts of a pattern. */
export function escapePattern(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&");
}
