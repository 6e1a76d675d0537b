/** The sh scripts that drive a host through one live update. Pure: what is printed by --dry-run is what runs. */
import { shellWord } from "./remote.js";

export const SIDES = ["a", "b"] as const;
/** Which of the two kernels of --ab an update goes to; without --ab always `a`. */
export type KernelSide = (typeof SIDES)[number];

export interface StepOptions {
  /** Folder on the host, on a file system that outlives the kexec. All that is put on the host lies in it. */
  readonly folder: string;
  readonly level: string;
  /** Also record these: sched, irq, kvm, separated by commas; null: none. */
  readonly with: string | null;
  /** `kexec`, `systemctl`, or a command of the host's own. */
  readonly rebootBy: string;
  /** Commands that run on the host: right before the kexec, and in the new kernel. */
  readonly before: string | null;
  readonly after: string | null;
  /** Further words of the next kernel's command line. */
  readonly cmdline: string;
}

/** Of the host's boot; a host made up of files has its own /proc. */
const BOOT_ID = `"\${BLACKOUT_ROOT:-}/proc/sys/kernel/random/boot_id"`;
/** The folder's owner: no two drivers use one host at a time. */
const OWNER = "driver";

export interface Steps {
  /** Claims the folder for this drive, and prints `boot=`, `release=` and the checksums of files that are there. */
  claim(id: string): string;
  /** Standard input becomes the file NAME in the folder, whole or not at all. */
  put(name: string): string;
  doctor(): string;
  /** The words that the first boot needs, behind this kernel's own. */
  firstWords(): string;
  /** Kexecs once into a kernel with these words, without recording. */
  prepare(side: KernelSide): string;
  arm(side: KernelSide): string;
  load(side: KernelSide): string;
  /** Saves, and starts pause and kexec in a process of their own, so that no network stands between the two. */
  reboot(): string;
  /**
   * `boot=ID`, `idle` if `reboot` has not been called since `disarm`, and `ended` with the log's last lines if the
   * process of `reboot` has ended.
   */
  look(): string;
  /** In the new kernel: the probes, then the user's command. */
  resume(): string;
  collect(name: string, labels: readonly string[]): string;
  /** To standard output. */
  fetch(): string;
  disarm(): string;
  /** Removes all that was put on the host, and prints what is left. */
  clean(): string;
}

export function hostSteps(options: StepOptions): Steps {
  const dir = shellWord(options.folder);
  const recorder = (...words: readonly string[]): string =>
    `sh ${dir}/recorder.sh ${words.join(" ")} --state ${dir}/state`;
  const level = ["--level", options.level, ...(options.with === null ? [] : ["--with", shellWord(options.with)])];
  const loaded = (side: KernelSide, words: string): string =>
    `kexec -s -l ${dir}/kernel-${side} $([ ! -e ${dir}/initrd-${side} ] || echo --initrd=${dir}/initrd-${side}) --command-line="${words}"`;
  const extra = options.cmdline === "" ? "" : ` ${options.cmdline.replaceAll(/(["$`\\])/g, "\\$1")}`;
  const kexec = { kexec: "kexec -e", systemctl: "systemctl kexec" }[options.rebootBy] ?? options.rebootBy;
  const detached = (commands: string): string =>
    [
      `printf '%s\\n' ${shellWord(commands)} > ${dir}/reboot.sh`,
      `rm -f ${dir}/reboot.ended`,
      `( exec < /dev/null > ${dir}/reboot.log 2>&1; trap '' HUP; code=0; sh -e ${dir}/reboot.sh || code=$?; echo "exit $code" > ${dir}/reboot.ended ) &`,
    ].join("\n");
  return {
    claim: (id) =>
      [
        "set -e",
        "umask 077",
        `mkdir -p ${dir}`,
        `[ -e ${dir}/${OWNER} ] || echo ${shellWord(id)} > ${dir}/${OWNER}`,
        `echo "owner=$(head -n 1 ${dir}/${OWNER})"`,
        `echo "boot=$(cat ${BOOT_ID})"`,
        `echo "release=$(cat "\${BLACKOUT_ROOT:-}/proc/sys/kernel/osrelease")"`,
        `command -v kexec > /dev/null && echo kexec=yes || echo kexec=no`,
        `cd ${dir}`,
        "for file in recorder.sh kernel-a kernel-b initrd-a initrd-b; do [ ! -e $file ] || sha256sum $file; done",
      ].join("\n"),
    put: (name) => `set -e; umask 077; cd ${dir}; cat > ${name}.new; mv ${name}.new ${name}; sha256sum ${name}`,
    doctor: () => recorder("doctor", "--json", ...level),
    firstWords: () => recorder("kernel-cmdline", "--reuse-cmdline", "--for", "old", ...level),
    prepare: (side) =>
      [
        "set -e",
        `words=$(${recorder("kernel-cmdline", "--reuse-cmdline", "--for", "old", ...level)})`,
        loaded(side, "$words"),
        detached(kexec),
      ].join("\n"),
    arm: (side) => recorder("arm", ...level, "--kernel", `${dir}/kernel-${side}`),
    load: (side) =>
      [
        "set -e",
        `words=$(${recorder("kernel-cmdline", "--reuse-cmdline", ...level)})`,
        loaded(side, `$words${extra}`),
      ].join("\n"),
    reboot() {
      const commands = [...(options.before === null ? [] : [options.before]), kexec];
      return ["set -e", recorder("save"), detached(commands.join("\n"))].join("\n");
    },
    look: () =>
      [
        `echo "boot=$(cat ${BOOT_ID})"`,
        `[ -e ${dir}/reboot.sh ] || echo idle`,
        `if [ -e ${dir}/reboot.ended ]; then echo ended; cat ${dir}/reboot.ended; tail -n 5 ${dir}/reboot.log; fi`,
      ].join("\n"),
    resume: () =>
      [
        "set -e",
        ...(options.level === "probes" || options.level === "graph" ? [recorder("arm")] : []),
        ...(options.after === null ? [] : [options.after]),
      ].join("\n"),
    collect: (name, labels) =>
      [
        "set -e",
        recorder(
          "collect",
          "-o",
          `${dir}/capture.tar.gz`,
          "--name",
          shellWord(name),
          ...labels.flatMap((label) => ["--label", shellWord(label)]),
        ),
        `cd ${dir}; sha256sum capture.tar.gz`,
      ].join("\n"),
    fetch: () => `cat ${dir}/capture.tar.gz`,
    disarm: () => `${recorder("disarm", "--discard")} && rm -f ${dir}/capture.tar.gz ${dir}/reboot.*`,
    clean: () =>
      [
        `[ ! -e ${dir}/recorder.sh ] || ${recorder("disarm", "--discard")}`,
        `cd ${dir} 2> /dev/null || exit 0`,
        `rm -f ${OWNER} recorder.sh kernel-a kernel-b initrd-a initrd-b capture.tar.gz reboot.sh reboot.log reboot.ended *.new`,
        `cd / && rmdir ${dir} || ls -A ${dir}`,
      ].join("\n"),
  };
}
