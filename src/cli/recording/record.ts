import { chmodSync, copyFileSync, readFileSync, renameSync } from "node:fs";
import { join } from "node:path";
import { LEVELS, recorderPath, runRecorder } from "../../recorder/recorder.js";
import { makeFolder } from "../files/make-folder.js";
import { type Context, defineCommand, exit, misused, unusable } from "../frame/command.js";
import { choice, flag, text, withDefault } from "../frame/options.js";

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
  return exit.success;
}

interface Asked {
  readonly plan: boolean;
  readonly level: string;
  readonly with: string | null;
  readonly "kernel-cmdline": boolean;
  readonly "first-boot": boolean;
  readonly "reuse-cmdline": boolean;
  readonly bootconfig: boolean;
  readonly initrd: string | null;
  readonly output: string | null;
  readonly "same-build": boolean;
  readonly backup: boolean;
  readonly probes: string | null;
}

/** What an option is said of that is not asked for; null where all fit. */
function misplacedOption(asked: Asked): string | null {
  const words = asked["kernel-cmdline"];
  if (asked["first-boot"] && !words) return "--first-boot: is of --kernel-cmdline, which is not given.";
  if (asked["reuse-cmdline"] && (!words || asked.bootconfig))
    return "--reuse-cmdline: is of --kernel-cmdline without --bootconfig.";
  if (asked.backup && !words) return "--backup: is of --kernel-cmdline, which is not given.";
  if (asked.backup && asked["first-boot"]) return "--backup: before any live update there is nothing to copy.";
  if (asked.bootconfig && !words) return "--bootconfig: is of --kernel-cmdline, which is not given.";
  if (asked.bootconfig && asked["first-boot"]) return "--bootconfig: is for the next kernel, not with --first-boot.";
  if (asked["same-build"] && !asked.bootconfig) return "--same-build: is of --bootconfig, which is not given.";
  if (asked.probes !== null && !asked.plan) return "--probes: is of --plan, which is not given.";
  if ((asked.initrd === null) !== (asked.output === null)) return "--initrd FILE and --output FILE go together.";
  if (asked.initrd !== null && !asked.bootconfig) return "--initrd: is of --bootconfig, which is not given.";
  return null;
}

function recorderArguments(asked: Asked): readonly string[] {
  const value = (option: string, text: string | null): readonly string[] => (text === null ? [] : [option, text]);
  const given = (option: string, flag: boolean): readonly string[] => (flag ? [option] : []);
  const level = ["--level", asked.level, ...value("--with", asked.with)];
  if (asked.plan) return ["plan", ...level, ...value("--probes", asked.probes)];
  const backup = given("--backup", asked.backup);
  if (!asked.bootconfig) {
    const boot = ["--for", asked["first-boot"] ? "old" : "next"];
    return ["kernel-cmdline", ...boot, ...level, ...backup, ...given("--reuse-cmdline", asked["reuse-cmdline"])];
  }
  const files = [...value("--initrd", asked.initrd), ...value("-o", asked.output)];
  return ["bootconfig", ...level, ...backup, ...given("--same-build", asked["same-build"]), ...files];
}

export const record = defineCommand({
  usage: "--print | --install DIR | --plan | --kernel-cmdline",
  description:
    "Recording is done by one POSIX sh file that needs neither Node.js nor a network: `doctor`, `arm` and `save` before the kexec, `mark` at pause and resume, `collect` and `disarm` after it (docs/recorder.md).\n--plan prints exactly what `arm` would write on this host, where, and why; --kernel-cmdline the words that the next kernel must be started with. Both change nothing.\nWith --bootconfig these words are a bootconfig instead, which the next kernel reads from the end of its initrd (CONFIG_BOOT_CONFIG): it is not limited to 2,047 characters, and defines LUO's probes, so that nobody arms them inside the blackout.",
  options: {
    print: flag("Print the recorder itself"),
    install: text("DIR", `Put it into a folder, as ${RECORDER_NAME}`),
    plan: flag("What arming would write on this host, where, and why"),
    "kernel-cmdline": flag("The words for the next kernel's command line"),
    "first-boot": flag("With --kernel-cmdline: those for the host's own boot, before any live update"),
    "reuse-cmdline": flag("With --kernel-cmdline: behind this kernel's own words, without those they replace"),
    bootconfig: flag("With --kernel-cmdline: the same as a bootconfig, LUO's probes among it"),
    initrd: text("FILE", "With --bootconfig: the next kernel's initrd, of which a copy gets it"),
    output: text("FILE", "The copy", "o"),
    "same-build": flag("With --bootconfig: the next kernel is this build, so that its structures are known"),
    backup: flag("With --kernel-cmdline: the next kernel copies the rings at boot, and they record at once"),
    probes: choice("KIND", ["fprobe", "kprobe"], "What probes are made of; else what costs less on this host"),
    level: withDefault(choice("LEVEL", LEVELS, "How much is recorded"), "events"),
    with: text("LIST", "Events beyond the level's own: sched, irq, kvm, separated by commas"),
  },
  positionals: {},
  examples: [
    { command: "blackout record --install /usr/local/sbin", what: "Put the recorder on this host" },
    { command: "blackout record --plan --level probes", what: "What it would write to tracefs" },
    {
      command: "blackout record --kernel-cmdline --reuse-cmdline --level events",
      what: "For kexec -s --command-line",
    },
    {
      command: "blackout record --kernel-cmdline --bootconfig --level probes --initrd initrd.img -o initrd.next",
      what: "An initrd that tells the next kernel what to record, its probes included",
    },
  ],
  exitCodes: [],
  run: async (context, { options }) => {
    const asked = [options.print, options.install !== null, options.plan, options["kernel-cmdline"]];
    if (asked.filter((each) => each).length !== 1) {
      return misused(context, "Give one of --print, --install DIR, --plan and --kernel-cmdline.");
    }
    if (options.print) {
      context.stdout.write(readFileSync(recorderPath, "utf8"));
      return exit.success;
    }
    if (options.install !== null) return install(context, options.install);
    const misplaced = misplacedOption(options);
    if (misplaced !== null) return misused(context, misplaced);
    const run = runRecorder(recorderArguments(options));
    if (!run.ok) return unusable(context, run.error);
    context.stdout.write(run.value.stdout);
    context.stderr.write(run.value.stderr);
    if (run.value.code === 2) return exit.usage;
    return run.value.code === 0 ? exit.success : exit.unusableInput;
  },
});
