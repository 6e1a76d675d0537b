/** The viewer's pure modules, bundled for Node as for the browser. */
import { join } from "node:path";
import { build } from "esbuild";

const source = join(import.meta.dirname, "../src");

export async function viewerModules(...names) {
  const { outputFiles } = await build({
    stdin: {
      contents: names.map((name) => `export * from "./${name}.js";`).join("\n"),
      resolveDir: source,
      loader: "ts",
    },
    bundle: true,
    format: "esm",
    write: false,
  });
  return import(`data:text/javascript;base64,${Buffer.from(outputFiles[0].text).toString("base64")}`);
}
