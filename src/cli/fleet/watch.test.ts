import assert from "node:assert/strict";
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { appendFileSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { after } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { tarArchive, zstdZeros } from "../../testing/fakes/tar.js";
import { missing, run } from "../../testing/oracles/debian-programs.js";
import { freePort, startPrometheus, until } from "../../testing/oracles/prometheus-server.js";
import { projectRoot } from "../../testing/places.js";
import { captureCopies } from "../../testing/samples/capture-copies.js";

const MAIN = join(projectRoot, "dist/cli/main.js");
const folder = mkdtempSync(join(tmpdir(), "blackout-watch-"));
const ends: (() => void)[] = [];
after(() => {
  for (const end of ends.reverse()) end();
  rmSync(folder, { recursive: true });
});

/** BLACKOUT_WATCH_CAPTURES=200 takes a minute of a processor; these are of the same kinds. */
const MANY = Number(process.env.BLACKOUT_WATCH_CAPTURES ?? 40);

interface Service {
  readonly child: ChildProcess;
  /** Its log: one document a line. */
  readonly events: { readonly event: string; readonly path?: string; readonly reason?: string }[];
  readonly complaints: () => string;
  readonly ended: Promise<number | null>;
}

function startService(args: readonly string[], env: Readonly<Record<string, string>> = {}): Service {
  const child = spawn(process.execPath, [MAIN, "watch", "--json", ...args], { env: { ...process.env, ...env } });
  ends.push(() => child.kill("SIGKILL"));
  const events: Service["events"] = [];
  let rest = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    const lines = (rest + text).split("\n");
    rest = lines.pop() ?? "";
    events.push(...lines.map((line) => JSON.parse(line)));
  });
  let complaints = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    complaints += text;
  });
  const ended = new Promise<number | null>((done) => child.on("close", done));
  return { child, events, complaints: () => complaints, ended };
}

/** A receiver of webhooks that keeps every message it received. */
async function receiver() {
  const told: { readonly status: string; readonly alerts: readonly { readonly labels: Record<string, string> }[] }[] =
    [];
  const server = createServer((request, response) => {
    let body = "";
    request.on("data", (text) => {
      body += text;
    });
    request.on("end", () => {
      told.push(JSON.parse(body));
      response.end();
    });
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  ends.push(() => server.close());
  return { told, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/` };
}

/** The sum of a metric's samples whose labels include these. */
function sumOf(metrics: string, name: string, labels: Readonly<Record<string, string>> = {}): number {
  let sum = 0;
  for (const line of metrics.split("\n")) {
    if (!line.startsWith(`${name}{`) && !line.startsWith(`${name} `)) continue;
    if (Object.entries(labels).every(([key, value]) => line.includes(`${key}="${value}"`))) {
      sum += Number(line.slice(line.lastIndexOf(" ")));
    }
  }
  return sum;
}

const noPrometheus = missing("prometheus", "prometheus");

test(`${MANY} captures at once, hostile and endless ones among them; Prometheus; alerts once over a kill`, async (t) => {
  const spool = join(folder, "spool");
  const archive = join(folder, "archive");
  const state = `${archive}.watch`;
  const budget = join(folder, "budget.yaml");
  mkdirSync(spool);
  mkdirSync(state);
  writeFileSync(budget, "version: 1\ndecide-by: sample\nlimits: [blackout p50 <= 6s]\n");
  // Prometheus reads the token from its file, which the service would make: here it is there before either starts.
  const tokenFile = join(state, "token");
  const token = "a".repeat(32);
  writeFileSync(tokenFile, token);
  const port = await freePort();
  const webhook = await receiver();
  const args = [
    ...[spool, "--archive", archive, "--budget", budget, "--window", "3660d", "--listen", `127.0.0.1:${port}`],
    ...["--settle", "2s", "--patience", "5s", "--rescan", "1s", "--jobs", "2", "--memory", "1GiB"],
    ...["--webhook", "env:HOOK", "--webhook-body", "alertmanager"],
  ];
  const get = async (path: string, headers: Record<string, string> = {}): Promise<Response> =>
    await fetch(`http://127.0.0.1:${port}/${path}`, { headers });
  const metricsNow = async (): Promise<string> =>
    await (await get("metrics", { authorization: `Bearer ${token}` })).text();

  // Five with a slow network card for each four without: the median is above the limit.
  const slow = captureCopies(join(projectRoot, "traces/cohorts/devices"), Math.ceil(0.55 * MANY));
  const fast = captureCopies(join(projectRoot, "traces/cohorts/base"), MANY - slow.length);
  const aside = join(folder, "aside");
  mkdirSync(aside);
  [...slow, ...fast].forEach((bytes, i) => {
    writeFileSync(join(aside, `host-${i}.tar`), bytes);
  });
  writeFileSync(join(aside, "hostile-1.tar.gz"), "no tar at all");
  writeFileSync(join(aside, "hostile-2.tar.zst"), zstdZeros(60_000));
  writeFileSync(join(aside, "hostile-3.tar"), tarArchive([{ name: "../../etc/passwd", data: "x" }]));
  execFileSync("mkfifo", [join(aside, "endless.tar")]);

  const began = Date.now();
  let service = startService(args, { HOOK: webhook.url });
  await until("listening", 20, () => (service.events.some(({ event }) => event === "listening") ? true : null));
  const scraper = noPrometheus === false ? await scrapes(port, tokenFile, budget) : null;

  for (const name of readdirSync(aside)) renameSync(join(aside, name), join(spool, name));
  const growing = join(spool, "growing.tar");
  const grows = setInterval(() => appendFileSync(growing, "x".repeat(10_000)), 200);
  ends.push(() => clearInterval(grows));

  const isDone = (): true | null => {
    const count = (kind: string): number => service.events.filter(({ event }) => event === kind).length;
    return count("taken") === MANY && count("refused") === 4 && count("late") === 1 ? true : null;
  };
  await until(`all taken in; ${service.complaints()}`, 200, isDone);
  t.diagnostic(`${MANY} captures in ${((Date.now() - began) / 1e3).toFixed(1)} s`);
  const refused = service.events.filter(({ event }) => event === "refused").map(({ path }) => path?.split("/").at(-1));
  assert.deepEqual(refused.sort(), ["endless.tar", "hostile-1.tar.gz", "hostile-2.tar.zst", "hostile-3.tar"]);
  assert.ok(service.events.find(({ event }) => event === "late")?.path?.endsWith("growing.tar"));

  const metrics = await metricsNow();
  assert.equal(sumOf(metrics, "blackout_updates_total", { outcome: "completed" }), MANY);
  assert.equal(sumOf(metrics, "blackout_duration_seconds_count"), MANY);
  assert.equal(sumOf(metrics, "blackout_captures_total", { result: "taken" }), MANY);
  assert.equal(sumOf(metrics, "blackout_captures_total", { result: "refused" }), 4);
  assert.equal(sumOf(metrics, "blackout_captures_total", { result: "duplicate" }), 0);
  assert.equal(sumOf(metrics, "blackout_analysis_duration_seconds_count"), MANY + 3, "each was analysed once");
  assert.equal(sumOf(metrics, "blackout_captures_waiting", { state: "changing" }), 1);
  assert.equal(sumOf(metrics, "blackout_workers_killed_total"), 0);
  assert.equal(sumOf(metrics, "blackout_check_status", { status: "failed" }), 1);
  const memory = sumOf(metrics, "process_resident_memory_bytes");
  t.diagnostic(`${Math.round(memory / 2 ** 20)} MiB resident`);
  assert.ok(memory < 600 * 2 ** 20, `${memory} bytes resident`);
  if (missing("promtool", "prometheus") === false) {
    assert.equal(run("promtool", ["check", "metrics"], metrics).out, "");
  }

  // Who may ask what.
  assert.equal((await get("metrics")).status, 404);
  assert.equal((await get("metrics", { authorization: "Bearer wrong" })).status, 404);
  assert.equal((await get(`${token}/metrics`)).status, 200);
  assert.equal((await get(`${token}/metrics`, { origin: "http://evil.example" })).status, 403);
  assert.equal(await (await get("healthz")).text(), "ok\n");
  assert.match(
    (await get(`${token}/metrics`, { accept: "application/openmetrics-text" })).headers.get("content-type") ?? "",
    /openmetrics-text; version=1\.0\.0/,
  );
  const native = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited";
  assert.equal((await get(`${token}/metrics/native`)).status, 406);
  assert.equal((await get(`${token}/metrics/native`, { accept: native })).status, 200);
  const page = await (await get(`${token}/`)).text();
  assert.equal([...page.matchAll(/id="blackout-update-\d+"/g)].length, 25);
  const updates = await (await get(`${token}/updates.json`)).json();
  assert.equal((updates as readonly unknown[]).length, MANY);

  await until("the alert is sent", 20, () => (webhook.told.length > 0 ? true : null));
  if (scraper !== null) {
    const firing = await until("Prometheus evaluates the alert to firing", 30, () => scraper("BlackoutBudgetExceeded"));
    t.diagnostic(`Prometheus: ${JSON.stringify(firing)}`);
    assert.equal(firing.check, "blackout p50 <= 6s");
  }

  // Killed, and started again: nothing is lost, nothing is taken in or sent twice.
  service.child.kill("SIGKILL");
  await service.ended;
  service = startService(args, { HOOK: webhook.url });
  await until("listening again", 20, () => (service.events.some(({ event }) => event === "listening") ? true : null));
  await pause(2_500);
  assert.equal(sumOf(await metricsNow(), "blackout_updates_total", { outcome: "completed" }), MANY);
  assert.deepEqual(
    service.events.map(({ event }) => event).filter((event) => !["started", "listening", "late"].includes(event)),
    [],
  );
  assert.deepEqual(
    webhook.told.map(({ status }) => status),
    ["firing"],
  );

  // Faster updates, until the median keeps its limit again.
  captureCopies(join(projectRoot, "traces/cohorts/base"), 30, 100).forEach((bytes, i) => {
    writeFileSync(join(spool, `.later-${i}.tar`), bytes);
    renameSync(join(spool, `.later-${i}.tar`), join(spool, `later-${i}.tar`));
  });
  await until("the alert is resolved", 60, () => (webhook.told.length > 1 ? true : null));
  await until("the rest is taken in", 30, () =>
    service.events.filter(({ event }) => event === "taken").length === 30 ? true : null,
  );
  service.child.kill("SIGTERM");
  assert.equal(await service.ended, 0, service.complaints());
  assert.deepEqual(
    webhook.told.map(({ status }) => status),
    ["firing", "resolved"],
  );
  const [raised, resolved] = webhook.told.map(({ alerts }) => alerts[0]?.labels);
  assert.deepEqual(raised, resolved);
  const verified = run(process.execPath, [MAIN, "archive", "verify", archive]);
  assert.equal(verified.code, 0, verified.out);
  assert.match(verified.out, new RegExp(`sound: ${MANY + 30} updates`));
});

/** A Prometheus that scrapes the service, asked for the labels of an alert that fires. */
async function scrapes(target: number, tokenFile: string, budget: string) {
  const rules = join(folder, "rules.yml");
  const made = run(process.execPath, [MAIN, "rules", "-b", budget, "--window", "3660d", "-o", rules]);
  assert.equal(made.code, 0, made.out);
  const scrape = {
    authorization: { credentials_file: tokenFile },
    static_configs: [{ targets: [`127.0.0.1:${target}`] }],
  };
  const server = await startPrometheus(join(folder, "prometheus"), scrape, [rules]);
  ends.push(server.stop);
  return async (alertname: string): Promise<Record<string, string> | null> => {
    const data = (await server.api("alerts")) as {
      readonly alerts: readonly { readonly labels: Record<string, string>; readonly state: string }[];
    } | null;
    const found = data?.alerts.find(({ labels, state }) => labels.alertname === alertname && state === "firing");
    return found?.labels ?? null;
  };
}

test("what is wrong with the command line, the folder or another service is reported, and nothing is made", async () => {
  const empty = join(folder, "empty");
  mkdirSync(empty);
  const args = (...more: string[]) => ["watch", empty, "-a", join(folder, "none"), "--once", "--no-listen", ...more];
  const told = (argv: readonly string[]) => run(process.execPath, [MAIN, ...argv]);
  for (const [argv, code, says] of [
    [["watch", join(folder, "gone"), "-a", "x"], 3, /is not a folder/],
    [args("--listen", "localhost:1"), 2, /expected ADDRESS:PORT/],
    [args("--webhook", "http://x.example/"), 2, /no --budget/],
    [args("--budget", join(folder, "gone.yaml")), 2, /cannot be read/],
    [["watch", folder, "-a", join(folder, "inside"), "--once"], 2, /may not lie in the folder/],
  ] as const) {
    const { code: found, out } = told(argv);
    assert.equal(found, code, out);
    assert.match(out, says);
  }
  assert.deepEqual(told(args()).code, 0);
});
