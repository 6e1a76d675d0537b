/** Functions as the kernel prints and names them: symbols with offsets, and the names of return probes. */

/** `name+0x4/0x60 [module]` to `name`; null for an address that no symbol was found for. */
export function symbolName(symbol: string): string | null {
  if (symbol === "" || symbol.startsWith("0x")) return null;
  const end = symbol.search(/\+0x| \[/);
  return end < 0 ? symbol : symbol.slice(0, end);
}

/**
 * The function a return probe's name stands for if its address has no symbol: perf and the recorder append these.
 */
export function functionOfReturnProbe(event: string): string {
  return event.replace(/(?:__|_)(?:ret|return|exit)$/, "");
}
