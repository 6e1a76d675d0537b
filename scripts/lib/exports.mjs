/**
 * One name, one module: a name that two modules export makes an editor's "go to symbol" answer with the wrong one.
 * Re-exports do not count, nor do tests.
 */
import { readFileSync } from "node:fs";
import { join, posix } from "node:path";
import { filesUnder } from "./dist.mjs";
import { root as projectRoot } from "./project.mjs";

const roots = ["src", "viewer/src"];

const declarationPattern =
  /^export (?:declare )?(?:abstract )?(?:async )?(?:function\*?|class|const|let|interface|type|enum) ([A-Za-z_$][\w$]*)/gm;

/** `export { a, b as c };` without `from`. */
const listPattern = /^export (?:type )?\{([^}]*)\}(?!\s*from)/gm;

const importPattern = /^import (?:type )?\{([^}]*)\} from/gm;

const itemsOf = (text, pattern) => [...text.matchAll(pattern)].flatMap(([, items]) => items.split(","));

/** The names that a module exports and declares itself. */
export function exportedNames(text) {
  const declared = [...text.matchAll(declarationPattern)].map(([, name]) => name);
  const imported = new Set(itemsOf(text, importPattern).map((item) => item.trim().split(/\s+/).at(-1)));
  const listed = itemsOf(text, listPattern)
    .map((item) =>
      item
        .trim()
        .replace(/^type /, "")
        .split(/\s+/),
    )
    .filter(([local]) => local !== "" && !imported.has(local))
    .map((words) => words.at(-1));
  return [...new Set([...declared, ...listed])];
}

/** The names that more than one module exports, as sentences. `modules` are pairs of a file and its text. */
export function exportFaults(modules) {
  const files = new Map();
  for (const [file, text] of modules) {
    for (const name of exportedNames(text)) files.set(name, [...(files.get(name) ?? []), file]);
  }
  return [...files]
    .filter(([, found]) => found.length > 1)
    .map(([name, found]) => `${name}: ${found.join(", ")} export this name; rename the less central one`);
}

/** All faults of the tree. */
export function allExportFaults(root = projectRoot) {
  const modules = roots
    .flatMap((folder) => filesUnder(join(root, folder)).map((file) => posix.join(folder, file)))
    .filter((file) => file.endsWith(".ts") && !/\.(test|d)\.ts$/.test(file))
    .map((file) => [file, readFileSync(join(root, file), "utf8")]);
  return exportFaults(modules);
}
