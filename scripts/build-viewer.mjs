#!/usr/bin/env node
/**
 * Checks the viewer's types and makes its pages in viewer/ of the output folder (first argument, default dist). Each
 * page is one file with its script and style inside, and a policy that allows nothing else to run.
 */
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { build } from "esbuild";
import { bundledPackages, noticesComment } from "./lib/third-party.mjs";

const root = resolve(import.meta.dirname, "..");
const out = resolve(process.argv[2] ?? join(root, "dist"), "viewer");

const types = spawnSync(process.execPath, [join(root, "node_modules/typescript/bin/tsc"), "-p", join(root, "viewer")], {
  stdio: "inherit",
});
if (types.status !== 0) process.exit(types.status ?? 1);

const uplot = readFileSync(join(root, "node_modules/uplot/dist/uPlot.min.css"), "utf8");
const own = await build({
  entryPoints: [join(root, "viewer/src/styles.css")],
  bundle: true,
  minify: true,
  write: false,
});
const style = `${uplot.trim()}\n${own.outputFiles[0].text.trim()}`;
const hash = (text) => `'sha256-${createHash("sha256").update(text, "utf8").digest("base64")}'`;
const template = readFileSync(join(root, "viewer/src/page.html.template"), "utf8");

/** One page: the script of `entry`, the style, and a policy that allows only these. */
async function page(entry, name, ...more) {
  const { outputFiles, metafile } = await build({
    entryPoints: [join(root, "viewer/src", entry)],
    metafile: true,
    bundle: true,
    minify: true,
    format: "esm",
    target: "es2022",
    charset: "ascii",
    legalComments: "none",
    write: false,
  });
  // The style contains uPlot's, in every page.
  const packages = new Set(["uplot", ...packagesIn(Object.keys(metafile.inputs))]);
  const unlisted = [...packages].filter((each) => !bundledPackages.includes(each));
  if (unlisted.length > 0) throw new Error(`add to bundledPackages, for its licence: ${unlisted.join(", ")}`);
  const script = outputFiles[0].text.trim();
  if (script.includes("</script") || style.includes("</style"))
    throw new Error("the bundle would close its own element");
  const policy = [
    "default-src 'none'",
    `script-src ${hash(script)}`,
    `style-src ${hash(style)}`,
    "img-src data: blob:",
    ...more,
    "base-uri 'none'",
    "form-action 'none'",
  ].join("; ");
  const values = { policy, style, script, notices: noticesComment([...packages]) };
  const text = template.replace(/\{\{(policy|style|script|notices)\}\}/g, (_, part) => values[part]);
  const file = join(out, name);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
  console.log(`${file}: ${(Buffer.byteLength(text) / 1024).toFixed(0)} KiB`);
}

function packagesIn(paths) {
  return paths.flatMap((path) => /node_modules\/((?:@[^/]+\/)?[^/]+)\/(?!.*node_modules\/)/.exec(path)?.[1] ?? []);
}

// From file:// the report requests nothing; served, it may request traces from its own server.
await page("main.ts", "report-template.html");
await page("main.ts", "served-template.html", "connect-src 'self'");
await page("open.ts", "open-template.html", "connect-src 'self'");
