/** Which characters of untrusted text must not be printed as they are: the one rule of terminal and viewer. */

/**
 * What a terminal or a reader's eye would obey rather than show: C0 and C1 controls and DEL (ECMA-48; C1 holds an
 * eight-bit CSI), line and paragraph separators, the marks, embeddings and isolates that reorder text (Unicode UAX 9),
 * the byte order mark, the soft hyphen and zero-width space, tags, interlinear annotations, and lone surrogates.
 */
const obeyed =
  /[\x00-\x1f\x7f-\x9f\u00ad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\u{e0000}-\u{e007f}]|\p{Cs}/gu;

/** The text with each such character replaced by what `show` makes of it and its code point. */
export function replaceObeyed(text: string, show: (found: string, code: number) => string): string {
  return text.replace(obeyed, (found) => show(found, found.codePointAt(0) as number));
}
