/** Which characters of untrusted text must not be printed as they are: the one rule of terminal, viewer and exports. */

/**
 * What a terminal or a reader's eye would obey rather than show, or does not see: C1 controls and DEL (ECMA-48; C1
 * holds an eight-bit CSI), separators of lines and paragraphs, format characters (marks that reorder text, tags, the
 * byte order mark), what fonts draw as nothing (Unicode's Default_Ignorable_Code_Point: fillers, joiners, variation
 * selectors), and lone surrogates. Joiners and selectors stay where scripts and emoji need them: behind a mark, an
 * emoji or a letter without case.
 */
const UNSEEN =
  "(?!(?<=[\\p{Extended_Pictographic}\\p{M}\\p{Lo}])[\\u200c\\u200d\\ufe00-\\ufe0f\\u{e0100}-\\u{e01ef}])[\\x7f-\\x9f\\p{Zl}\\p{Zp}\\p{Cf}\\p{Default_Ignorable_Code_Point}\\p{Cs}]";
const unseen = new RegExp(UNSEEN, "gu");
/** The same and C0 controls, line breaks among them. */
const obeyed = new RegExp(`[\\x00-\\x1f]|${UNSEEN}`, "gu");

/** The text with each such character replaced by what `show` makes of it and its code point. */
export function replaceObeyed(text: string, show: (found: string, code: number) => string): string {
  return text.replace(obeyed, (found) => show(found, found.codePointAt(0) as number));
}

/** The same, but C0 controls stay: of a document they are its own. */
export function replaceUnseen(text: string, show: (found: string) => string): string {
  return text.replace(unseen, show);
}

/** Whether a text holds a character that a name must not have: a control, or one that is not seen. */
export function hasObeyed(text: string): boolean {
  return text.search(obeyed) >= 0;
}
