/**
 * The rules for text that a program can check (CONTRIBUTING.md, "Words"): phrases to avoid, length of lines, length of
 * sentences. They cover Markdown, comments, strings (messages, help, test names) and shell scripts.
 */
import { readFileSync } from "node:fs";
import { extname } from "node:path";
import { filesUnder } from "./dist.mjs";
import { markdownFiles } from "./links.mjs";
import { inProject } from "./project.mjs";

const widestLine = 120;
const longestSentence = 40;

/** Phrases that read as translated, and what to write instead. `\b` and case are the pattern's own business. */
export const phrases = [
  { pattern: /(?<![Tt]here )\b(is|are|was|were|be) none\b/g, instead: '"not a …", "ignored" or "no … found"' },
  {
    pattern: /(?<!\bthere )(?<!\bthis )\b(is|are|was|were) no(?= [a-z])(?! longer| more\b| less\b| later| two\b)/gi,
    instead: '"is not a …"',
  },
  {
    pattern: /(?<![\w-])(tells?|told|telling)(?![\w-])/gi,
    instead: '"report", "print", "show", "send" or "distinguish"',
  },
  { pattern: /\bsaid\b|\bsays? so\b/gi, instead: '"reported", "printed" or "stated"' },
  { pattern: /\bknows? of\b|\bknown of\b|\bknows nothing\b/gi, instead: '"has", "reads" or "recognizes"' },
  { pattern: /\b(give|gives|given|gave) back\b/gi, instead: '"return"' },
  { pattern: /\bwhere (there (is|are|was|were)\b|nothing\b|none\b|not\b|neither\b)/gi, instead: '"if"' },
  { pattern: /\bwhere (it|they|one|that) (can|cannot|does|do|has|have)\b/gi, instead: '"if"' },
  {
    pattern:
      /\bwhere (it|they|this|that|these|those|one) (is|are|was|were) (not|known|unknown|given|missing|absent)\b/gi,
    instead: '"if"',
  },
  { pattern: /\b(null|empty) where\b(?! clause)|\bwhere no (?=[a-z])/gi, instead: '"if"' },
  { pattern: /\bso many\b/gi, instead: '"this many" or the number' },
  { pattern: /\banew\b/gi, instead: '"again"' },
  { pattern: /\bwhoever\b/gi, instead: '"anyone who" or the reader\'s name' },
  { pattern: /\bfor ever\b/gi, instead: '"forever"' },
  { pattern: /\bnone of all\b|\bof all that\b/gi, instead: "the noun" },
  { pattern: /\bnothing of\b/gi, instead: '"no …"' },
  { pattern: /\bholds of\b/gi, instead: '"is true for"' },
  { pattern: /\bheld against\b/gi, instead: '"checked against"' },
  { pattern: /\b(put|puts) down\b/gi, instead: '"write"' },
  { pattern: /\bmay not be had\b|\b(is|are|can be|to be) had\b/gi, instead: '"available"' },
  { pattern: /\b(is|are|was|were) asked for\b/gi, instead: '"requested"' },
];

/** Phrases in these files are right as they are, each with its reason; `phrase`: only this one. */
const exceptions = [
  // They quote what they forbid.
  { file: "scripts/lib/language.mjs" },
  { file: "scripts/test/language.test.mjs" },
  // A value in JSON documents: "luod READY said".
  { file: "src/analyze/evidence/boundaries.ts", phrase: "said" },
  { file: "src/collect/agents/agents.test.ts", phrase: "said" },
];

const sourceFolders = [
  "src",
  "viewer/src",
  "viewer/test",
  "bench",
  "scripts",
  "traces",
  "packaging",
  "examples",
  "docs",
];
const codeExtensions = new Set([".ts", ".mjs", ".js", ".c", ".h"]);
const hashExtensions = new Set([".sh", ".service", ".yml", ".yaml", ".config", ".py"]);

/** The parts of a program's text that are for people: comments and strings, each with the line it begins on. */
export function textsOfCode(text) {
  const texts = [];
  let line = 1;
  let at = 0;
  const lines = (part) => part.split("\n").length - 1;
  // Whether a slash here would divide: after a value, not after an operator or a keyword.
  let afterValue = false;
  while (at < text.length) {
    const rest = text.slice(at, at + 2);
    let end = at + 1;
    let kind = null;
    if (rest === "//") {
      end = text.indexOf("\n", at);
      if (end < 0) end = text.length;
      kind = "comment";
    } else if (rest === "/*") {
      end = text.indexOf("*/", at + 2) + 2;
      if (end < 2) end = text.length;
      kind = "comment";
    } else if (text[at] === '"' || text[at] === "'" || text[at] === "`") {
      end = endOfString(text, at);
      kind = "string";
      afterValue = true;
    } else if (text[at] === "/" && !afterValue) {
      end = endOfPattern(text, at);
      afterValue = true;
    } else if (!/\s/.test(text[at])) {
      const word = /^[\w$]+/.exec(text.slice(at, at + 200))?.[0];
      if (word !== undefined) {
        end = at + word.length;
        afterValue = !/^(return|case|typeof|in|of|do|else|yield|await)$/.test(word);
      } else afterValue = text[at] === ")" || text[at] === "]";
    }
    const part = text.slice(at, end);
    const last = texts.at(-1);
    if (kind === "comment" && rest === "//" && last?.kind === "comment" && text.slice(last.end, at).trim() === "") {
      // Lines of one comment.
      last.text += `\n${part}`;
      last.end = end;
    } else if (kind !== null) texts.push({ kind, line, text: part, end });
    line += lines(part);
    at = end;
  }
  return texts;
}

function endOfString(text, from) {
  const quote = text[from];
  for (let at = from + 1; at < text.length; at++) {
    if (text[at] === "\\") at++;
    else if (text[at] === quote) return at + 1;
    else if (text[at] === "\n" && quote !== "`") return at;
    else if (quote === "`" && text.startsWith("${", at)) at = endOfHole(text, at + 2) - 1;
  }
  return text.length;
}

/** The end of `${…}` in a template. */
function endOfHole(text, from) {
  let depth = 1;
  for (let at = from; at < text.length; at++) {
    if (text[at] === "{") depth++;
    else if (text[at] === "}" && --depth === 0) return at + 1;
    else if (text[at] === '"' || text[at] === "'" || text[at] === "`") at = endOfString(text, at) - 1;
    else if (text[at] === "/" && /[(,]\s?$/.test(text.slice(at - 2, at))) at = endOfPattern(text, at) - 1;
  }
  return text.length;
}

function endOfPattern(text, from) {
  let inClass = false;
  for (let at = from + 1; at < text.length && text[at] !== "\n"; at++) {
    if (text[at] === "\\") at++;
    else if (text[at] === "[") inClass = true;
    else if (text[at] === "]") inClass = false;
    else if (text[at] === "/" && !inClass) return at + 1;
  }
  return from + 1;
}

/** Comments and quoted strings of a script whose comments begin with `#`. */
export function textsOfScript(text) {
  return text.split("\n").flatMap((line, index) => {
    const comment = /(?:^|\s)#(?!!)(.*)$/.exec(line);
    const code = comment === null ? line : line.slice(0, comment.index);
    const strings = [...code.matchAll(/"([^"]* [^"]*)"|'([^']* [^']*)'/g)].map(([whole]) => whole);
    return [
      ...(comment === null ? [] : [{ kind: "comment", line: index + 1, text: line.slice(comment.index) }]),
      ...strings.map((part) => ({ kind: "string", line: index + 1, text: part })),
    ];
  });
}

/** What a person reads of a Markdown file: no code blocks, no code spans, no targets of links. */
export function textsOfMarkdown(text) {
  let fenced = false;
  let before = "";
  return text.split("\n").flatMap((whole, index) => {
    const isFence = /^\s*```/.test(whole);
    if (isFence) fenced = !fenced;
    const indented = /^ {4}/.test(whole) && (before.trim() === "" || /^ {4}/.test(before));
    before = whole;
    if (fenced || isFence || indented) return [];
    return [{ kind: whole.startsWith("|") ? "table" : "prose", line: index + 1, text: plainText(whole), whole }];
  });
}

const plainText = (line) =>
  line
    .replace(/`[^`]*`/g, "CODE")
    .replace(/\]\([^)]*\)/g, "]")
    .replace(/<https?:[^>]*>/g, "LINK");

const isException = (file, found) => exceptions.some(({ file: of, phrase = found }) => of === file && phrase === found);

function phraseFaults(file, { kind, line, text }) {
  // A code or a name, such as `not-told-apart`.
  if (kind === "string" && !/\s/.test(text)) return [];
  // A phrase may be broken over two lines of a comment.
  // Code in a template is not text.
  const prose = text.replace(/\$\{[^{}]*\}/g, (hole) => `X${"\n".repeat(hole.split("\n").length - 1)}`);
  const lines = prose.split("\n").map((part) => part.replace(/^\s*(\*(?!\/)|\/\/)?\s*/, ""));
  const begins = lines.map((_, index) => lines.slice(0, index).reduce((sum, part) => sum + part.length + 1, 0));
  return phrases.flatMap(({ pattern, instead }) =>
    [...lines.join(" ").matchAll(pattern)]
      .filter(([found]) => !isException(file, found))
      .map((match) => {
        const at = line + begins.findLastIndex((begin) => begin <= match.index);
        return { file, line: at, what: `"${match[0]}": write ${instead}` };
      }),
  );
}

const isTooWide = (line) => line.length > widestLine && !/https?:|\]\(/.test(line);

/** Sentences of the paragraphs and list items of a Markdown file that have too many words. */
function longSentences(file, texts) {
  const paragraphs = [];
  let open = null;
  for (const { kind, line, text } of texts) {
    const starts = /^\s*([-*]|\d+\.) /.test(text);
    if (open === null || kind !== "prose" || text.trim() === "" || starts || /^#/.test(text) || open.next !== line) {
      open = { line, next: line, text: "" };
      paragraphs.push(open);
    }
    if (kind === "prose") open.text += ` ${text.trim()}`;
    open.next = line + 1;
  }
  return paragraphs.flatMap(({ line, text }) =>
    text
      .split(/(?<=[.?!:;])\s+(?=\S)/)
      .map((sentence) => sentence.split(/\s+/).filter((word) => /\w/.test(word)).length)
      .filter((words) => words > longestSentence)
      .map((words) => ({ file, line, what: `a sentence of ${words} words: at most ${longestSentence}` })),
  );
}

/** The faults of one file's text: `{ file, line, what }`, in the order of its lines. */
export function languageFaults(file, text) {
  if (exceptions.some((exception) => exception.file === file && exception.phrase === undefined)) return [];
  const extension = extname(file);
  if (extension === ".md") {
    const texts = textsOfMarkdown(text);
    const wide = texts
      .filter(({ kind, whole }) => kind === "prose" && isTooWide(whole))
      .map(({ line }) => ({ file, line, what: `a line of more than ${widestLine} columns` }));
    return [...texts.flatMap((part) => phraseFaults(file, part)), ...wide, ...longSentences(file, texts)];
  }
  const texts = codeExtensions.has(extension) ? textsOfCode(text) : textsOfScript(text);
  const wide = texts
    .filter(({ kind }) => kind === "comment")
    .flatMap(({ line, text }) => text.split("\n").map((part, index) => ({ line: line + index, part })))
    .filter(({ part }) => isTooWide(part))
    .map(({ line }) => ({ file, line, what: `a comment of more than ${widestLine} columns` }));
  return [...texts.flatMap((part) => phraseFaults(file, part)), ...wide];
}

const isText = (path) =>
  (codeExtensions.has(extname(path)) || hashExtensions.has(extname(path)) || extname(path) === "") &&
  !/(^|\/)(node_modules|goldens?|samples|cohorts|dialects|profiles)\/|\.golden/.test(path);

/** All text files that the rules cover, relative to the root. */
export function coveredFiles() {
  const code = sourceFolders.flatMap((folder) =>
    filesUnder(inProject(folder))
      .map((path) => `${folder}/${path}`)
      .filter((path) => isText(path)),
  );
  return [...markdownFiles(), ...code];
}

/** All faults of the tree. */
export function allLanguageFaults() {
  return coveredFiles().flatMap((file) => languageFaults(file, readFileSync(inProject(file), "utf8")));
}
