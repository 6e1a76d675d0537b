/** `7d`, `36h`, `90m`, `45s`: the shortest form of whole seconds, in the units of Prometheus and of our options. */
export function windowText(seconds: number): string {
  const units = [
    ["d", 86_400],
    ["h", 3_600],
    ["m", 60],
  ] as const;
  const [unit, size] = units.find(([, each]) => seconds % each === 0) ?? (["s", 1] as const);
  return `${seconds / size}${unit}`;
}
