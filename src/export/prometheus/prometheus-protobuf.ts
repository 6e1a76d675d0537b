/**
 * Prometheus's protobuf exposition: delimited io.prometheus.client.MetricFamily messages (prometheus/client_model,
 * metrics.proto). It is the only format with native histograms; Prometheus requests it if started with
 * --enable-feature=native-histograms (2.40 and later).
 */
import protobuf from "protobufjs/minimal.js";
import { exposedValue, type HistogramPoint, type Labels, type MetricFamily } from "./metric-family.js";

export const PROTOBUF_TYPE =
  "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited";

/** Wire types of protobuf's encoding. */
const VARINT = 0;
const DOUBLE = 1;
const BYTES = 2;
/** MetricType, and the field of Metric for a value of the type. */
const TYPES = {
  counter: { type: 0, field: 3 },
  gauge: { type: 1, field: 2 },
  histogram: { type: 4, field: 7 },
} as const;

type Writer = protobuf.Writer;
const tag = (field: number, wire: number): number => (field << 3) | wire;

export function protobufMetrics(families: readonly MetricFamily[]): Uint8Array {
  const writer = protobuf.Writer.create();
  for (const family of families) if (family.points.length > 0) writeFamily(writer, family);
  return writer.finish();
}

function writeFamily(writer: Writer, family: MetricFamily): void {
  const { type, field } = TYPES[family.type];
  // Each is preceded by its length.
  writer.fork();
  writer.uint32(tag(1, BYTES)).string(family.type === "counter" ? `${family.name}_total` : family.name);
  writer.uint32(tag(2, BYTES)).string(family.help);
  writer.uint32(tag(3, VARINT)).uint32(type);
  if (family.type === "histogram") {
    for (const point of family.points) writeMetric(writer, point.labels, field, () => writeHistogram(writer, point));
  } else {
    for (const { labels, value } of family.points) {
      writeMetric(writer, labels, field, () => void writer.uint32(tag(1, DOUBLE)).double(value));
    }
  }
  writer.ldelim();
}

function writeMetric(writer: Writer, labels: Labels, field: number, write: () => void): void {
  writer.uint32(tag(4, BYTES)).fork();
  for (const [name, value] of Object.entries(labels)) {
    writer.uint32(tag(1, BYTES)).fork();
    writer.uint32(tag(1, BYTES)).string(name);
    writer.uint32(tag(2, BYTES)).string(exposedValue(value));
    writer.ldelim();
  }
  writer.uint32(tag(field, BYTES)).fork();
  write();
  writer.ldelim().ldelim();
}

function writeHistogram(writer: Writer, { bounds, counts, sum, count, native }: HistogramPoint): void {
  writer.uint32(tag(1, VARINT)).uint64(count);
  writer.uint32(tag(2, DOUBLE)).double(sum);
  let below = 0;
  for (const [i, bound] of [...bounds, Number.POSITIVE_INFINITY].entries()) {
    below += counts[i] ?? 0;
    writer.uint32(tag(3, BYTES)).fork();
    writer.uint32(tag(1, VARINT)).uint64(below);
    writer.uint32(tag(2, DOUBLE)).double(bound);
    writer.ldelim();
  }
  if (native === null) return;
  writer.uint32(tag(5, VARINT)).sint32(native.schema);
  writer.uint32(tag(6, DOUBLE)).double(0);
  writer.uint32(tag(7, VARINT)).uint64(native.zeros);
  const buckets = [...native.buckets].sort(([a], [b]) => a - b);
  for (const { offset, length } of spansOf(buckets.map(([index]) => index))) {
    writer.uint32(tag(12, BYTES)).fork();
    writer.uint32(tag(1, VARINT)).sint32(offset);
    writer.uint32(tag(2, VARINT)).uint32(length);
    writer.ldelim();
  }
  let before = 0;
  for (const [, inBucket] of buckets) {
    writer.uint32(tag(13, VARINT)).sint64(inBucket - before);
    before = inBucket;
  }
}

/** Runs of consecutive buckets: the first one's offset is its first index, any other's the gap to the run before. */
export function spansOf(indices: readonly number[]): readonly { readonly offset: number; readonly length: number }[] {
  const spans: { offset: number; length: number }[] = [];
  let next = 0;
  for (const index of indices) {
    const last = spans.at(-1);
    if (last !== undefined && index === next) last.length += 1;
    else spans.push({ offset: index - next, length: 1 });
    next = index + 1;
  }
  return spans;
}
