/** A table's strings, each made visible once, however often it is drawn. */
import { visibleText } from "./format.js";

const made = new WeakMap<readonly string[], (string | undefined)[]>();

/** `strings[id]` through `visibleText`; empty if there is none. */
export function visibleStrings(strings: readonly string[]): (id: number) => string {
  const known = made.get(strings) ?? [];
  made.set(strings, known);
  return (id) => {
    const text = known[id] ?? visibleText(strings[id] ?? "");
    known[id] = text;
    return text;
  };
}
