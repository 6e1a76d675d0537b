/**
 * One name, one module: a name that two modules export makes an editor's "go to symbol" answer with the wrong one.
 * Re-exports do not count, nor do tests.
 */
import { readFileSync } from "node:fs";
import { join, posix } from "node:path";
import { filesUnder } from "./dist.mjs";
import { inProject, root as projectRoot } from "./project.mjs";

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

/**
 * The names that more modules export than `known` allows, and the entries of `known` that are out of date, as
 * sentences. `modules` are pairs of a file and its text; `known` maps a name to its number of modules.
 */
export function exportFaults(modules, known) {
  const files = new Map();
  for (const [file, text] of modules) {
    for (const name of exportedNames(text)) files.set(name, [...(files.get(name) ?? []), file]);
  }
  const added = [...files]
    .filter(([name, found]) => found.length > (Object.hasOwn(known, name) ? known[name] : 1))
    .map(([name, found]) => `${name}: ${found.join(", ")} export this name; rename the less central one`);
  const outdated = Object.entries(known)
    .filter(([name, count]) => (files.get(name)?.length ?? 0) < count)
    .map(([name]) => `scripts/lib/exported-twice.json: ${name} has fewer modules now; lower or remove its entry`);
  return [...added, ...outdated];
}

/** All faults of the tree. The names exported twice before this rule stand in a list, which may only get shorter. */
export function allExportFaults(root = projectRoot) {
  const known = JSON.parse(readFileSync(inProject("scripts/lib/exported-twice.json"), "utf8"));
  const modules = roots
    .flatMap((folder) => filesUnder(join(root, folder)).map((file) => posix.join(folder, file)))
    .filter((file) => file.endsWith(".ts") && !/\.(test|d)\.ts$/.test(file))
    .map((file) => [file, readFileSync(join(root, file), "utf8")]);
  return exportFaults(modules, known);
}
