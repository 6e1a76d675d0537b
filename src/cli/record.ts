import { chmodSync, copyFileSync, readFileSync, renameSync } from "node:fs";
import { join } from "node:path";
import { LEVELS, recorderPath, runRecorder } from "../recorder/recorder.js";
import { type Context, defineCommand, exit, misused, unusable } from "./command.js";
import { makeFolder } from "./make-folder.js";
import { choice, flag, text, withDefault } from "./options.js";

const RECORDER_NAME = "blackout-recorder";

function install(context: Context, folder: string): number {
  const to = join(folder, RECORDER_NAME);
  try {
    makeFolder(folder);
    // A recorder that runs at this moment keeps its own file.
    copyFileSync(recorderPath, `${to}.new`);
    chmodSync(`${to}.new`, 0o755);
    renameSync(`${to}.new`, to);
  } catch (error) {
    return unusable(context, `The recorder cannot be installed: ${(error as Error).message}.`);
  }
  context.stdout.write(`${to}\n`);
  return exit.answered;
}

export const record = defineCommand({
  name: "record",
  group: "Recording",
  summary: "The recorder: print or install it, its plan, and the kernel's command line",
  usage: "--print | --install DIR | --plan | --kernel-cmdline",
  description:
    "Recording is done by one POSIX sh file that needs neither Node.js nor a network: `doctor`, `arm` and `save` before the kexec, `mark` at pause and resume, `collect` and `disarm` after it (docs/recorder.md).\n--plan prints exactly what `arm` would write on this host, where, and why; --kernel-cmdline the words that the next kernel must be started with. Both change nothing.",
  options: {
    print: flag("Print the recorder itself"),
    install: text("DIR", `Put it into a folder, as ${RECORDER_NAME}`),
    plan: flag("What arming would write on this host, where, and why"),
    "kernel-cmdline": flag("The words for the next kernel's command line"),
    "first-boot": flag("With --kernel-cmdline: those for the host's own boot, before any live update"),
    level: withDefault(choice("LEVEL", LEVELS, "How much is recorded"), "events"),
    with: text("LIST", "Events beyond the level's own: sched, irq, kvm, separated by commas"),
  },
  positionals: {},
  examples: [
    { command: "blackout record --install /usr/local/sbin", what: "Put the recorder on this host" },
    { command: "blackout record --plan --level probes", what: "What it would write to tracefs" },
    { command: "blackout record --kernel-cmdline --level events", what: "For kexec --append" },
  ],
  exitCodes: [],
  run: async (context, { options }) => {
    const asked = [options.print, options.install !== null, options.plan, options["kernel-cmdline"]];
    if (asked.filter((each) => each).length !== 1) {
      return misused(context, "Give one of --print, --install DIR, --plan and --kernel-cmdline.");
    }
    if (options.print) {
      context.stdout.write(readFileSync(recorderPath, "utf8"));
      return exit.answered;
    }
    if (options.install !== null) return install(context, options.install);
    const more = ["--level", options.level, ...(options.with === null ? [] : ["--with", options.with])];
    const boot = ["--for", options["first-boot"] ? "old" : "next"];
    const run = runRecorder(options.plan ? ["plan", ...more] : ["kernel-cmdline", ...boot, ...more]);
    if (!run.ok) return unusable(context, run.error);
    context.stdout.write(run.value.stdout);
    context.stderr.write(run.value.stderr);
    if (run.value.code === 2) return exit.usage;
    return run.value.code === 0 ? exit.answered : exit.unusableInput;
  },
});
