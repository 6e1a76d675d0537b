/** Text made safe for XML 1.0: the five special characters escaped, forbidden characters replaced by U+FFFD. */
export function escapeXml(text: string): string {
  const marks: Readonly<Record<string, string>> = {
    "&": "&amp;",
    "<": "&lt;",
    ">": "&gt;",
    '"': "&quot;",
    "'": "&apos;",
  };
  return (
    text
      // Char of XML 1.0, 2.2; unpaired surrogates are not characters.
      .replace(/[^\t\n\r\x20-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/gu, "\ufffd")
      .replace(/[&<>"']/g, (mark) => marks[mark] ?? mark)
      // A line break in an attribute is normalised to a blank unless it is written as a reference.
      .replace(/[\t\n\r]/g, (space) => `&#${space.charCodeAt(0)};`)
  );
}
