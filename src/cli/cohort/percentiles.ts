import type { Histogram } from "hdr-histogram-js";
import {
  type CohortMember,
  cohortDifferences,
  cohortKeyOf,
  commonKey,
  NOT_RECORDED,
  traitText,
} from "../../analyze/cohort/cohort-key.js";
import { BOUND_CONFIDENCE } from "../../analyze/cohort/distribution.js";
import { durationHistogram, sampleUpdates, type UpdateSamples } from "../../analyze/cohort/histograms.js";
import { exactPercentiles, histogramPercentiles } from "../../analyze/cohort/percentiles.js";
import { HISTOGRAM_HIGHEST_NS } from "../../analyze/statistics/distributions/histogram-layout.js";
import { err, ok, type Result } from "../../base/result.js";
import { escapeControls } from "../../base/text/controls.js";
import { type Hlog, type HlogEntry, writeHlog } from "../../export/hlog.js";
import { type CohortDifference, MEASURES, type PercentilesDocument } from "../../model/documents/percentiles.js";
import type { UpdateSample } from "../../model/update-sample.js";
import { outputProblem } from "../files/output-file.js";
import { writeAtomically } from "../files/write-atomically.js";
import { type Context, defineCommand, exit, misused, unusable } from "../frame/command.js";
import { flagOption, oneOrMore, textOption } from "../frame/options.js";
import type { CaptureOptions } from "../input/capture-options.js";
import { captureOptions, captureOptionsOf } from "../input/capture-options.js";
import { isLogPath, readLog } from "../input/percentiles-input.js";
import { COHORT_FORMS, loadCohort } from "../workers/cohort-load.js";
import { percentilesText } from "./percentiles-text.js";

interface NamedLog {
  readonly file: string;
  readonly log: Hlog;
}

interface Inputs {
  readonly updates: readonly UpdateSample[];
  readonly logs: readonly NamedLog[];
  readonly failures: readonly string[];
}

export const percentilesCommand = defineCommand({
  usage: null,
  description: `Prints percentiles over the updates that completed; the others, and unknown values, are named. If there are too few updates for a percentile, the number needed is printed instead.\nUpdates that differ in probe level, workload or blackout basis are refused, because tracing itself takes time.\nA cohort is ${COHORT_FORMS}. Histogram logs (.hlog, docs/hlog.md) are also read; they give percentiles without bounds.`,
  options: {
    json: flagOption("Print one JSON document (docs/percentiles.schema.json)"),
    hlog: textOption("FILE", "Also write HDR histograms to this file, one tagged line for the blackout and each phase"),
    force: flagOption("Count updates together although they differ, and mark the output"),
    ...captureOptions,
  },
  positionals: { cohort: oneOrMore("Cohorts, captures, or histogram logs") },
  examples: [
    { command: "blackout percentiles traces/cohorts/base", what: "Print percentiles over ten updates" },
    {
      command: "blackout percentiles captures/* --hlog out/updates.hlog",
      what: "Write a log for the HdrHistogram tools",
    },
    { command: "blackout percentiles updates.jsonl", what: "Read updates that were analysed before" },
  ],
  exitCodes: [{ code: exit.unusableInput, meaning: "unusable input, or updates that must not be compared" }],
  run: async (context, { options, positionals }) => {
    const problem = options.hlog === null ? null : outputProblem(options.hlog, positionals.cohort);
    if (problem !== null) return misused(context, problem);
    const inputs = await readInputs(context, positionals.cohort, captureOptionsOf(options));
    for (const failure of inputs.failures) unusable(context, failure);
    const samples = sampleUpdates(inputs.updates);
    if (samples.counted.length === 0 && inputs.logs.length === 0) {
      if (inputs.updates.length === 0) return exit.unusableInput;
      const reasons = samples.excluded.slice(0, 8).map(({ from, reason }) => `  ${from}: ${reason}`);
      return unusable(context, ["no update completed: there is nothing to count", ...reasons].join("\n"));
    }
    const members = membersOf(samples, inputs.logs);
    const differences = [...cohortDifferences(members), ...forcedBefore(inputs.logs)];
    if (differences.length > 0 && !options.force) return unusable(context, refusal(differences));
    const merged = mergeLogs(samples, inputs.logs);
    if (!merged.ok) return unusable(context, merged.error);
    for (const { file, log } of inputs.logs) sayForeign(context, file, log);
    const document: PercentilesDocument = {
      format: "blackout-percentiles",
      version: 1,
      cohort: { ...commonKey(members), differences },
      updates: { counted: samples.counted.length, excluded: samples.excluded },
      logs: inputs.logs.map(({ file, log }) => ({
        file,
        values: ownTags(log).reduce((sum, { histogram }) => sum + histogram.totalCount, 0),
        excluded: log.origin?.excluded ?? null,
      })),
      resolution: inputs.logs.length === 0 ? "exact" : "histogram",
      confidence: BOUND_CONFIDENCE,
      measures: samples.measures.map(({ name, valuesNs, unknown }, i) =>
        inputs.logs.length === 0
          ? exactPercentiles(name, valuesNs, unknown)
          : histogramPercentiles(name, merged.value[i] as Histogram, unknown),
      ),
    };
    if (options.hlog !== null) {
      const failed = writeLog(context, options.hlog, document, samples, merged.value);
      if (failed !== null) return unusable(context, failed);
    }
    context.stdout.write(
      options.json
        ? `${JSON.stringify(document)}\n`
        : percentilesText(document, { palette: context.colour, width: context.width }),
    );
    return inputs.failures.length > 0 ? exit.unusableInput : exit.success;
  },
});

async function readInputs(context: Context, paths: readonly string[], reading: CaptureOptions): Promise<Inputs> {
  const updates: UpdateSample[] = [];
  const logs: NamedLog[] = [];
  const failures: string[] = [];
  for (const path of paths) {
    if (isLogPath(path)) {
      const log = readLog(path);
      if (!log.ok) failures.push(log.error);
      else if (ownTags(log.value).length === 0) {
        failures.push(`${path}: none of its tags is ${MEASURES.join(", ")}: not a log of live updates`);
      } else logs.push({ file: path, log: log.value });
      continue;
    }
    const loaded = await loadCohort(context, path, reading);
    if (!loaded.ok) failures.push(loaded.error);
    else {
      for (const update of loaded.value.cohort.updates) updates.push(update);
      for (const failure of loaded.value.failures) failures.push(failure);
    }
  }
  return { updates, logs, failures };
}

/** A log without facts on its updates counts as one whose probe level, workload and basis are not recorded. */
function membersOf({ counted }: UpdateSamples, logs: readonly NamedLog[]): readonly CohortMember[] {
  return [
    ...counted.map((update) => ({ from: update.source, key: cohortKeyOf(update) })),
    ...logs.map(({ file, log }) => ({
      from: file,
      key: log.origin?.cohort ?? { probeLevel: null, workload: null, basis: null },
    })),
  ];
}

/** What was let pass when a log was written is let pass again, or refused again. */
function forcedBefore(logs: readonly NamedLog[]): readonly CohortDifference[] {
  return logs.flatMap(({ log }) => log.origin?.cohort.differences ?? []);
}

function refusal(differences: readonly CohortDifference[]): string {
  const lines = differences.map(({ property, values }) => {
    const each = values.map(
      ({ value, members, first }) =>
        `${value ?? NOT_RECORDED} (${members === 1 ? first : `${members} updates, the first: ${first}`})`,
    );
    return `  ${traitText(property)}: ${each.slice(0, 6).join("; ")}${each.length > 6 ? "; …" : ""}`;
  });
  return [
    "these updates are not alike, so that percentiles over all of them would mean nothing:",
    ...lines,
    "  Give alike ones, or count them together all the same with --force, which marks the output.",
  ].join("\n");
}

const measureOf = (tag: string | null): number => (MEASURES as readonly (string | null)[]).indexOf(tag);

function ownTags(log: Hlog): Hlog["tags"] {
  return log.tags.filter(({ tag }) => measureOf(tag) >= 0);
}

function sayForeign(context: Context, file: string, log: Hlog): void {
  for (const { tag, histogram } of log.tags) {
    if (measureOf(tag) >= 0) continue;
    const what = tag === null ? "values without a tag" : `values tagged ${JSON.stringify(tag)}`;
    const note = escapeControls(`${file}: ${histogram.totalCount} ${what} belong to no phase: left out`);
    context.stderr.write(`${context.errorColour.warning("blackout:")} ${note}\n`);
  }
}

/** The measures' histograms with those of the logs added, in the order of MEASURES. */
function mergeLogs(samples: UpdateSamples, logs: readonly NamedLog[]): Result<readonly Histogram[], string> {
  const merged = samples.measures.map(({ histogram }) => {
    const sum = durationHistogram();
    sum.add(histogram);
    return sum;
  });
  for (const { file, log } of logs) {
    for (const { tag, histogram } of ownTags(log)) {
      const sum = merged[measureOf(tag)] as Histogram;
      if (histogram.maxValue > HISTOGRAM_HIGHEST_NS) {
        return err(
          `${file}: ${tag} lasts ${histogram.maxValue} ns somewhere, more than 24 h: its unit is not nanoseconds`,
        );
      }
      if (sum.totalCount + histogram.totalCount > Number.MAX_SAFE_INTEGER) {
        return err(`${file}: the counts of ${tag} add up to more than 2^53`);
      }
      sum.add(histogram);
    }
  }
  return ok(merged);
}

/** Writes the log; the error is a sentence. */
function writeLog(
  context: Context,
  path: string,
  { cohort, updates, logs, resolution }: PercentilesDocument,
  samples: UpdateSamples,
  histograms: readonly Histogram[],
): string | null {
  const entries = samples.measures.flatMap(({ name, valuesNs }, i): HlogEntry[] => {
    const histogram = histograms[i] as Histogram;
    if (histogram.totalCount === 0) return [];
    const exact = resolution === "exact" ? valuesNs.reduce((sum, value) => sum + value, 0) : null;
    return [{ tag: name, histogram, totalNs: exact ?? histogram.mean * histogram.totalCount }];
  });
  const excluded = logs.reduce((sum, log) => sum + (log.excluded ?? 0), updates.excluded.length);
  try {
    writeAtomically(path, writeHlog(entries, { cohort, excluded }));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).syscall === undefined) throw error;
    return `${path} cannot be written: ${(error as Error).message}`;
  }
  context.stderr.write(`${path}: histograms of ${entries.map(({ tag }) => tag).join(", ")}\n`);
  return null;
}
