/** Debian's Prometheus for a test: it scrapes and evaluates every second. */
import { spawn } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { join } from "node:path";

export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const { port } = server.address() as AddressInfo;
  await new Promise((done) => server.close(done));
  return port;
}

export interface PrometheusServer {
  /** The `data` of its HTTP API's answer below /api/v1/; null while it does not answer. Throws if it ended. */
  api(path: string): Promise<unknown>;
  stop(): void;
}

export async function startPrometheus(
  folder: string,
  scrape: object,
  rules: readonly string[] = [],
  flags: readonly string[] = [],
): Promise<PrometheusServer> {
  mkdirSync(folder, { recursive: true });
  const config = {
    global: { scrape_interval: "1s", scrape_timeout: "1s", evaluation_interval: "1s" },
    rule_files: rules,
    scrape_configs: [{ job_name: "blackout", ...scrape }],
  };
  const file = join(folder, "prometheus.yml");
  writeFileSync(file, JSON.stringify(config));
  const port = await freePort();
  const child = spawn(
    "prometheus",
    [
      `--config.file=${file}`,
      `--storage.tsdb.path=${join(folder, "data")}`,
      `--web.listen-address=127.0.0.1:${port}`,
      "--log.level=warn",
      ...flags,
    ],
    { stdio: ["ignore", "ignore", "pipe"] },
  );
  let complaints = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    complaints += text;
  });
  return {
    api: async (path) => {
      const answer = await fetch(`http://127.0.0.1:${port}/api/v1/${path}`).catch(() => null);
      if (answer !== null) return ((await answer.json()) as { readonly data: unknown }).data;
      if (child.exitCode !== null) throw new Error(`prometheus ended: ${complaints}`);
      return null;
    },
    stop: () => void child.kill("SIGKILL"),
  };
}

/** Repeats the request until there is an answer, up to a limit. */
export async function until<T>(what: string, seconds: number, look: () => Promise<T | null> | T | null): Promise<T> {
  const end = Date.now() + seconds * 1e3;
  for (;;) {
    const found = await look();
    if (found !== null) return found;
    if (Date.now() > end) throw new Error(`${what}: not within ${seconds} s`);
    await new Promise((done) => setTimeout(done, 100));
  }
}
