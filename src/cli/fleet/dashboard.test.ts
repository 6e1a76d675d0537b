/** The Grafana dashboard, the scrape configuration and the systemd unit that are shipped, held to what they name. */
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";
import { parse } from "yaml";
import { ALL_METRICS, sampleNames } from "../../export/prometheus/fleet-metrics.js";
import { ruleGroups } from "../../export/prometheus/prometheus-rules.js";
import { missing, run } from "../../testing/oracles/debian-programs.js";
import { projectRoot } from "../../testing/places.js";
import { readBudget } from "../input/budget-file.js";
import { DEFAULT_WINDOW_SECONDS } from "./rules.js";
import { watchCommand } from "./watch.js";

const example = (name: string): string => readFileSync(join(projectRoot, "examples", name), "utf8");

interface Dashboard {
  readonly panels: readonly {
    readonly id: number;
    readonly title: string;
    readonly gridPos: Readonly<Record<"x" | "y" | "w" | "h", number>>;
    readonly targets?: readonly { readonly expr: string; readonly legendFormat: string }[];
  }[];
  readonly templating: { readonly list: readonly { readonly name: string; readonly definition?: string }[] };
  readonly annotations: { readonly list: readonly { readonly expr: string }[] };
}

const dashboard: Dashboard = JSON.parse(example("grafana/blackout.json"));
const queries = [
  ...dashboard.panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr)),
  ...dashboard.annotations.list.map(({ expr }) => expr),
];

const budget = readBudget(join(projectRoot, "examples/budget.yaml"));
assert.ok(budget.ok);
const groups = ruleGroups({
  budget: budget.value,
  budgetFile: "budget.yaml",
  windowSeconds: DEFAULT_WINDOW_SECONDS,
  watched: true,
});
const recorded = new Set(groups.flatMap(({ rules }) => rules.flatMap((rule) => ("record" in rule ? rule.record : []))));
const served = new Map(ALL_METRICS.flatMap((each) => sampleNames(each).map((name) => [name, each] as const)));

test("every metric that the dashboard names is served, or recorded by the rules of the shipped budget", () => {
  const named = queries.flatMap((query) => query.match(/\b(?:cohort:[\w:]+|blackout_\w+|ALERTS)\b/g) ?? []);
  assert.ok(named.length >= queries.length);
  const unknown = named.filter((name) => !served.has(name) && !recorded.has(name) && name !== "ALERTS");
  assert.deepEqual(unknown, []);
  for (const used of ["quantile7d", "increase7d", "ratio7d"]) assert.ok(queries.some((query) => query.includes(used)));
});

test("every label that it selects, groups or writes by is one of the metric's", () => {
  const all = new Set([...ALL_METRICS.flatMap(({ labels }) => labels), "le", "quantile", "check", "alertname"]);
  for (const query of queries) {
    for (const [, label = ""] of query.matchAll(/(\w+)(?:=~|!=|!~|=)"/g)) {
      assert.ok(all.has(label) || label === "alertstate", `${label} in ${query}`);
    }
  }
  for (const { targets = [] } of dashboard.panels) {
    for (const { legendFormat } of targets) {
      for (const [, label = ""] of legendFormat.matchAll(/\{\{(\w+)\}\}/g)) assert.ok(all.has(label), label);
    }
  }
  const variables = new Set(dashboard.templating.list.map(({ name }) => name));
  for (const query of queries)
    for (const [, name = ""] of query.matchAll(/\$(\w+)/g)) assert.ok(variables.has(name), name);
});

test("its panels have ids of their own and do not overlap", () => {
  const taken = new Set<string>();
  assert.equal(new Set(dashboard.panels.map(({ id }) => id)).size, dashboard.panels.length);
  for (const { title, gridPos } of dashboard.panels) {
    for (let x = gridPos.x; x < gridPos.x + gridPos.w; x += 1) {
      assert.ok(x < 24, title);
      for (let y = gridPos.y; y < gridPos.y + gridPos.h; y += 1) {
        assert.ok(!taken.has(`${x} ${y}`), title);
        taken.add(`${x} ${y}`);
      }
    }
  }
});

test("PromQL's own parser takes its queries", { skip: missing("promtool", "prometheus") }, () => {
  const rules = queries.map((expr, i) => ({ record: `query_${i}`, expr: expr.replaceAll(/\$\w+/g, "any") }));
  const folder = mkdtempSync(join(tmpdir(), "blackout-dashboard-"));
  try {
    const path = join(folder, "rules.yml");
    writeFileSync(path, JSON.stringify({ groups: [{ name: "dashboard", rules }] }));
    const { code, out } = run("promtool", ["check", "rules", path]);
    assert.equal(code, 0, out);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("the scrape configuration is Prometheus' own, and scrapes the port that is served by default", () => {
  const { scrape_configs } = parse(example("prometheus.yml"));
  assert.deepEqual(scrape_configs[0].static_configs[0].targets, [watchCommand.options.listen?.defaultText]);
});

test("the unit gives options that there are", () => {
  const unit = readFileSync(join(projectRoot, "packaging/systemd/blackout-watch.service"), "utf8");
  const given = [...unit.slice(unit.indexOf("ExecStart"), unit.indexOf("StateDirectory")).matchAll(/--([a-z-]+)/g)];
  assert.ok(given.length > 5);
  for (const [, name = ""] of given) assert.ok(name in watchCommand.options, name);
});
