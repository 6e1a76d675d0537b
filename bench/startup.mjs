/** CPU time of start-up: `--version` and `--help` compared with bare node, interleaved in one run. */
import { spawnSync } from "node:child_process";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { root } from "./lib.mjs";

const { values } = parseArgs({
  options: { runs: { type: "string", default: "21" }, dist: { type: "string", default: join(root, "dist") } },
});
const program = join(resolve(values.dist), "cli/main.js");
// User and system time of the process itself, just before it ends.
const reporter = `data:text/javascript,process.on("exit",()=>{const{user,system}=process.cpuUsage();process.stderr.write("CPU "+(user+system))})`;

const ROWS = [
  ["node -e 0", ["-e", "0"]],
  ["blackout --version", [program, "--version"]],
  ["blackout --help", [program, "--help"]],
  ["blackout analyze --help", [program, "analyze", "--help"]],
  ["blackout gate --help", [program, "gate", "--help"]],
];

const median = (list) => [...list].sort((a, b) => a - b)[list.length >> 1];
const costs = ROWS.map(() => []);
for (let run = 0; run < Number(values.runs); run += 1) {
  for (const [i, [, args]] of ROWS.entries()) {
    const { stderr } = spawnSync(process.execPath, ["--import", reporter, ...args], { encoding: "utf8" });
    costs[i].push(Number(/CPU (\d+)$/.exec(stderr)[1]) / 1e3);
  }
}
console.log("| what | CPU ms (median) | of bare node |\n| --- | ---: | ---: |");
for (const [i, [what]] of ROWS.entries()) {
  console.log(`| \`${what}\` | ${median(costs[i]).toFixed(0)} | ${(median(costs[i]) / median(costs[0])).toFixed(2)} |`);
}
