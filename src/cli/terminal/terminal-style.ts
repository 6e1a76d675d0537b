/** Colour by meaning: a command says what a text is, and never which colour that has. */

/** `heading`: a title; `strong`: the answer; `quiet`: what may be skipped; `accent`: a name to type or click. */
export type Style = "heading" | "strong" | "quiet" | "accent" | "good" | "warning" | "bad";

export type TerminalPalette = { readonly [S in Style]: (text: string) => string };

/** SGR parameters (ECMA-48, 8.3.117): of the eight basic colours only, which every terminal theme keeps readable. */
const sgr: { readonly [S in Style]: readonly [on: number, off: number] } = {
  heading: [1, 22],
  strong: [1, 22],
  quiet: [2, 22],
  accent: [36, 39],
  good: [32, 39],
  warning: [33, 39],
  bad: [31, 39],
};

function paletteOf(paint: (style: Style) => (text: string) => string): TerminalPalette {
  return {
    heading: paint("heading"),
    strong: paint("strong"),
    quiet: paint("quiet"),
    accent: paint("accent"),
    good: paint("good"),
    warning: paint("warning"),
    bad: paint("bad"),
  };
}

export const colourful: TerminalPalette = paletteOf((style) => (text) => {
  const [on, off] = sgr[style];
  return text === "" ? "" : `\x1b[${on}m${text}\x1b[${off}m`;
});

export const plain: TerminalPalette = paletteOf(() => (text) => text);

/**
 * Whether to colour. Strongest first: the option --no-color; NO_COLOR set and not empty (no-color.org); FORCE_COLOR set
 * (0 and false mean no, as Node.js reads it); then a terminal that is not TERM=dumb.
 */
export function wantsColour(
  env: Readonly<Record<string, string | undefined>>,
  isTerminal: boolean,
  refusedByOption: boolean,
): boolean {
  if (refusedByOption || (env.NO_COLOR ?? "") !== "") return false;
  const forced = env.FORCE_COLOR;
  if (forced !== undefined) return forced !== "0" && forced !== "false";
  return isTerminal && env.TERM !== "dumb";
}
