/** Text on its way to a terminal: what is not to be trusted is escaped, what is too wide is cut. All pure. */

/** Marks that are drawn over the character before them, joiners and variation selectors: no column of their own. */
const zeroWidth = /[\p{Mn}\p{Me}\u200c\u200d]/u;

/** First and last code points that take two columns: Unicode's East_Asian_Width W and F, in blocks, and emoji. */
const wide: readonly (readonly [number, number])[] = [
  [0x1100, 0x115f],
  [0x2e80, 0x303e],
  [0x3041, 0xa4cf],
  [0xa960, 0xa97c],
  [0xac00, 0xd7a3],
  [0xf900, 0xfaff],
  [0xfe30, 0xfe6f],
  [0xff01, 0xff60],
  [0xffe0, 0xffe6],
  [0x1f300, 0x1f64f],
  [0x1f680, 0x1f6ff],
  [0x1f900, 0x1f9ff],
  [0x20000, 0x3fffd],
];

function columnsOf(character: string): number {
  const code = character.codePointAt(0)!;
  if (code < 0x300) return 1;
  if (zeroWidth.test(character)) return 0;
  return wide.some(([first, last]) => code >= first && code <= last) ? 2 : 1;
}

/** How many columns of a terminal the text takes; it must be escaped, and not yet styled. */
export function displayWidth(text: string): number {
  if (/^[\x20-\x7e]*$/.test(text)) return text.length;
  let width = 0;
  for (const character of text) width += columnsOf(character);
  return width;
}

/** Where a text too wide loses its characters: the middle suits paths, whose ends distinguish them best. */
export type Cut = "end" | "middle";

/** The text itself, or as much of it as fits into `width` columns with an ellipsis if some is missing. */
export function truncate(text: string, width: number, cut: Cut = "end"): string {
  if (displayWidth(text) <= width) return text;
  if (width < 1) return "";
  const characters = Array.from(text);
  const tail = cut === "end" ? "" : fitting(characters.toReversed(), Math.floor((width - 1) / 2), true);
  return `${fitting(characters, width - 1 - displayWidth(tail), false)}…${tail}`;
}

function fitting(characters: readonly string[], width: number, reversed: boolean): string {
  const taken: string[] = [];
  let left = width;
  for (const character of characters) {
    left -= columnsOf(character);
    if (left < 0) break;
    taken.push(character);
  }
  return (reversed ? taken.reverse() : taken).join("");
}

/** Breaks prose at blanks into lines of at most `width` columns (a longer word has a line of its own). */
export function wrap(prose: string, width: number): readonly string[] {
  return prose.split("\n").flatMap((paragraph) => {
    const lines: string[] = [];
    let line = "";
    for (const word of paragraph.split(/ +/)) {
      if (line !== "" && displayWidth(line) + 1 + displayWidth(word) > width) {
        lines.push(line);
        line = word;
      } else {
        line = line === "" ? word : `${line} ${word}`;
      }
    }
    return [...lines, line];
  });
}
