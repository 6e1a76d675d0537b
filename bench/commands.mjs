/**
 * The commands beside trace-cmd, as a user runs them: CPU time (user and system) of whole processes, interleaved, on
 * one trace.dat of each version. The ratio comes first: it holds on other machines. See README.md.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { largeRecording, median, members, repeatPages, ringPages, root, writeTraceDat } from "./lib.mjs";

const { values } = parseArgs({
  options: {
    dist: { type: "string", default: "dist" },
    rounds: { type: "string", default: "3" },
    runs: { type: "string", default: "5" },
  },
});
const main = join(root, values.dist, "cli/main.js");
const folder = mkdtempSync(join(tmpdir(), "commands-"));

/** CPU seconds and peak MiB of a shell command whose output is dropped; null if it fails. */
function measured(command) {
  const times = join(folder, "times");
  const run = spawnSync("/usr/bin/time", [
    "-o",
    times,
    "-f",
    "%U %S %M",
    "/bin/sh",
    "-c",
    `exec ${command} >/dev/null 2>&1`,
  ]);
  if (run.status !== 0) return null;
  const [user, system, peak] = readFileSync(times, "utf8").trim().split("\n").at(-1).split(" ").map(Number);
  return { cpu: user + system, mib: peak / 1024 };
}

try {
  const pages = ringPages(members(largeRecording()));
  const paths = pages.map((_, cpu) => join(folder, `cpu${cpu}`));
  repeatPages(pages, paths, Number(values.rounds));
  await writeTraceDat(values.dist, paths, join(folder, "6.dat"));
  const packed = ["convert", "-i", join(folder, "6.dat"), "-o", join(folder, "7.dat")];
  spawnSync("trace-cmd", [...packed, "--file-version", "7", "--compression", "zstd"]);
  const events = Number(
    spawnSync("/bin/sh", ["-c", `${process.execPath} ${main} events ${folder}/6.dat | wc -l`]).stdout,
  );
  const blackout = (rest) => `${process.execPath} ${main} ${rest}`;
  for (const version of ["6", "7"]) {
    const file = join(folder, `${version}.dat`);
    const commands = {
      "trace-cmd report": `trace-cmd report ${file}`,
      events: blackout(`events ${file}`),
      "events --json": blackout(`events --json ${file}`),
      "convert to Perfetto": blackout(`convert ${file} -o ${folder}/out.pftrace`),
      "events, one name": blackout(`events ${file} --filter event=kmem_cache_alloc`),
      "events, one field": blackout(`events ${file} --filter '.bytes_req>0'`),
    };
    const runs = new Map(Object.keys(commands).map((name) => [name, []]));
    for (let i = 0; i < Number(values.runs); i++) {
      for (const [name, command] of Object.entries(commands)) {
        const found = measured(command);
        if (found !== null) runs.get(name).push(found);
      }
    }
    const peer = median(runs.get("trace-cmd report").map(({ cpu }) => cpu));
    console.log(`\ntrace.dat, version ${version}, ${events.toLocaleString("en")} events\n`);
    console.log("| command | of trace-cmd report's CPU | CPU s (median) | M events/s | peak MiB |");
    console.log("| --- | ---: | ---: | ---: | ---: |");
    for (const [name, found] of runs) {
      if (found.length === 0) continue;
      const cpu = median(found.map((each) => each.cpu));
      const mib = Math.max(...found.map((each) => each.mib));
      const ratio = Number.isFinite(peer) ? (cpu / peer).toFixed(2) : "-";
      console.log(
        `| ${name} | ${ratio} | ${cpu.toFixed(2)} | ${(events / cpu / 1e6).toFixed(2)} | ${mib.toFixed(0)} |`,
      );
    }
  }
} finally {
  rmSync(folder, { recursive: true });
}
