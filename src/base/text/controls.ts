/** Untrusted text made safe to print, by the rule of `obeyed.ts`. */
import { replaceObeyed, replaceUnseen } from "./obeyed.js";

const PLAIN = /^[\n\r\t\x20-\x7e]*$/;

/**
 * Makes text of a capture, or of anyone else, safe to print on one line: each character that would act instead of
 * being shown becomes `\n`, `\t`, `\x1b` or `\u202e`. Text without them is returned as it is.
 */
export function escapeControls(text: string): string {
  return replaceObeyed(text, (found, code) => {
    if (found === "\n") return "\\n";
    if (found === "\t") return "\\t";
    if (code <= 0xff) return `\\x${code.toString(16).padStart(2, "0")}`;
    return code <= 0xffff ? `\\u${code.toString(16).padStart(4, "0")}` : `\\u{${code.toString(16)}}`;
  });
}

/**
 * Makes a document safe to print whose C0 controls are its own (line breaks, colours): every other character becomes
 * `\u202e`, as code units of UTF-16, so that a document of JSON stays the same document.
 */
export function escapeInvisible(text: string): string {
  // Nearly all output is plain: one test is far cheaper than a replacement that finds nothing.
  if (PLAIN.test(text)) return text;
  return replaceUnseen(text, (found) =>
    Array.from({ length: found.length }, (_, i) => `\\u${found.charCodeAt(i).toString(16).padStart(4, "0")}`).join(""),
  );
}
