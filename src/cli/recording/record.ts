import { chmodSync, copyFileSync, readFileSync, renameSync } from "node:fs";
import { join } from "node:path";
import { PROBE_LEVELS, recorderPath, runRecorder } from "../../recorder/recorder.js";
import { makeFolder } from "../files/make-folder.js";
import { type Context, defineCommand, exit, misused, unusable } from "../frame/command.js";
import { atMostOne, choiceOption, flagOption, textOption, withDefault } from "../frame/options.js";
import { NOT_STAMPED, runStamp } from "./stamp.js";

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

/** Why an option does not fit the others given, as a sentence; null if all fit. */
function misplacedOption(asked: Asked): string | null {
  const words = asked["kernel-cmdline"];
  if (asked["first-boot"] && !words) return "--first-boot: is of --kernel-cmdline, which is not given.";
  if (asked["reuse-cmdline"] && (!words || asked.bootconfig))
    return "--reuse-cmdline: is of --kernel-cmdline without --bootconfig.";
  if (asked.backup && !words) return "--backup: is of --kernel-cmdline, which is not given.";
  if (asked.backup && asked["first-boot"]) return "--backup: before any live update there is nothing to copy.";
  if (asked.bootconfig && !words) return "--bootconfig: is of --kernel-cmdline, which is not given.";
  if (asked.bootconfig && asked["first-boot"]) return "--bootconfig: is for the next kernel, not with --first-boot.";
  if (asked["same-build"] && (!words || asked["first-boot"]))
    return "--same-build: is of --kernel-cmdline for the next kernel.";
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
    return [
      "kernel-cmdline",
      ...boot,
      ...level,
      ...backup,
      ...given("--same-build", asked["same-build"]),
      ...given("--reuse-cmdline", asked["reuse-cmdline"]),
    ];
  }
  const files = [...value("--initrd", asked.initrd), ...value("-o", asked.output)];
  return ["bootconfig", ...level, ...backup, ...given("--same-build", asked["same-build"]), ...files];
}

export const recordCommand = defineCommand({
  usage: "--print|--install DIR|--plan|--kernel-cmdline|stamp FILE",
  description:
    "The recorder is one POSIX sh script that needs neither Node.js nor a network: `doctor`, `arm` and `save` run before the kexec, `mark` at pause and resume, `collect` and `disarm` after it (docs/recorder.md).\n--plan prints what `arm` would write on this host, where, and why. --kernel-cmdline prints the words to add to the next kernel's command line. Neither changes anything.\nWith --bootconfig these words are a bootconfig, which the next kernel reads from the end of its initrd (CONFIG_BOOT_CONFIG). It is not limited to 2,047 characters, and it defines LUO's probes, so that none is armed inside the blackout.\n`record stamp` writes a copy of an x86-64 kernel image that stores the TSC at its entry and where the unpacked kernel is entered, so that the seam is opened exactly (docs/image-stamp.md). A signed image is stamped before it is signed.",
  options: {
    print: flagOption("Print the recorder"),
    install: textOption("DIR", `Install it in this folder as ${RECORDER_NAME}`),
    plan: flagOption("Print what arming would write on this host, where, and why"),
    "kernel-cmdline": flagOption("Print the words for the next kernel's command line"),
    "first-boot": flagOption("With --kernel-cmdline: print the words for a first boot, before any live update"),
    "reuse-cmdline": flagOption(
      "With --kernel-cmdline: append to this kernel's own command line, replacing earlier words",
    ),
    bootconfig: flagOption("With --kernel-cmdline: print a bootconfig, which includes LUO's probes"),
    initrd: textOption("FILE", "With --bootconfig: append it to a copy of this initrd"),
    output: textOption("FILE", "Write the copy to this file", "o"),
    verify: flagOption("With stamp: print whether the image is stamped, and where"),
    remove: flagOption("With stamp: write a copy without the stamps"),
    "drop-signature": flagOption("With stamp: accept a signed image, and write the copy unsigned"),
    "same-build": flagOption(
      "With --kernel-cmdline: the next kernel is this build, with the same structures and functions",
    ),
    backup: flagOption(
      "With --kernel-cmdline: have the next kernel copy the rings at boot and record into them at once",
    ),
    probes: choiceOption(
      "KIND",
      ["fprobe", "kprobe"],
      "Make probes of this kind (default: the cheaper one on this host)",
    ),
    level: withDefault(choiceOption("LEVEL", PROBE_LEVELS, "Record at this level"), "events"),
    with: textOption("LIST", "Also record these events: sched, irq, kvm, separated by commas"),
  },
  positionals: { what: atMostOne("stamp", ["stamp"]), image: atMostOne("The kernel image to stamp") },
  examples: [
    { command: "blackout record --install /usr/local/sbin", what: "Install the recorder on this host" },
    { command: "blackout record --plan --level probes", what: "Print what it would write to tracefs" },
    {
      command: "blackout record --kernel-cmdline --reuse-cmdline --level events",
      what: "Print the argument of kexec -s --command-line",
    },
    {
      command: "blackout record --kernel-cmdline --bootconfig --level probes --initrd initrd.img -o initrd.next",
      what: "Write an initrd that makes the next kernel record, probes included",
    },
    { command: "blackout record stamp bzImage -o bzImage.stamped", what: "Write a stamped copy of the next kernel" },
  ],
  exitCodes: [{ code: NOT_STAMPED, meaning: "stamp --verify: the image is not stamped" }],
  run: async (context, { options, positionals }) => {
    const asked = [options.print, options.install !== null, options.plan, options["kernel-cmdline"]];
    const count = asked.filter((each) => each).length;
    if (positionals.what === "stamp" && count === 0) return runStamp(context, { ...options, image: positionals.image });
    if (count !== 1 || positionals.what !== null) {
      return misused(context, "Give one of --print, --install DIR, --plan, --kernel-cmdline and stamp BZIMAGE.");
    }
    for (const name of ["verify", "remove", "drop-signature"] as const) {
      if (options[name]) return misused(context, `--${name}: is of stamp, which is not given.`);
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
