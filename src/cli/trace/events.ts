import { escapeControls } from "../../base/text/controls.js";
import { formatDuration } from "../../base/text/format.js";
import type { Boot } from "../../base/time.js";
import { allOf, type BoundFilter, type FilterExpression } from "../../collect/event-filter/event-filter.js";
import { END_OF_TIME } from "../../collect/ring-buffer/ring-buffer.js";
import type { BlackoutDocument, LiveUpdateDocument } from "../../model/live-update.js";
import { type Context, defineCommand, exit, misused, unusable } from "../frame/command.js";
import {
  axisTimeOption,
  choiceOption,
  flagOption,
  integerOption,
  oneOrMore,
  repeated,
  textOption,
} from "../frame/options.js";
import { captureOptions, captureOptionsOf } from "../input/capture-options.js";
import { bound, FILTER_HELP, filterFrom, filterOption } from "../input/event-filter-option.js";
import { eventFeedOf, type LoadedCapture, withCapture } from "../input/load.js";
import { isCapture } from "../input/trace-input.js";
import { EVENT_LINE_HEADER, EventLineWriter, eventJsonLine, eventTextLine } from "./event-lines.js";
import { printMerged } from "./merged-traces.js";
import { addNames, noSuchEvent, printTrace } from "./trace-events.js";

interface Wanted {
  readonly boot: Boot | null;
  readonly expression: FilterExpression | null;
  readonly filter: BoundFilter | null;
  readonly limit: number;
  readonly json: boolean;
}

export const eventsCommand = defineCommand({
  usage: null,
  description: `For a capture, time is in seconds from the begin of the blackout, and fields are printed as the source has them. All events of the old kernel precede those of the new one; the events of each source are in order of time. Without a clock link each kernel has its own zero, to which --from and --to refer.\nOther traces are printed as the kernel prints them, on the trace's own clock: trace.dat, Perfetto, ftrace text, a kernel log (dmesg or pstore), QEMU's log of its trace events, or raw pages (a folder with per_cpu/cpuN/trace_pipe_raw and the event formats). Several traces of one session, such as a host's and its guests' (trace-cmd record -A), are merged by time; what does not fit in memory is sorted in a file in TMPDIR.\n${FILTER_HELP}`,
  options: {
    filter: filterOption,
    boot: choiceOption("BOOT", ["old", "new"], "Print only events of this kernel"),
    from: axisTimeOption("TIME", "Print only events from this time on: -5ms is 5 ms before the begin of the blackout"),
    to: axisTimeOption("TIME", "Print only events up to this time"),
    name: repeated(textOption("GLOB", "Print only events of this name: sched_*, sys_enter_?????")),
    limit: integerOption("N", { min: 1, max: Number.MAX_SAFE_INTEGER }, "Stop after N events"),
    formats: textOption("FOLDER", "Folder with the event formats of raw pages, if not beside them"),
    json: flagOption("Print one JSON object per line (docs/event.schema.json)"),
    ...captureOptions,
  },
  positionals: { input: oneOrMore("A capture (folder or archive); or a trace, or several of one clock") },
  examples: [
    { command: "blackout events traces/plain.tar.gz --from=-5ms --to 5ms", what: "Print events around the VMs' pause" },
    {
      command: "blackout events traces/plain.tar.gz --name 'luo_*' --name print",
      what: "Print LUO's probes and the marks",
    },
    {
      command: "blackout events traces/plain.tar.gz --filter 'event=luo_* time=0..1.5 cpu=0'",
      what: "Print LUO's probes on CPU 0, from the pause to 1.5 s after it",
    },
    {
      command: "blackout events trace.dat --filter 'event=sched_switch && (.prev_comm=qemu* || .next_pid=144)'",
      what: "Select by fields of the event",
    },
    {
      command: "blackout events /sys/fs/pstore/console-ramoops-0 --filter 'time=52..'",
      what: "Print the last messages of the previous kernel",
    },
    { command: "blackout events qemu.log --name runstate_set", what: "Print when QEMU stopped and resumed its VM" },
    { command: "blackout events host.dat guest.dat", what: "Merge a host's and its guest's trace on the host's clock" },
    { command: "blackout events traces/plain.tar.gz --json --boot new | jq .name", what: "Print JSON for a program" },
  ],
  exitCodes: [],
  run: async (context, { options, positionals }) => {
    const [capture = "", ...others] = positionals.input;
    if (options.from !== null && options.to !== null && options.from > options.to) {
      return misused(context, "--from is later than --to: no event is in between");
    }
    const asked = filterFrom(options);
    if (!asked.ok) return misused(context, asked.error);
    const limit = options.limit ?? Number.POSITIVE_INFINITY;
    if (!isCapture(capture)) {
      const alien = (["boot", "from", "to"] as const).find((name) => options[name] !== null);
      if (alien !== undefined) {
        return misused(
          context,
          `--${alien} is of captures, and this is a trace on a clock of its own: use --filter, as time=4.07..4.08`,
        );
      }
      const { json, formats } = options;
      const wanted = { filter: asked.value, limit, json, formats, limits: options["reader-limit"] };
      return others.length === 0
        ? printTrace(context, capture, wanted)
        : printMerged(context, positionals.input, wanted);
    }
    if (others.length > 0) return misused(context, `${capture} is a capture: give one at a time`);
    const filter = bound(allOf([asked.value, between(options.from, options.to)]), "axis");
    if (!filter.ok) return misused(context, filter.error);
    const wanted: Wanted = {
      boot: options.boot,
      expression: asked.value,
      filter: filter.value,
      limit,
      json: options.json,
    };
    const progress = context.progress("Reading");
    const printed = await withCapture(
      capture,
      captureOptionsOf(options),
      (loaded) => {
        progress.end();
        return printEvents(context, loaded, wanted);
      },
      (what) => progress.update(0, what),
    );
    progress.end();
    return printed.ok ? printed.value : unusable(context, printed.error);
  },
});

/** Prints what is wanted; returns the exit code. */
function printEvents(context: Context, loaded: LoadedCapture, wanted: Wanted): number {
  const { collected, update, path } = loaded;
  const { link, extents } = collected.collected;
  const boots = (["old", "new"] as const).filter((boot) => wanted.boot === null || boot === wanted.boot);
  const present = boots.filter((boot) => collected.maps[boot] !== null && extents[boot] !== null);
  if (present.length === 0) {
    const which = wanted.boot === null ? "neither kernel's" : `none of the ${wanted.boot} kernel's`;
    return unusable(context, [`${path}: ${which} events can be read`, ...whyNot(update.document)].join("\n  "));
  }
  const lines = new EventLineWriter(
    wanted.json ? eventJsonLine : eventTextLine,
    wanted.filter?.matches ?? null,
    wanted.limit,
    (block) => {
      if (block !== "") context.stdout.write(block);
      return !context.stdout.closed;
    },
  );
  const comment = (line: string): void => {
    if (!wanted.json) context.stdout.write(`${context.colour.quiet(escapeControls(line))}\n`);
  };
  if (link.joint) {
    comment(`# ${update.document.capture.name}: zero is ${zeroText(update.document.blackout)}`);
    comment(EVENT_LINE_HEADER);
  }
  for (const boot of present) {
    if (!link.joint) {
      comment(
        `# ${update.document.capture.name}, ${boot} kernel, on an axis of its own: zero is ${ownZeroText(update.document.blackout, boot)}`,
      );
      comment(EVENT_LINE_HEADER);
    }
    if (!lines.run(eventFeedOf(loaded, [boot], wanted.filter))) break;
  }
  if (!context.stdout.closed) sayWhatIsMissing(context, loaded, wanted, lines, boots);
  return exit.success;
}

function zeroText(blackout: BlackoutDocument): string {
  if (blackout.beginNs === 0) return `the blackout's begin (${blackout.evidence.begin?.event ?? "?"})`;
  return "the first event: the blackout's begin is not in the capture";
}

function ownZeroText(blackout: BlackoutDocument, boot: Boot): string {
  return boot === "old" && blackout.beginNs === 0 ? zeroText(blackout) : "its first event";
}

function whyNot({ defects, outcome, outcomeReason }: LiveUpdateDocument): readonly string[] {
  const errors = defects
    .filter(({ severity }) => severity === "error")
    .slice(0, 8)
    .map(({ code, file, message }) => `${code}${file === "" ? "" : ` ${file}`}: ${message}`);
  return [...errors, `the update: ${outcome}: ${outcomeReason}`];
}

/** Reports on stderr what the lines themselves cannot show, so that it is seen even if stdout is piped. */
function sayWhatIsMissing(
  context: Context,
  loaded: LoadedCapture,
  wanted: Wanted,
  lines: EventLineWriter,
  boots: readonly Boot[],
): void {
  const { collected, path } = loaded;
  const { link, extents, sources } = collected.collected;
  const say = (what: string): void =>
    context.stderr.write(`${context.errorColour.warning("blackout:")} ${escapeControls(what)}\n`);
  for (const boot of boots) {
    if (extents[boot] === null) say(`${path}: the ${boot} kernel's events cannot be read; 'blackout analyze' says why`);
  }
  const { old, new: fresh } = extents;
  if (boots.length === 2 && old !== null && fresh !== null) {
    if (!link.joint) say("no clock link joins the two kernels: their times have nothing to do with each other");
    else if (old.lastNs > fresh.firstNs) {
      say(
        `on the axis the old kernel's last event is ${formatDuration(old.lastNs - fresh.firstNs)} after the new one's first, which cannot be: the clock link is off; the old kernel's are printed first`,
      );
    }
  }
  const own = sources.filter(({ boot }) => boots.includes(boot));
  const undecoded = own.reduce((sum, source) => sum + source.undecoded, 0);
  const lost = own.reduce((sum, source) => sum + source.lostEvents, 0);
  if (undecoded > 0 || lost > 0) {
    say(`${path}: ${undecoded} records could not be decoded, ${lost} events were lost; 'blackout analyze' names them`);
  }
  if (lines.written > 0 || wanted.filter === null) return;
  const names = new Set<string>();
  eventFeedOf(loaded, boots, { records: EVERY_NAME, axisNs: wanted.filter.axisNs })((chunk) => addNames(chunk, names));
  say(names.size === 0 ? "no event lies in that time" : noSuchEvent(wanted.expression, names));
}

const EVERY_NAME = { names: null, pids: null, cpus: null, from: 0n, to: END_OF_TIME };

/** The time from --from to --to as a term of the filter. */
function between(from: number | null, to: number | null): FilterExpression | null {
  if (from === null && to === null) return null;
  const end = (ns: number | null): string => (ns === null ? "" : `${ns}ns`);
  return { kind: "term", key: "time", field: "", op: "=", values: [{ kind: "range", low: end(from), high: end(to) }] };
}
