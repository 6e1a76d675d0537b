/** Reads a budget file: YAML, checked key by key, each problem with its line (docs/budget.md, budget.schema.json). */
import { isMap, isScalar, isSeq, LineCounter, type Node, parseDocument } from "yaml";
import { parseMetric } from "../../analyze/cohort/metrics.js";
import {
  type Allowance,
  type Budget,
  type CountLimit,
  HEALTH_NAMES,
  type Limit,
  type RegressionRule,
  type RegressionScope,
  type Statistic,
} from "../../analyze/compare/budget.js";
import { DEFAULT_FLOORS } from "../../analyze/compare/levels.js";
import { err, ok, type Result } from "../../base/result.js";
import { didYouMean } from "../../base/text/suggest.js";
import { OUTCOMES } from "../../model/live-update.js";
import { readBoundedText } from "../files/bounded-text.js";
import { parseDuration } from "../frame/options-duration.js";

/** Budgets are written by hand; a larger file is not one. */
const BUDGET_BYTES = 1 << 20;
const MAX_LIMITS = 1_000;

/** `FILE:LINE: what was found, what was expected`. */
export type BudgetProblem = string;

/** Thrown inside this file only: the first problem ends the reading. */
class Refused extends Error {}

/** Reads and parses a budget; the error is a sentence that begins with the file. */
export function readBudget(path: string): Result<Budget, BudgetProblem> {
  const text = readBoundedText(path, BUDGET_BYTES);
  return text.ok ? parseBudget(text.value, path) : err(`${path}: the budget ${text.error}`);
}

export function parseBudget(text: string, file: string): Result<Budget, BudgetProblem> {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, uniqueKeys: true });
  const [broken] = document.errors;
  if (broken !== undefined) {
    return err(`${file}:${lines.linePos(broken.pos[0]).line}: ${broken.message} (it must be YAML)`);
  }
  const reader = new Reader(file, lines);
  try {
    return ok(reader.budget(document.contents));
  } catch (thrown) {
    if (thrown instanceof Refused) return err(thrown.message);
    throw thrown;
  }
}

type Entries = ReadonlyMap<string, { readonly value: unknown; readonly line: number }>;

class Reader {
  readonly #file: string;
  readonly #lines: LineCounter;

  constructor(file: string, lines: LineCounter) {
    this.#file = file;
    this.#lines = lines;
  }

  refuse(line: number, message: string): never {
    throw new Refused(`${this.#file}:${line}: ${message}`);
  }

  line(node: unknown): number {
    const range = (node as Partial<Node> | null)?.range;
    return range === null || range === undefined ? 1 : this.#lines.linePos(range[0]).line;
  }

  /** The entries of a mapping whose keys are all known. */
  map(node: unknown, where: string, known: readonly string[], line: number): Entries {
    if (!isMap(node)) return this.refuse(line, `${where}: found ${shown(node)}, expected a mapping`);
    const entries = new Map<string, { value: unknown; line: number }>();
    for (const { key, value } of node.items) {
      const name = isScalar(key) ? String(key.value) : shown(key);
      const at = this.line(key);
      if (!known.includes(name)) {
        const hint = didYouMean(name, known);
        this.refuse(at, `${where}: unknown key ${name}${hint === "" ? `, expected ${known.join(", ")}` : hint}`);
      }
      entries.set(name, { value, line: at });
    }
    return entries;
  }

  list(node: unknown, where: string, line: number): readonly unknown[] {
    if (!isSeq(node)) return this.refuse(line, `${where}: found ${shown(node)}, expected a list`);
    if (node.items.length > MAX_LIMITS) this.refuse(line, `${where}: more than ${MAX_LIMITS} entries`);
    return node.items;
  }

  word<W extends string>(node: unknown, where: string, known: readonly W[], line: number): W {
    const text = isScalar(node) ? String(node.value) : shown(node);
    const found = known.find((word) => word === text);
    if (found !== undefined) return found;
    const hint = didYouMean(text, known);
    return this.refuse(line, `${where}: found ${text}, expected ${known.join(", ")}${hint}`);
  }

  text(node: unknown, where: string, line: number): string {
    if (isScalar(node) && typeof node.value === "string" && node.value !== "") return node.value;
    return this.refuse(line, `${where}: found ${shown(node)}, expected a text`);
  }

  count(node: unknown, where: string, line: number): number {
    const value = isScalar(node) ? node.value : null;
    if (typeof value === "number" && Number.isSafeInteger(value) && value >= 0) return value;
    return this.refuse(line, `${where}: found ${shown(node)}, expected a whole number from 0 on`);
  }

  /** `5`, `5 %`, `2.5%`: as a share of 1. */
  percent(node: unknown, where: string, line: number): number {
    const text = isScalar(node) ? String(node.value) : "";
    const match = /^(\d{1,3}(?:\.\d{1,6})?)\s?%?$/.exec(text);
    const value = match === null ? Number.NaN : Number(match[1]);
    if (value >= 0 && value <= 100) return value / 100;
    return this.refuse(line, `${where}: found ${shown(node)}, expected a percentage from 0 to 100, like 5%`);
  }

  duration(node: unknown, where: string, line: number): number {
    const found = isScalar(node) && typeof node.value === "string" ? parseDuration(node.value) : null;
    if (found !== null) return found;
    return this.refuse(
      line,
      `${where}: found ${shown(node)}, expected a duration with its unit, like 250us, 2.5ms, 1s or 2min`,
    );
  }

  budget(contents: unknown): Budget {
    const keys = ["version", "decide-by", "limits", "regression", "outcomes", "updates", "health"];
    const top = this.map(contents, "budget", keys, this.line(contents));
    const version = top.get("version");
    if (version === undefined) this.refuse(1, "budget: no version, expected version: 1");
    if (!isScalar(version.value) || version.value.value !== 1) {
      this.refuse(version.line, `version: found ${shown(version.value)}, expected 1`);
    }
    const decideBy = top.get("decide-by");
    const limits = top.get("limits");
    const regression = top.get("regression");
    const outcomes = top.get("outcomes");
    const updates = top.get("updates");
    const health = top.get("health");
    const written =
      limits === undefined ? [] : this.list(limits.value, "limits", limits.line).map((each) => this.limit(each));
    const budget: Budget = {
      decideBy:
        decideBy === undefined ? "bounds" : this.word(decideBy.value, "decide-by", ["bounds", "sample"], decideBy.line),
      limits: written.filter((limit) => "metric" in limit),
      counts: written.filter((limit) => "of" in limit),
      allowed: health === undefined ? [] : this.allowances(health.value, health.line),
      regression: regression === undefined ? null : this.regression(regression.value, regression.line),
      failedAtMost: outcomes === undefined ? null : this.outcomes(outcomes.value, outcomes.line),
      updatesAtLeast: updates === undefined ? null : this.updates(updates.value, updates.line),
    };
    const { failedAtMost, updatesAtLeast } = budget;
    const limited = written.length > 0 || budget.regression !== null;
    if (!limited && failedAtMost === null && updatesAtLeast === null) {
      this.refuse(1, "budget: it limits nothing, expected limits, regression, outcomes or updates");
    }
    this.#refuseTwice(written);
    return budget;
  }

  #refuseTwice(limits: readonly (Limit | CountLimit)[]): void {
    const lines = new Map<string, number>();
    for (const { text, line } of limits) {
      const first = lines.get(text);
      if (first !== undefined) this.refuse(line, `limits: ${text} is on line ${first} already`);
      lines.set(text, line);
    }
  }

  limit(node: unknown): Limit | CountLimit {
    const line = this.line(node);
    if (isScalar(node)) return this.limitText(this.text(node, "limits", line), "", line);
    const entries = this.map(node, "limits", ["limit", "why"], line);
    const limit = entries.get("limit");
    if (limit === undefined) return this.refuse(line, "limits: no limit, expected limit: METRIC STATISTIC <= DURATION");
    const why = entries.get("why");
    return this.limitText(
      this.text(limit.value, "limit", limit.line),
      why === undefined ? "" : this.text(why.value, "why", why.line),
      limit.line,
    );
  }

  /** `health: {allow: [REGEX, …]}`. */
  allowances(node: unknown, line: number): readonly Allowance[] {
    const allow = this.map(node, "health", ["allow"], line).get("allow");
    if (allow === undefined) return this.refuse(line, "health: expected allow: a list of regular expressions");
    return this.list(allow.value, "health.allow", allow.line).map((each): Allowance => {
      const own = this.line(each);
      const source = this.text(each, "health.allow", own);
      if (source.length > 1_000) return this.refuse(own, "health.allow: a pattern is longer than 1000 characters");
      try {
        return { pattern: new RegExp(source), line: own };
      } catch (error) {
        return this.refuse(
          own,
          `health.allow: ${shown(source)} is not a regular expression: ${(error as Error).message}`,
        );
      }
    });
  }

  /** `health CLASS <= COUNT`, `outcomes OUTCOME <= COUNT`; null: a limit on a duration. */
  countLimit(text: string, why: string, line: number): CountLimit | null {
    const match = /^(health|outcomes)\s+(\S+)\s*<=\s*(\S+)$/.exec(text);
    if (match === null) return null;
    const [, kind = "", name = "", number = ""] = match;
    const names: readonly string[] = kind === "health" ? HEALTH_NAMES : OUTCOMES;
    if (!names.includes(name)) {
      return this.refuse(line, `limits: found ${kind} ${name}, expected ${names.join(", ")}${didYouMean(name, names)}`);
    }
    if (!/^\d{1,9}$/.test(number)) {
      return this.refuse(line, `limits: found ${shown(number)} after <=, expected a whole number from 0 on`);
    }
    const of = { kind, name } as CountLimit["of"];
    return { of, atMost: Number(number), text: `${kind} ${name} <= ${number}`, why, line };
  }

  limitText(text: string, why: string, line: number): Limit | CountLimit {
    const count = this.countLimit(text.trim(), why, line);
    if (count !== null) return count;
    const match = /^(\S.*?)\s+(\S+)\s*<=\s*(\S.*?)\s*$/.exec(text);
    if (match === null || text.length > 1_000) {
      return this.refuse(
        line,
        `limits: found ${shown(text)}, expected METRIC STATISTIC <= DURATION, like blackout p95 <= 5s`,
      );
    }
    const [, name = "", word = "", duration = ""] = match;
    const metric = parseMetric(name);
    if (!metric.ok) return this.refuse(line, `limits: ${metric.error}`);
    const statistic = statisticOf(word);
    if (statistic === null) {
      return this.refuse(
        line,
        `limits: found ${word}, expected a percentile (p50, p99.9) or max${didYouMean(word, ["p50", "p90", "p95", "p99", "max"])}`,
      );
    }
    const atMostNs = parseDuration(duration);
    if (atMostNs === null) {
      return this.refuse(
        line,
        `limits: found ${duration}, expected a duration with its unit, like 250us, 2.5ms, 1s or 2min`,
      );
    }
    return { metric: metric.value, statistic, atMostNs, text: `${name} ${word} <= ${duration}`, why, line };
  }

  regression(node: unknown, line: number): RegressionRule {
    const entries = this.map(node, "regression", ["floor", "floor-percent", "fail-on", "detect-percent"], line);
    const floor = entries.get("floor");
    const share = entries.get("floor-percent");
    const failOn = entries.get("fail-on");
    const detect = entries.get("detect-percent");
    const scopes = ["blackout", "phases", "causes"] as const;
    const listed =
      failOn === undefined
        ? (["blackout"] as const)
        : this.list(failOn.value, "fail-on", failOn.line).map(
            (each): RegressionScope => this.word(each, "fail-on", scopes, this.line(each)),
          );
    if (listed.length === 0) this.refuse(failOn?.line ?? line, `fail-on: found nothing, expected ${scopes.join(", ")}`);
    return {
      floors: {
        absoluteNs: floor === undefined ? DEFAULT_FLOORS.absoluteNs : this.duration(floor.value, "floor", floor.line),
        relative:
          share === undefined ? DEFAULT_FLOORS.relative : this.percent(share.value, "floor-percent", share.line),
      },
      failOn: scopes.filter((scope) => (listed as readonly RegressionScope[]).includes(scope)),
      detectShare: detect === undefined ? null : this.percent(detect.value, "detect-percent", detect.line),
      line,
    };
  }

  outcomes(node: unknown, line: number): Budget["failedAtMost"] {
    const entry = this.map(node, "outcomes", ["failed"], line).get("failed");
    if (entry === undefined) return this.refuse(line, "outcomes: expected failed: COUNT");
    return { count: this.count(entry.value, "outcomes.failed", entry.line), line: entry.line };
  }

  updates(node: unknown, line: number): Budget["updatesAtLeast"] {
    const entry = this.map(node, "updates", ["at-least"], line).get("at-least");
    if (entry === undefined) return this.refuse(line, "updates: expected at-least: COUNT");
    return { count: this.count(entry.value, "updates.at-least", entry.line), line: entry.line };
  }
}

function statisticOf(word: string): Statistic | null {
  if (word === "max") return { kind: "max" };
  const match = /^p(\d{1,2}(?:\.\d{1,4})?)$/.exec(word);
  const percentile = Number(match?.[1]);
  return match !== null && percentile > 0 && percentile < 100 ? { kind: "percentile", percentile } : null;
}

function shown(value: unknown): string {
  const plain = isScalar(value) ? value.value : value;
  if (plain === null || plain === undefined) return "nothing";
  if (isMap(plain)) return "a mapping";
  if (isSeq(plain)) return "a list";
  const text = String(plain);
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}
