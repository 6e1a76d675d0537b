/** Paths of the project. */
import { join, resolve } from "node:path";

export const root = resolve(import.meta.dirname, "../..");

/** A path of the project, from its root. */
export function inProject(...parts) {
  return join(root, ...parts);
}
