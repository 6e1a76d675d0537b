import { createHash, randomBytes } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { compareCohorts } from "../../analyze/compare/comparison.js";
import { DEFAULT_FLOORS } from "../../analyze/compare/levels.js";
import { escapeControls } from "../../base/text/controls.js";
import { formatDuration, formatUncertainty } from "../../base/text/format.js";
import { PROBE_LEVELS } from "../../recorder/recorder.js";
import { compareCommand } from "../cohort/compare.js";
import { gateCommand } from "../cohort/gate.js";
import { percentilesCommand } from "../cohort/percentiles.js";
import { makeFolder } from "../files/make-folder.js";
import { type Command, type Context, defineCommand, exit, misused, unusable } from "../frame/command.js";
import {
  choiceOption,
  flagOption,
  integerOption,
  one,
  repeated,
  required,
  textOption,
  withDefault,
} from "../frame/options.js";
import { parseArguments } from "../frame/options-parse.js";
import { DEFAULT_CAPTURE_OPTIONS } from "../input/capture-options.js";
import { withCapture } from "../input/load.js";
import { loadCohorts } from "../workers/cohorts.js";
import { type DriveOrder, type DriveResult, Driver } from "./driver.js";
import { type DriveJournal, readJournal, writeJournal } from "./journal.js";
import { type Remote, remoteOf } from "./remote.js";
import { hostSteps, type KernelSide, type Steps } from "./steps.js";

const FAILED = 1;
const INCOMPLETE = 4;

const options = {
  kernel: required(textOption("BZIMAGE", "Update to this kernel, a file here")),
  initrd: textOption("FILE", "Load it with this initrd, a file here"),
  ab: textOption("BZIMAGE", "Update to this kernel and to --kernel in turn, and compare the two"),
  "ab-initrd": textOption("FILE", "Load the kernel of --ab with this initrd (default: that of --initrd)"),
  output: withDefault(
    textOption("DIR", "Write captures to this folder, as 001.tar.gz, …; with --ab in a/ and b/", "o"),
    "cohort",
  ),
  level: withDefault(choiceOption("LEVEL", PROBE_LEVELS, "Record at this level"), "events"),
  with: textOption("LIST", "Also record these events: sched, irq, kvm, separated by commas"),
  repeat: withDefault(integerOption("N", { min: 1, max: 10_000 }, "Number of updates, of each kernel"), 1),
  before: textOption("COMMAND", "Run on the host right before the kexec: preserve, pause the VMs"),
  after: textOption("COMMAND", "Run in the new kernel: restore, resume the VMs"),
  "reboot-by": withDefault(
    textOption("HOW", "Reboot by kexec (kexec -e), systemctl (systemctl kexec), or a command on the host"),
    "kexec",
  ),
  cmdline: withDefault(textOption("WORDS", "Add these words to the next kernel's command line"), ""),
  label: repeated(textOption("KEY=VALUE", "Label the captures")),
  prepare: flagOption("If the host lacks the words that recording needs, restart it once with them, by a kexec"),
  limit: withDefault(
    integerOption("SECONDS", { min: 5, max: 86_400 }, "Wait this long for the host to come back"),
    300,
  ),
  "stop-after": withDefault(integerOption("N", { min: 1, max: 10_000 }, "Stop after this number of failed updates"), 3),
  resume: flagOption("Go on with an interrupted drive of this folder"),
  baseline: textOption("COHORT", "Compare the updates with this cohort at the end"),
  budget: textOption("FILE", "Check the updates against this budget at the end (docs/budget.md)"),
  ssh: withDefault(textOption("COMMAND", "Connect by this command, with its options"), "ssh"),
  "host-folder": withDefault(
    textOption("DIR", "Folder on the host for all that is put there; it must outlive the kexec"),
    "/var/lib/blackout-drive",
  ),
  "dry-run": flagOption("Print every command, and run none"),
};

export const driveCommand = defineCommand({
  usage: null,
  description: `Drives a host through live updates, from a bare host to a verdict: copies the recorder and the kernel there, arms, loads, saves, runs the kexec, waits for the host, collects, fetches and checks the capture, disarms, and goes on. At the end it removes all that it put there, and prints percentiles, and the verdict if --baseline, --budget or --ab is given.\nHOST is an argument of ssh; your own configuration, keys and agent are used, and a password cannot be entered. "here" is this host: after each kexec, run the same command with --resume, for example by a unit.\nThe folder of captures keeps a journal, written before each step: a drive that was interrupted, or killed, goes on with --resume.\n--before and the kexec run in one process on the host, so that the network is not part of the blackout. --after is called through ssh once the host answers: VMs that are resumed by the host itself stand still for less time.`,
  options,
  positionals: { host: one("The host: root@NAME, or here") },
  examples: [
    {
      command: "blackout drive root@host7 --kernel bzImage --initrd initrd.img --repeat 30 -o cohort/ --dry-run",
      what: "Print what would run on the host",
    },
    {
      command: "blackout drive root@host7 --kernel new/bzImage --ab old/bzImage --repeat 20 -o ab/",
      what: "Compare two kernels by turns on one host",
    },
    {
      command: "blackout drive root@host7 --kernel bzImage --repeat 20 -o now/ --baseline main.jsonl",
      what: "Fail a CI job if updates got slower",
    },
  ],
  exitCodes: [
    { code: exit.success, meaning: "all updates were made, and no regression is shown" },
    { code: FAILED, meaning: "a regression is shown, or a limit of the budget exceeded" },
    { code: exit.unusableInput, meaning: "the host cannot be driven, or no capture can be read" },
    { code: INCOMPLETE, meaning: "updates failed or were not made; go on with --resume" },
  ],
  run: async (context, { options: asked, positionals: { host } }) => {
    if (host.startsWith("-")) return misused(context, `${host}: not a host.`);
    const two = asked.ab !== null;
    if (asked["ab-initrd"] !== null && !two) return misused(context, "--ab-initrd: is of --ab, which is not given.");
    if (two && asked.baseline !== null)
      return misused(context, "--ab compares its two kernels: it takes no --baseline.");
    if (two && asked.budget !== null) return misused(context, "--ab compares its two kernels: it takes no --budget.");
    if (!/^\/[\w./-]+$/.test(asked["host-folder"]) || asked["host-folder"].split("/").includes("..")) {
      return misused(context, "--host-folder: give an absolute path of letters, digits, dots and hyphens.");
    }
    const kernels: DriveOrder["kernels"] = {
      a: { kernel: asked.kernel, initrd: asked.initrd },
      ...(asked.ab === null ? {} : { b: { kernel: asked.ab, initrd: asked["ab-initrd"] ?? asked.initrd } }),
    };
    const files = Object.values(kernels).flatMap(({ kernel, initrd }) => [
      kernel,
      ...(initrd === null ? [] : [initrd]),
    ]);
    const missing = files.find((file) => !existsSync(file));
    if (missing !== undefined) return unusable(context, `${missing}: no such file here.`);
    const remote = remoteOf(host, asked.ssh);
    const steps = hostSteps({
      folder: asked["host-folder"],
      level: asked.level,
      with: asked.with,
      rebootBy: asked["reboot-by"],
      before: asked.before,
      after: asked.after,
      cmdline: asked.cmdline,
    });
    const order: DriveOrder = {
      kernels,
      level: asked.level,
      labels: asked.label,
      repeat: asked.repeat,
      limitMs: asked.limit * 1000,
      stopAfter: asked["stop-after"],
      prepare: asked.prepare,
    };
    if (asked["dry-run"]) {
      context.stdout.write(dryRun(remote, steps, order, asked.output));
      return exit.success;
    }
    const plan = planOf(host, order, asked);
    const found = readJournal(asked.output);
    if (!found.ok) return unusable(context, found.error);
    const problem = journalProblem(found.value, plan, asked.resume, asked.output);
    if (problem !== null) return unusable(context, problem);
    try {
      for (const folder of two ? [asked.output, join(asked.output, "a"), join(asked.output, "b")] : [asked.output])
        makeFolder(folder);
    } catch (error) {
      return unusable(context, `${asked.output} cannot be made: ${(error as Error).message}`);
    }
    const journal: DriveJournal = found.value ?? { id: randomBytes(16).toString("hex"), plan, updates: [] };
    writeJournal(asked.output, journal);
    const driver = new Driver(
      {
        remote,
        steps,
        out: asked.output,
        save: (changed) => writeJournal(asked.output, changed),
        report: (line) => context.stdout.write(`${escapeControls(line)}\n`),
        nowMs: () => performance.now(),
        sleep: (ms) => sleep(ms),
        describe,
      },
      order,
      journal,
    );
    const driven = await driver.run();
    if (!driven.ok) return unusable(context, driven.error);
    return conclude(context, driven.value, { ...asked, total: asked.repeat * Object.keys(kernels).length });
  },
});

/** What the updates of a folder have in common: a drive goes on only with the same. */
function planOf(
  host: string,
  { kernels, level }: DriveOrder,
  asked: {
    readonly with: string | null;
    readonly before: string | null;
    readonly after: string | null;
    readonly cmdline: string;
    readonly "reboot-by": string;
  },
): DriveJournal["plan"] {
  const digest = (path: string | null): string =>
    path === null ? "none" : createHash("sha256").update(readFileSync(path)).digest("hex");
  return {
    host,
    level,
    with: asked.with ?? "",
    before: asked.before ?? "",
    after: asked.after ?? "",
    cmdline: asked.cmdline,
    "reboot-by": asked["reboot-by"],
    ...Object.fromEntries(
      Object.entries(kernels).flatMap(([side, { kernel, initrd }]) => [
        [`kernel-${side}`, digest(kernel)],
        [`initrd-${side}`, digest(initrd)],
      ]),
    ),
  };
}

/** Why a drive cannot begin or go on in a folder; null if it can. */
function journalProblem(
  found: DriveJournal | null,
  plan: DriveJournal["plan"],
  resume: boolean,
  folder: string,
): string | null {
  if (found === null) return resume ? `${folder}: there is no drive to resume.` : null;
  if (!resume)
    return `${folder} holds a drive already: give --resume to go on with it, or another folder with --output.`;
  const other = [...new Set([...Object.keys(plan), ...Object.keys(found.plan)])].find(
    (key) => plan[key] !== found.plan[key],
  );
  return other === undefined
    ? null
    : `${folder}: its drive was begun with another ${other} (${found.plan[other] ?? "none"}), and a cohort is of one kind: give the same, or another folder.`;
}

/** Outcome and blackout of a capture, for the update's line. */
async function describe(path: string): Promise<string | null> {
  const loaded = await withCapture(path, DEFAULT_CAPTURE_OPTIONS, ({ update }) => {
    const { outcome, blackout } = update.document;
    const { durationNs, uncertaintyNs } = blackout;
    const within = uncertaintyNs === null ? "" : ` ${formatUncertainty(uncertaintyNs as never)}`;
    return `${outcome}, blackout ${durationNs === null ? "not known" : `${formatDuration(durationNs as never)}${within}`}`;
  });
  return loaded.ok ? loaded.value : null;
}

function dryRun(remote: Remote, steps: Steps, { kernels, repeat, limitMs }: DriveOrder, out: string): string {
  const lines: string[] = [];
  const step = (what: string, script: string, input: string | null = null, output: string | null = null): void => {
    lines.push(`# ${what}`, remote.commandLine({ script, input, output, timeoutMs: 0 }));
  };
  step("claim the host", steps.claim("0".repeat(32)));
  step("copy the recorder", steps.put("recorder.sh"), "recorder.sh");
  for (const [side, { kernel, initrd }] of Object.entries(kernels)) {
    step("copy a kernel", steps.put(`kernel-${side}`), kernel);
    if (initrd !== null) step("copy its initrd", steps.put(`initrd-${side}`), initrd);
  }
  step("check what the host can record", steps.doctor());
  for (const side of Object.keys(kernels) as KernelSide[]) {
    lines.push(`# ${repeat} times${Object.keys(kernels).length > 1 ? `, by turns: kernel ${side}` : ""}:`);
    step("arm", steps.arm(side));
    step("load", steps.load(side));
    step("save; pause and kexec, in a process of their own", steps.reboot());
    step(`look each second until another boot answers, for ${limitMs / 1000} s at most`, steps.look());
    step("in the new kernel", steps.resume());
    step("collect", steps.collect("NAME", []));
    step("fetch", steps.fetch(), null, join(out, "001.tar.gz"));
    step("disarm", steps.disarm());
  }
  step("remove all that was put there", steps.clean());
  return `${lines.join("\n")}\n`;
}

interface Conclusion {
  readonly output: string;
  readonly ab: string | null;
  readonly baseline: string | null;
  readonly budget: string | null;
  readonly total: number;
}

/** Prints the answer of all updates, and gives the exit code. */
async function conclude(context: Context, { journal, stopped, left }: DriveResult, asked: Conclusion): Promise<number> {
  const done = journal.updates.filter(({ state }) => state === "done").length;
  const host = escapeControls(journal.plan.host ?? "");
  context.stdout.write(
    `${done} of ${asked.total} updates made${stopped === null ? "" : `; stopped: ${escapeControls(stopped)}`}; ${left === null ? `nothing is left on ${host}` : `left on ${host}: ${escapeControls(left)}`}\n\n`,
  );
  if (!journal.updates.some(({ capture }) => capture !== null)) return unusable(context, "no update left a capture.");
  const code = await verdict(context, asked);
  if (code !== exit.success) return code;
  return done === asked.total && stopped === null ? exit.success : INCOMPLETE;
}

async function verdict(context: Context, { output, ab, baseline, budget }: Conclusion): Promise<number> {
  if (budget !== null) {
    return runOther(context, gateCommand, [
      "--budget",
      budget,
      ...(baseline === null ? [] : ["--baseline", baseline]),
      output,
    ]);
  }
  const pair = ab !== null ? [join(output, "b"), join(output, "a")] : baseline !== null ? [baseline, output] : null;
  if (pair === null) return runOther(context, percentilesCommand, [output]);
  const code = await runOther(context, compareCommand, pair);
  if (code !== exit.success) return code;
  const loaded = await loadCohorts(context, pair, DEFAULT_CAPTURE_OPTIONS);
  if (!loaded.ok) return loaded.error;
  const [base, candidate] = loaded.value.cohorts;
  const comparison = compareCohorts(base!, candidate!, { floors: DEFAULT_FLOORS, seed: 1 });
  return comparison?.verdict === "regressed" ? FAILED : exit.success;
}

/** Another command's answer, by its own command line. */
async function runOther(context: Context, command: Command, args: readonly string[]): Promise<number> {
  const parsed = parseArguments(command.options, command.positionals, args);
  return parsed.ok ? command.run(context, parsed.value) : unusable(context, parsed.error);
}
