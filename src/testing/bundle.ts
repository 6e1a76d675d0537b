/**
 * A program in one file, for tests that start it often: reading hundreds of small files takes node a second or more.
 */
import { symlinkSync } from "node:fs";
import { join } from "node:path";
import { buildSync } from "esbuild";
import { projectRoot } from "./places.js";

/** Bundles a compiled module, with DuckDB's own JavaScript, into `folder`; the bundle's path. */
export function bundle(module: string, folder: string): string {
  const outfile = join(folder, "bundle.mjs");
  buildSync({
    entryPoints: [module],
    bundle: true,
    platform: "node",
    format: "esm",
    target: "node20",
    outfile,
    logLevel: "error",
    // A native addon is not JavaScript.
    external: ["@duckdb/node-bindings*"],
    banner: { js: "import { createRequire } from 'node:module';\nconst require = createRequire(import.meta.url);" },
  });
  symlinkSync(join(projectRoot, "node_modules"), join(folder, "node_modules"));
  return outfile;
}
