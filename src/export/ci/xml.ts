import { escapeInvisible } from "../../base/text/controls.js";

/**
 * Text made safe for XML 1.0, and visible: the five special characters escaped, forbidden characters replaced by
 * U+FFFD, characters that are not seen written as `\u202e`.
 */
export function escapeXml(text: string): string {
  const marks: Readonly<Record<string, string>> = {
    "&": "&amp;",
    "<": "&lt;",
    ">": "&gt;",
    '"': "&quot;",
    "'": "&apos;",
  };
  return (
    escapeInvisible(text)
      // Char of XML 1.0, 2.2; unpaired surrogates are not characters.
      .replace(/[^\t\n\r\x20-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/gu, "\ufffd")
      .replace(/[&<>"']/g, (mark) => marks[mark] ?? mark)
      // A line break in an attribute is normalised to a blank unless it is written as a reference.
      .replace(/[\t\n\r]/g, (space) => `&#${space.charCodeAt(0)};`)
  );
}
