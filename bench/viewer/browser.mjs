/** Chromium for measurements: the main thread's work in each frame, and the page's memory. */
import { readFileSync } from "node:fs";
import { chromium } from "playwright-core";

export async function launch() {
  return chromium.launch({
    executablePath: process.env.BLACKOUT_CHROMIUM ?? "/usr/bin/chromium",
    args: ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"],
  });
}

/** Peak resident set of the page's process, in MiB, as the kernel has it. */
export async function peakMemory(browser) {
  const session = await browser.newBrowserCDPSession();
  const { processInfo } = await session.send("SystemInfo.getProcessInfo");
  const peaks = processInfo
    .filter(({ type }) => type === "renderer")
    .map(({ id }) => Number(/VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${id}/status`, "utf8"))?.[1] ?? 0) / 1024);
  return Math.max(...peaks);
}

/** Chromium's trace events of these categories while `act` runs. */
async function traced(page, categories, act) {
  const session = await page.context().newCDPSession(page);
  const events = [];
  session.on("Tracing.dataCollected", ({ value }) => {
    events.push(...value);
  });
  const ended = new Promise((done) => session.once("Tracing.tracingComplete", done));
  await session.send("Tracing.start", {
    transferMode: "ReportEvents",
    traceConfig: { includedCategories: categories },
  });
  await act();
  await session.send("Tracing.end");
  await ended;
  return events;
}

/**
 * Runs `act` and returns the main thread's time on a CPU, in ms, up to the end of the task in which the page set the
 * mark `name`: the cost of a navigation on an idle CPU.
 */
export async function cpuToMark(page, name, act) {
  const events = await traced(page, ["toplevel", "blink.user_timing"], act);
  const mark = events.find((event) => event.name === name);
  if (mark === undefined) return Number.NaN;
  const tasks = events.filter(
    (event) => event.pid === mark.pid && event.tid === mark.tid && event.ph === "X" && /RunTask$/.test(event.name),
  );
  return outermost(tasks)
    .filter((task) => task.ts <= mark.ts)
    .reduce((sum, task) => sum + (task.tdur ?? Number.NaN) / 1000, 0);
}

/** Tasks nest: only the outermost count. */
function outermost(tasks) {
  const outer = [];
  for (const task of tasks.sort((a, b) => a.ts - b.ts)) {
    const last = outer.at(-1);
    if (last === undefined || task.ts >= last.ts + last.dur) outer.push(task);
  }
  return outer;
}

/**
 * Runs `act` and returns the main thread's work of each frame drawn meanwhile, in ms: `cpu`, its own time on a CPU, and
 * `wall`, which on a busy machine includes the time others took.
 */
export async function frameWork(page, act) {
  const events = await traced(page, ["toplevel", "devtools.timeline", "disabled-by-default-devtools.timeline"], act);
  const painted = events.filter((event) => event.name === "FireAnimationFrame" && event.dur > 0);
  const main = mostCommon(painted.map((event) => `${event.pid} ${event.tid}`));
  const ours = (event) => `${event.pid} ${event.tid}` === main;
  const outer = outermost(events.filter((event) => ours(event) && event.ph === "X" && /RunTask$/.test(event.name)));
  const begins = painted
    .filter(ours)
    .map((event) => event.ts)
    .sort((a, b) => a - b);
  const frames = [];
  let at = 0;
  for (const [i, begin] of begins.entries()) {
    const end = begins[i + 1] ?? Number.POSITIVE_INFINITY;
    let wall = 0;
    let cpu = 0;
    // The cost of a frame: the task that draws it, and those until the next one begins.
    while (at < outer.length && outer[at].ts < end) {
      if (outer[at].ts + outer[at].dur > begin) {
        wall += outer[at].dur;
        cpu += outer[at].tdur ?? Number.NaN;
      }
      at++;
    }
    frames.push({ wall: wall / 1000, cpu: cpu / 1000 });
  }
  return frames.slice(0, -1);
}

function mostCommon(values) {
  const counts = new Map();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  return [...counts].sort((a, b) => b[1] - a[1])[0]?.[0];
}

export function quantile(values, q) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))] ?? Number.NaN;
}
