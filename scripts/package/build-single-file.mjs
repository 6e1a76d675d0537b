/** blackout, Node.js and the recorder in one executable file: Node's single-executable application. */
import { spawnSync } from "node:child_process";
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { build } from "esbuild";
import { filesUnder } from "../lib/dist.mjs";
import { nodeRelease } from "../lib/node-releases.mjs";
import { inProject } from "../lib/project.mjs";
import { StepFailure } from "../lib/step.mjs";

/** The Node.js inside. */
export const nodeInside = "22.23.5";
export const platforms = ["linux-x64", "linux-arm64"];

/** Writes the code into a copy of node; a prerelease is all there is of it. */
const injector = "postject@1.0.0-alpha.6";

/** Too large, or of another platform: left out, and reported by name if it is needed. */
const leftOut = ["@duckdb/node-api", "@clickhouse/client"];

/** Modules of dist that read files beside themselves, and how: a template in memory, or files that are unpacked. */
const templateReaders = ["cli/watch/pages.js", "cli/web/open.js", "cli/web/serve.js", "cli/update/report.js"];

const prelude = readFileSync(join(import.meta.dirname, "single-file-prelude.cjs"), "utf8");

/** Replaces what a module reads beside itself. A place that is not there any more fails the build. */
function adapted(path, text, version) {
  const replace = (from, to) => {
    if (!text.includes(from))
      throw new StepFailure(`dist/${path} no longer contains ${from}: adapt build-single-file.mjs`);
    return text.replaceAll(from, to);
  };
  if (path === "cli/main.js") {
    return replace(
      `JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8"))`,
      `{ version: ${JSON.stringify(version)} }`,
    );
  }
  if (path === "cli/workers/worker-pool.js")
    return replace(`new URL("./worker.js", import.meta.url)`, `"blackout-worker"`);
  if (path === "base/missing-package.js") {
    // Its reason names a place on the machine that built the file.
    // biome-ignore lint/suspicious/noTemplateCurlyInString: it stands so in the module
    text = replace(": ${why}\\n", ".\\n");
    return replace(
      // biome-ignore lint/suspicious/noTemplateCurlyInString: it stands so in the module
      "Install it: npm install ${name}, or install blackout again without --omit=optional.",
      "The single-file build leaves it out: install the npm package for this command.",
    );
  }
  if (templateReaders.includes(path)) {
    text = replace("readFileSync(TEMPLATE", "singleFile.asset(TEMPLATE");
    return text.replace(/new URL\("\.\.\/\.\.\/(viewer\/[\w-]+\.html)", import\.meta\.url\)/, `"dist/$1"`);
  }
  if (path === "cli/recording/demo.js")
    return replace(`fileURLToPath(new URL("../../../", import.meta.url))`, `singleFile.unpacked("")`);
  const folder = path.split("/").slice(0, -1).join("/");
  return text.replaceAll("import.meta.dirname", `singleFile.unpacked("dist/${folder}")`);
}

const plugin = (version) => ({
  name: "beside",
  setup: ({ onLoad }) => {
    onLoad({ filter: /\/dist\/.*\.js$/ }, ({ path }) => {
      const text = readFileSync(path, "utf8");
      const own = relative(inProject("dist"), path);
      const wanted = text.includes("import.meta") || own === "base/missing-package.js";
      const contents = wanted ? adapted(own, text, version) : text;
      if (contents.includes("import.meta"))
        throw new StepFailure(`dist/${own} reads beside itself: adapt build-single-file.mjs`);
      return { contents, loader: "js" };
    });
  },
});

/** The files inside, besides the code: path in the package to path in the project. */
function assets() {
  const files = filesUnder(inProject("dist"))
    .filter((path) => /^(viewer|recorder|lab)\//.test(path) && !/\.(js|d\.ts)$/.test(path))
    .map((path) => `dist/${path}`);
  const folders = ["traces/cohorts", "packaging/systemd", "packaging/hooks"].flatMap((folder) =>
    filesUnder(inProject(folder)).map((path) => `${folder}/${path}`),
  );
  return [...files, ...folders, "traces/plain.tar.gz", "examples/budget.yaml", "THIRD-PARTY-NOTICES.txt"];
}

/** Builds the file for a platform at `output`; null if npm does not give its Node.js. Needs a built dist. */
export async function buildSingleFile(platform, output) {
  const release = nodeRelease(nodeInside, platform);
  // The blob is made by the same version, on this machine.
  const maker = nodeRelease(nodeInside, `linux-${process.arch}`);
  const postject = inProject("node_modules/.cache/postject");
  if (!existsSync(`${postject}/node_modules/postject`)) {
    mkdirSync(postject, { recursive: true });
    spawnSync(
      "npm",
      ["install", "--prefix", postject, "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline", injector],
      { stdio: "ignore" },
    );
  }
  if (release === null || maker === null || !existsSync(`${postject}/node_modules/postject`)) return null;
  const { version } = JSON.parse(readFileSync(inProject("package.json"), "utf8"));
  const work = mkdtempSync(join(tmpdir(), "blackout-single-"));
  try {
    const code = join(work, "blackout.cjs");
    await build({
      stdin: {
        contents: `if (singleFile.isWorker()) import("./workers/worker.js"); else import("./main.js");`,
        resolveDir: inProject("dist/cli"),
      },
      bundle: true,
      platform: "node",
      target: "node22",
      format: "cjs",
      minifySyntax: true,
      external: leftOut,
      banner: { js: prelude },
      plugins: [plugin(version)],
      outfile: code,
      logLevel: "error",
    });
    const blob = join(work, "blob");
    const entries = [...assets().map((path) => [path, inProject(path)]), ["LICENSE.node", `${release}/LICENSE`]];
    const inside = Object.fromEntries(entries.filter(([, path]) => existsSync(path)));
    const index = join(work, "index.json");
    writeFileSync(index, JSON.stringify(Object.keys(inside)));
    // Relative: the blob contains the name.
    const settings = {
      main: "blackout.cjs",
      output: "blob",
      disableExperimentalSEAWarning: true,
      assets: { ...inside, "index.json": index },
    };
    writeFileSync(join(work, "sea.json"), JSON.stringify(settings));
    must(`${maker}/bin/node`, ["--experimental-sea-config", "sea.json"], work);
    rmSync(output, { force: true });
    copyFileSync(`${release}/bin/node`, output);
    const fuse = "NODE_SEA_FUSE_fce680ab2cc467b6e072b8b5df1996b2";
    const tool = `${postject}/node_modules/postject/dist/cli.js`;
    must(process.execPath, [tool, output, "NODE_SEA_BLOB", blob, "--sentinel-fuse", fuse]);
    chmodSync(output, 0o755);
    return output;
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

function must(program, args, cwd = inProject(".")) {
  const { status, stdout, stderr, error } = spawnSync(program, args, { cwd, encoding: "utf8" });
  if (status !== 0) throw new StepFailure(`${program} ${args.join(" ")}: ${error ?? ""}${stdout}${stderr}`);
}
