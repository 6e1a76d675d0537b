import type { BlackoutDocument, LiveUpdateDocument } from "../analyze/live-update.js";
import { formatDuration } from "../base/format.js";
import { globMatcher } from "../base/glob.js";
import { didYouMean } from "../base/suggest.js";
import type { Boot } from "../base/time.js";
import { type Context, defineCommand, exit, misused, unusable } from "./command.js";
import { EVENT_LINE_HEADER, EventLineWriter, eventJson, eventText } from "./event-lines.js";
import { eventFeedOf, type LoadedCapture, spellingOf, spellingOptions, withCapture } from "./load.js";
import { axisTime, choice, flag, integer, one, repeated, text } from "./options.js";
import { escapeControls } from "./terminal-text.js";

interface Wanted {
  readonly boot: Boot | null;
  readonly fromNs: number;
  readonly toNs: number;
  readonly names: readonly string[];
  readonly limit: number;
  readonly json: boolean;
}

export const events = defineCommand({
  name: "events",
  group: "One live update",
  summary: "The decoded events of both kernels, one a line, on one time axis",
  usage: null,
  description:
    "Time is in seconds from the blackout's begin; the fields are as the source prints them. All of the old kernel's events come before all of the new one's, each in the order of its source, which is that of time.\nWithout a clock link each kernel is on an axis of its own; the two are printed one after the other, each with its own zero, to which --from and --to then refer.",
  options: {
    boot: choice("BOOT", ["old", "new"], "Only this kernel's"),
    from: axisTime("TIME", "Only from here on: -5ms is 5 ms before the blackout's begin"),
    to: axisTime("TIME", "Only up to here"),
    name: repeated(text("GLOB", "Only events of this name: sched_*, sys_enter_?????")),
    limit: integer("N", { min: 1, max: Number.MAX_SAFE_INTEGER }, "Stop after so many"),
    json: flag("One JSON object a line (docs/event.schema.json)"),
    ...spellingOptions,
  },
  positionals: { capture: one("A capture: folder or archive") },
  examples: [
    { command: "blackout events traces/plain.tar.gz --from=-5ms --to 5ms", what: "Around the VMs' pause" },
    { command: "blackout events traces/plain.tar.gz --name 'luo_*' --name print", what: "LUO's probes and the marks" },
    { command: "blackout events traces/plain.tar.gz --json --boot new | jq .name", what: "For a program" },
  ],
  exitCodes: [],
  run: async (context, { options, positionals }) => {
    const wanted: Wanted = {
      boot: options.boot,
      fromNs: options.from ?? Number.NEGATIVE_INFINITY,
      toNs: options.to ?? Number.POSITIVE_INFINITY,
      names: options.name,
      limit: options.limit ?? Number.POSITIVE_INFINITY,
      json: options.json,
    };
    if (wanted.fromNs > wanted.toNs) return misused(context, "--from is later than --to: no event is in between");
    const progress = context.progress("Reading");
    const printed = await withCapture(
      positionals.capture,
      spellingOf(options),
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
  const nameMatches = wanted.names.length === 0 ? null : wanted.names.map(globMatcher);
  const lines = new EventLineWriter(
    wanted.json ? eventJson : eventText,
    {
      fromNs: wanted.fromNs,
      toNs: wanted.toNs,
      nameMatches: nameMatches === null ? null : (name) => nameMatches.some((matches) => matches(name)),
    },
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
    if (!lines.run(eventFeedOf(loaded, [boot]))) break;
  }
  if (!context.stdout.closed) sayWhatIsMissing(context, loaded, wanted, lines, boots);
  return exit.answered;
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

/** What a reader of the lines cannot see from them: goes to stderr, so that it stands beside them however they end up. */
function sayWhatIsMissing(
  context: Context,
  { collected, path }: LoadedCapture,
  wanted: Wanted,
  lines: EventLineWriter,
  boots: readonly Boot[],
): void {
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
  if (lines.written > 0 || wanted.names.length === 0) return;
  const names = [...lines.namesSeen].filter((name) => name !== "").sort();
  const near = wanted.names.map((name) => didYouMean(name, names)).find((hint) => hint !== "") ?? "";
  const shown = `${names.slice(0, 12).join(", ")}${names.length > 12 ? `, … (${names.length})` : ""}`;
  say(
    names.length === 0
      ? "no event lies in that time"
      : `no event there is named ${wanted.names.join(" or ")}${near}; there are ${shown}`,
  );
}
