import { closeSync, readSync } from "node:fs";
import { sampleOfUpdate } from "../../analyze/cohort/sample-of-update.js";
import { type GuestTicks, guestDocument } from "../../analyze/guest/guest.js";
import { sampleOfGuests } from "../../analyze/guest/guest-sample.js";
import { tickGap } from "../../analyze/guest/guest-ticks.js";
import { DefectLog } from "../../base/defect.js";
import { err, ok, type Result } from "../../base/result.js";
import { escapeControls } from "../../base/text/controls.js";
import { formatDuration, formatSigned, formatUncertainty } from "../../base/text/format.js";
import type { Duration } from "../../base/time.js";
import { parseTicks } from "../../collect/agents/guest-ticks.js";
import { nodeNameOf } from "../../collect/capture/capture.js";
import { NotAFile, openFile } from "../../collect/files/open-file.js";
import type {
  GuestConclusion,
  GuestDocument,
  GuestView,
  TicksDocument,
  ViewDifference,
} from "../../model/documents/guest.js";
import { documentOfSample } from "../../model/update-sample.js";
import { type Context, defineCommand, exit, misused, unusable } from "../frame/command.js";
import { durationOption, flagOption, one, repeated, textOption } from "../frame/options.js";
import { parseDuration } from "../frame/options-duration.js";
import { headLines } from "../input/attributed.js";
import { captureOptions, captureOptionsOf } from "../input/capture-options.js";
import { withCapture } from "../input/load.js";
import { type Cell, leftColumn, renderTable, rightColumn } from "../terminal/terminal-table.js";

/** Of a tick log: 5,000,000 stamps of 30 characters. */
const TICK_BYTES = 160 << 20;
const MIN_INTERVAL_NS = 1_000;

const VIEWS: Readonly<Record<GuestView["view"], string>> = {
  kernel: "kernel: freeze begin to restore end",
  marks: "VMM: pause to resume mark",
  vcpus: "KVM: no vCPU ran",
  ticks: "guest: longest gap between ticks",
};

const JOINED = {
  "vm-mark": "their own marks",
  "thread-names": "the threads' names",
  "vcpu-numbers": "their numbers, as the only ones without a counterpart of their name",
} as const;

const DIFFERENCES: Readonly<Record<ViewDifference["what"], string>> = {
  "pause-to-freeze": "from the first VM's pause to the kernel's freeze",
  "pause-to-last-vcpu": "from the pause mark to the last vCPU's last entry or exit",
  "restore-to-resume": "from the kernel's last retrieve to the last VM's resume",
  "resume-to-first-vcpu": "from the resume mark to the first vCPU's first entry",
  "guest-minus-host": "the guest's gap beyond the host's blackout",
};

/** Late ticks explain a few intervals of the log, not this many times its interval and the ± of the host's view. */
const CLOCK_SET_TIMES = 5;

/** The ticks of one file, or a sentence that says why there are none; what was left out of it is in `defects`. */
function readTicks(path: string, givenNs: Duration | null, defects: DefectLog): Result<GuestTicks, string> {
  let bytes: Uint8Array;
  try {
    const { fd, stats: stat } = openFile(path);
    try {
      if (stat.size > TICK_BYTES) {
        return err(
          `${path}: it has ${stat.size.toLocaleString("en")} bytes; at most ${TICK_BYTES.toLocaleString("en")} are read\n  Cut it to the minutes around the update.`,
        );
      }
      bytes = new Uint8Array(stat.size);
      let got = 0;
      for (let more = -1; more !== 0 && got < bytes.length; got += more)
        more = readSync(fd, bytes, got, bytes.length - got, got);
      bytes = bytes.subarray(0, got);
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    if (error instanceof NotAFile) {
      return err(`${path}: ${error.message}\n  Give the file that the guest's ticker wrote.`);
    }
    return err(
      `${path}: it cannot be read (${(error as NodeJS.ErrnoException).code ?? "error"})\n  Check the path and its permissions.`,
    );
  }
  const log = parseTicks(bytes, path, { defect: (found) => defects.add(found) });
  const headerNs = log.interval === null ? null : parseDuration(log.interval);
  if (givenNs === null && log.interval !== null && (headerNs === null || headerNs < MIN_INTERVAL_NS)) {
    return err(
      `${path}: its header says interval=${log.interval}, which is not a duration of 1us or more\n  Write it like interval=10ms, or give --interval.`,
    );
  }
  const gap = tickGap(log, givenNs, headerNs);
  return typeof gap === "string"
    ? err(`${path}: ${gap}\n  What such a file holds: docs/guest-ticks.md`)
    : ok({ log, gap });
}

function viewTable({ views }: GuestDocument, context: Context): string {
  const rows = views.map((view): readonly Cell[] => [
    VIEWS[view.view],
    view.vm ?? (view.view === "ticks" ? "" : "host"),
    view.beginNs === null ? "" : formatSigned(view.beginNs),
    view.endNs === null ? "" : formatSigned(view.endNs),
    view.durationNs === null
      ? { text: "not known", style: "warning" }
      : { text: formatDuration(view.durationNs), style: "strong" },
    view.uncertaintyNs === null
      ? ""
      : view.view === "ticks"
        ? `-${formatDuration(view.uncertaintyNs)}`
        : formatUncertainty(view.uncertaintyNs),
  ]);
  const columns = [
    leftColumn("seen by"),
    leftColumn("VM", "end"),
    rightColumn("begin"),
    rightColumn("end"),
    rightColumn("blackout"),
    rightColumn("±"),
  ];
  return renderTable(columns, rows, { width: context.width, palette: context.colour, indent: 2 });
}

function vcpuTables({ vcpuVms }: GuestDocument, context: Context): string {
  return vcpuVms
    .map(({ id, joinedBy, vcpus }) => {
      const rows = vcpus.map((each): readonly Cell[] => [
        each.vcpu === null ? "?" : String(each.vcpu),
        each.oldTask ?? "",
        each.newTask ?? "",
        each.lastNs === null ? "" : formatSigned(each.lastNs),
        each.firstNs === null ? "" : formatSigned(each.firstNs),
        each.gapNs === null ? "" : formatDuration(each.gapNs),
        each.sinceResumeNs === null ? "" : formatSigned(each.sinceResumeNs),
      ]);
      const columns = [
        rightColumn("vCPU"),
        leftColumn("old thread", "end"),
        leftColumn("new thread", "end"),
        rightColumn("last seen"),
        rightColumn("first seen"),
        rightColumn("gap"),
        rightColumn("after resume"),
      ];
      const note =
        joinedBy === "not-told-apart"
          ? `  vCPUs of '${id}': several threads have one number, so VMs cannot be distinguished (mark with vm=ID in the vCPU's own thread)`
          : `  vCPUs of '${id}', joined by ${JOINED[joinedBy]}; one that idles is not seen`;
      const table = renderTable(columns, rows, { width: context.width, palette: context.colour, indent: 4 });
      return `${escapeControls(note)}\n${table}`;
    })
    .join("\n");
}

function tickText(ticks: TicksDocument, context: Context): string {
  const { intervalNs, intervalFrom, gapNs, stoodStillNs, missed } = ticks;
  const from = { given: "as given", header: "as its header says", median: "the median gap" }[intervalFrom];
  const stood = `${formatDuration(stoodStillNs.lowerNs)} to ${formatDuration(stoodStillNs.upperNs)}`;
  const head = [
    `  ${ticks.file}: ${ticks.ticks.toLocaleString("en")} ticks, one in ${formatDuration(intervalNs)} (${from})`,
    `    longest gap ${formatDuration(gapNs)}, ${formatDuration(ticks.sinceFirstNs)} after the first tick; ${missed.toLocaleString("en")} ticks missed; the guest stood still for ${stood}`,
  ];
  const row = (name: string, list: TicksDocument["recorded"]): readonly Cell[] => [
    name,
    ...list.map(({ ns }) => formatDuration(ns)),
  ];
  const columns = [
    leftColumn("delay of a tick"),
    ...ticks.recorded.map(({ percent }) => rightColumn(percent === 100 ? "max" : `p${percent}`)),
  ];
  const table = renderTable(
    columns,
    [row("as recorded", ticks.recorded), row("corrected for omission", ticks.corrected)],
    {
      width: context.width,
      palette: context.colour,
      indent: 4,
    },
  );
  return `${head.map(escapeControls).join("\n")}\n${table}`;
}

function differenceLines({ differences, ticks }: GuestDocument, context: Context): string {
  const lines = differences.map(({ what, vm, ns, uncertaintyNs }) => {
    const of = vm === null ? "" : ` (${vm})`;
    return `    ${formatSigned(ns)} ${formatUncertainty(uncertaintyNs)}  ${DIFFERENCES[what]}${of}`;
  });
  const more = differences.filter(({ what, ns, uncertaintyNs }) => what === "guest-minus-host" && ns > uncertaintyNs);
  const isSet = more.some(({ ns, uncertaintyNs }) => ns > CLOCK_SET_TIMES * uncertaintyNs);
  if (isSet) {
    lines.push(
      "    A guest's clock advanced by far more than it stood still: the clock was set, or runs at another rate than the host's.",
    );
  } else if (more.length > 0) {
    lines.push(
      "    The guest saw more than the host: its vCPUs were resumed one after the other, or its ticker had to wait for one.",
    );
  }
  if (ticks.length > 0) {
    lines.push("    The guest's clock is not tied to the host's: only how long can be compared, not when.");
  }
  return lines.length === 0
    ? ""
    : `  Between the views\n${lines.map((line) => context.colour.quiet(escapeControls(line))).join("\n")}\n`;
}

/** What its guest did while the host was gone: the answer, then what to mind. */
function conclusionLines(conclusion: GuestConclusion): readonly [string, ...string[]] {
  const { vm, clock, result, stoodStillNs, managementGapNs, managementGapUncertaintyNs } = conclusion;
  const who = vm === null ? "The guest" : `The guest of '${vm}'`;
  const stood = `${formatDuration(stoodStillNs.lowerNs)} to ${formatDuration(stoodStillNs.upperNs)}`;
  const gone = `${formatDuration(managementGapNs)} ${formatUncertainty(managementGapUncertaintyNs)}`;
  const by = clock === null ? "its clock" : `its clock (${clock})`;
  switch (result) {
    case "ran-on":
      return [
        `${who} kept running, by ${by}: it stood still for ${stood}, while the host was gone for ${gone}.`,
        "A VMM that stops the guest's clock with the guest leaves the same ticks; docs/guest-ticks.md lists which do.",
      ];
    case "stood-still":
      return [`${who} stood still for ${stood}; the host was gone for ${gone}.`];
    case "clock-stopped":
      return [
        `${who} was stopped together with ${by}: its ticks show ${stood}, but its vCPUs did not run for longer.`,
        "Tick on a clock that runs on: docs/guest-ticks.md lists them.",
      ];
    case "too-short":
      return [
        `${who} has a log that covers less time than the host was gone (${gone}): it may have missed the stop.`,
        "Let the ticker run from before the pause until after the resume.",
      ];
  }
}

function conclusionText({ conclusions }: GuestDocument, context: Context): string {
  return conclusions
    .map(conclusionLines)
    .map(([answer, ...more]) => {
      const rest = more.map((line) => `  ${line}\n`).join("");
      return `  ${context.colour.strong(escapeControls(answer))}\n${rest}`;
    })
    .join("");
}

export const guestCommand = defineCommand({
  usage: null,
  description:
    "Prints the views of one blackout side by side: the kernel's freeze and restore, the VMM's pause and resume marks, the last and first entries of the vCPUs (kvm events), and the longest gap in a guest's own ticks.\nA tick log has one timestamp of the guest's clock per line (docs/guest-ticks.md). A ticker that is stopped writes one long gap instead of many late ticks; delays are corrected for that (coordinated omission). A gap exceeds the blackout by up to one interval.",
  options: {
    ticks: repeated(textOption("FILE", "Read this tick log of a guest")),
    interval: durationOption("DURATION", "Interval of the guests' ticks, instead of the one in the log's header"),
    sample: flagOption("Print the update as the guests saw it, one JSON line that every cohort argument reads"),
    json: flagOption("Print one JSON document (docs/guest.schema.json)"),
    ...captureOptions,
  },
  positionals: { capture: one("Capture: a folder or an archive") },
  examples: [
    { command: "blackout guest traces/plain.tar.gz", what: "Print what the host saw of its VMs" },
    { command: "blackout guest capture/ --ticks vm7.ticks --interval 10ms", what: "Add what a guest saw" },
  ],
  exitCodes: [],
  run: async (context, { options, positionals }) => {
    const { interval } = options;
    if (interval !== null && interval < MIN_INTERVAL_NS) {
      return misused(context, `--interval ${interval}ns: a ticker ticks every 1us or more seldom`);
    }
    if (options.sample && options.ticks.length === 0) {
      return misused(context, "--sample: needs --ticks FILE, a log of the guest's own ticks");
    }
    const defects = new DefectLog();
    const ticks: GuestTicks[] = [];
    for (const path of options.ticks) {
      const read = readTicks(path, interval, defects);
      if (!read.ok) return unusable(context, read.error);
      ticks.push(read.value);
    }
    const progress = context.progress("Analysing");
    const loaded = await withCapture(
      positionals.capture,
      captureOptionsOf(options),
      ({ update, collected, capture }) => ({
        update,
        document: guestDocument(update, collected.collected.link, ticks),
        sample: options.sample ? sampleOfUpdate(update, positionals.capture, nodeNameOf(capture)) : null,
      }),
      (what) => progress.update(0, what),
    );
    progress.end();
    if (!loaded.ok) return unusable(context, loaded.error);
    for (const { file, line, code, message, count } of defects.all()) {
      const where = line === null ? file : `${file}:${line}`;
      context.stderr.write(
        `blackout: ${escapeControls(`${where}: ${message} [${code}]${count > 1 ? ` (${count})` : ""}`)}\n`,
      );
    }
    const { update, document, sample } = loaded.value;
    if (sample !== null) {
      const guests = sampleOfGuests(sample, document);
      if (!guests.ok) {
        return unusable(context, `${guests.error}, so that its blackout as the guests saw it is not known`);
      }
      context.stdout.write(`${JSON.stringify(documentOfSample(guests.value))}\n`);
      return exit.success;
    }
    if (options.json) {
      context.stdout.write(`${JSON.stringify(document)}\n`);
      return exit.success;
    }
    const parts = [
      headLines(update.document, context),
      document.views.length === 0
        ? "  Neither pause, nor freeze, nor a vCPU was seen.\n"
        : viewTable(document, context),
      vcpuTables(document, context),
      ...document.ticks.map((each) => tickText(each, context)),
      differenceLines(document, context),
      conclusionText(document, context),
    ];
    context.stdout.write(parts.filter((part) => part !== "").join("\n"));
    return exit.success;
  },
});
