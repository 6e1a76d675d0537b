/**
 * The text formats of metrics: OpenMetrics 1.0 (the OpenMetrics specification, "Text format") and the Prometheus text
 * format 0.0.4 (prometheus.io, "Exposition formats"). Both write a bucket's bound as a canonical float (`5.0`), so that
 * a rule's `le` matches whichever was scraped.
 */
import { exposedValue, type HistogramPoint, type Labels, type MetricFamily } from "./metric-family.js";

export const TEXT_TYPE = "text/plain; version=0.0.4; charset=utf-8";
export const OPEN_METRICS_TYPE = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/** OpenMetrics 1.0, with its `# EOF`. */
export function openMetricsText(families: readonly MetricFamily[]): string {
  return `${families.map((family) => familyText(family, "openmetrics")).join("")}# EOF\n`;
}

/** The Prometheus text format 0.0.4, which node_exporter's textfile collector takes too. */
export function prometheusText(families: readonly MetricFamily[]): string {
  return families.map((family) => familyText(family, "prometheus")).join("");
}

function familyText(family: MetricFamily, format: "openmetrics" | "prometheus"): string {
  if (family.points.length === 0) return "";
  // A counter's family is named without _total in OpenMetrics, and with it in the older format.
  const sampleName = family.type === "counter" ? `${family.name}_total` : family.name;
  const familyName = format === "openmetrics" ? family.name : sampleName;
  const unit = format === "openmetrics" && family.name.endsWith("_seconds") ? `# UNIT ${familyName} seconds\n` : "";
  const help = format === "openmetrics" ? escapeLabel(family.help) : escapeHelp(family.help);
  const head = `# HELP ${familyName} ${help}\n# TYPE ${familyName} ${family.type}\n${unit}`;
  const lines =
    family.type === "histogram"
      ? family.points.map((point) => histogramLines(family.name, point))
      : family.points.map(({ labels, value }) => sampleLine(sampleName, labels, value));
  return head + lines.join("");
}

function histogramLines(name: string, { labels, bounds, counts, sum, count }: HistogramPoint): string {
  let below = 0;
  const buckets = [...bounds, Number.POSITIVE_INFINITY].map((bound, i) => {
    below += counts[i] ?? 0;
    return sampleLine(`${name}_bucket`, { ...labels, le: boundText(bound) }, below);
  });
  return [...buckets, sampleLine(`${name}_sum`, labels, sum), sampleLine(`${name}_count`, labels, count)].join("");
}

function sampleLine(name: string, labels: Labels, value: number): string {
  const pairs = Object.entries(labels).map(([key, text]) => `${key}="${escapeLabel(exposedValue(text))}"`);
  return `${name}${pairs.length === 0 ? "" : `{${pairs.join(",")}}`} ${floatText(value)}\n`;
}

const escapeHelp = (text: string): string => text.replaceAll("\\", "\\\\").replaceAll("\n", "\\n");
const escapeLabel = (text: string): string => escapeHelp(text).replaceAll('"', '\\"');

/** A sample's value: the shortest decimal digits that read back as the same. */
function floatText(value: number): string {
  return Number.isFinite(value) ? String(value) : Number.isNaN(value) ? "NaN" : value > 0 ? "+Inf" : "-Inf";
}

/**
 * A bucket's bound as Prometheus itself writes it (formatOpenMetricsFloat in model/textparse): as Go's %g prints it,
 * and whole numbers with `.0`.
 */
export function boundText(bound: number): string {
  if (!Number.isFinite(bound)) return floatText(bound);
  const [digits = "", exponent = "0"] = bound.toExponential().split("e");
  const power = Number(exponent);
  if (bound !== 0 && (power < -4 || power >= 6)) {
    return `${digits}e${power < 0 ? "-" : "+"}${String(Math.abs(power)).padStart(2, "0")}`;
  }
  const text = String(bound);
  return text.includes(".") ? text : `${text}.0`;
}
