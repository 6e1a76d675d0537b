/**
 * Makes the samples of opened seams: traces/dialects/seam/NAME.tar.gz, of captures whose images were stamped and whose
 * stages were timed by instruction count.
 *
 *     npm run build && node traces/make-seam-samples.mjs NAME=CAPTURE...
 *
 * Each is the capture without what the analysis of the seam does not need: the console, and formats and symbols of
 * events and functions that it does not have. Needs tar.
 */
import { execFileSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync, gzipSync } from "node:zlib";

const captures = process.argv.slice(2);
if (captures.length === 0) throw new Error("Give the captures: node traces/make-seam-samples.mjs NAME=CAPTURE...");
const samples = join(import.meta.dirname, "dialects/seam");
const main = join(import.meta.dirname, "../dist/cli/main.js");
mkdirSync(samples, { recursive: true });

/** Lines of a packed file that `wanted` takes. */
function filterLines(path, wanted) {
  if (!existsSync(path)) return;
  const lines = gunzipSync(readFileSync(path)).toString("latin1").split("\n");
  writeFileSync(path, gzipSync(Buffer.from(lines.filter(wanted).join("\n"), "latin1"), { level: 9 }));
}

for (const capture of captures) {
  const [name, from] = capture.split("=");
  const folder = mkdtempSync(join(tmpdir(), "blackout-seam-"));
  cpSync(from, join(folder, name), { recursive: true });
  const at = (...path) => join(folder, name, ...path);
  const shown = execFileSync("node", [main, "events", at()], { encoding: "latin1", maxBuffer: 1 << 30 });
  const words = new Set(shown.match(/[A-Za-z_][\w.]*/g));
  for (const boot of ["old", "new"]) {
    filterLines(at(boot, "formats.gz"), (line) => words.has(/([^/]+)\/format:/.exec(line)?.[1] ?? ""));
    // A symbol ends where the next one begins: that one stays, too.
    let kept = false;
    filterLines(at(boot, "kallsyms.gz"), (line) => {
      const before = kept;
      kept = words.has(line.split(/\s/)[2] ?? "");
      return kept || before;
    });
  }
  rmSync(at("console.log"), { force: true });
  // Older recordings have it at the top.
  if (existsSync(at("boot_params"))) renameSync(at("boot_params"), at("new", "boot_params"));
  const archive = join(samples, `${name}.tar.gz`);
  const tar = execFileSync("tar", ["-C", folder, "--sort=name", "--owner=0", "--group=0", "--mtime=@0", "-cf", "-", name], {
    maxBuffer: 1 << 30,
  });
  writeFileSync(archive, gzipSync(tar, { level: 9 }));
  rmSync(folder, { recursive: true });
  console.log(archive);
}
