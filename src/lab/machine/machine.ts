/** A QEMU machine that runs one live update. */
import { spawn, spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { holdsKernelLine, type KernelLineId } from "../../model/kernel-lines.js";
import { type Observation, openObserver } from "./observer.js";

/**
 * `icount`: emulation on one host CPU in which an instruction takes a nanosecond of the guest's time, whatever else the
 * host does (QEMU's -icount). What recording costs in instructions shows there without the host's noise.
 */
export type Accelerator = UsableAccelerator | "icount";
type UsableAccelerator = "kvm" | "tcg";

const QEMU = "qemu-system-x86_64";
/** With KVM, a kernel prints this much within a second. */
const KVM_BOOT_MS = 10_000;

/**
 * KVM if this kernel really starts under it. It is not enough that the device can be opened, or a machine created: in
 * some nested guests the kernel then runs thousands of times too slowly.
 */
export function usableAccelerator(kernel: string): Promise<UsableAccelerator> {
  if (!existsSync("/dev/kvm")) return Promise.resolve("tcg");
  const machine = ["-accel", "kvm", "-cpu", "host", "-m", "256", "-display", "none", "-nodefaults", "-no-reboot"];
  const boot = ["-kernel", kernel, "-append", "earlyprintk=serial console=ttyS0 panic=-1", "-serial", "stdio"];
  return new Promise((resolve) => {
    const qemu = spawnMachine([...machine, ...boot], "pipe");
    const timer = setTimeout(() => qemu.kill("SIGKILL"), KVM_BOOT_MS);
    let said = "";
    let found: UsableAccelerator = "tcg";
    qemu.stdout?.on("data", (data: Buffer) => {
      if (said.length < 65_536) said += data.toString("latin1");
      if (!holdsKernelLine(said, "linux-version")) return;
      found = "kvm";
      qemu.kill("SIGKILL");
    });
    const end = (): void => {
      clearTimeout(timer);
      resolve(found);
    };
    qemu.on("error", end);
    qemu.on("close", end);
  });
}

/** util-linux's setpriv, if present: with it, the machine does not outlive this process, however the process ends. */
function spawnMachine(args: readonly string[], stdout: "pipe" | "ignore") {
  const bound = spawnSync("setpriv", ["--pdeathsig", "KILL", "true"], { stdio: "ignore" }).status === 0;
  const [program, ...before] = bound ? ["setpriv", "--pdeathsig", "KILL", QEMU] : [QEMU];
  return spawn(program as string, [...before, ...args], { stdio: ["ignore", stdout, "pipe"] });
}

export interface MachineOptions {
  readonly accelerator: Accelerator;
  readonly kernel: string;
  /** Null: the kernel finds its root by its command line. */
  readonly initrd: string | null;
  readonly commandLine: string;
  readonly cpus: number;
  readonly memoryMib: number;
  /** Network devices, for their probe and shutdown. */
  readonly nics: number;
  /** Folder that the guest mounts over 9p, as `out`. */
  readonly share: string;
  readonly console: string;
  /** Path of the observer's socket; at most 107 bytes (sockaddr_un). */
  readonly observer: string;
  /** Path of the debugger's socket (debugger.ts), with the same limit; null without a debugger. */
  readonly gdb: string | null;
  /** QEMU's argument for a plugin; null without one. */
  readonly plugin: string | null;
  readonly limitMs: number;
  /** The last line of a new kernel that hangs: the machine is stopped then. Null: only the limit stops it. */
  readonly lastWords: KernelLineId | null;
  readonly signal: AbortSignal;
}

/** The interval of checking the console, and the time from a panic or a hang to stopping the machine. */
const LOOK_MS = 3_000;

export type MachineEnd =
  | { readonly kind: "powered-off" | "timed-out" | "hung"; readonly observed: Observation }
  | { readonly kind: "failed"; readonly message: string };

const ACCELERATORS: Readonly<Record<Accelerator, string>> = {
  kvm: "kvm",
  tcg: "tcg,thread=multi",
  icount: "tcg,thread=single",
};

function argumentsOf(options: MachineOptions): readonly string[] {
  const nic = ["-device", "e1000,romfile="];
  return [
    ...["-accel", ACCELERATORS[options.accelerator]],
    // Without it the RTC is the host's: realtime passes faster than the guest runs, which contradicts its clock link.
    ...(options.accelerator === "icount" ? ["-icount", "shift=0,sleep=on", "-rtc", "clock=vm"] : []),
    ...["-cpu", options.accelerator === "kvm" ? "host" : "max"],
    ...["-m", String(options.memoryMib), "-smp", String(options.cpus)],
    ...["-nographic", "-nodefaults", "-no-reboot", "-serial", `file:${options.console}`],
    ...["-chardev", `socket,id=observer,path=${options.observer}`, "-serial", "chardev:observer"],
    ...["-virtfs", `local,path=${options.share},mount_tag=out,security_model=none`],
    ...["-device", "virtio-rng-pci"],
    ...(options.plugin === null ? [] : ["-plugin", options.plugin]),
    ...(options.gdb === null ? [] : ["-gdb", `unix:path=${options.gdb},server=on,wait=off`]),
    ...Array.from({ length: options.nics }, () => nic).flat(),
    ...["-kernel", options.kernel, "-append", options.commandLine],
    ...(options.initrd === null ? [] : ["-initrd", options.initrd]),
  ];
}

/** Why this process ended the machine; null: it ended by itself. */
type Stop = "interrupted" | "panicked" | "hung" | "timed-out";

/** Runs the machine until it powers off, reboots, panics or hangs, or until the limit. Never rejects. */
export async function runMachine(options: MachineOptions): Promise<MachineEnd> {
  const observer = await openObserver(options.observer);
  if (!observer.ok) return { kind: "failed", message: observer.error };
  const { observation, close } = observer.value;
  try {
    return await new Promise<MachineEnd>((resolve) => {
      const machine = spawnMachine(argumentsOf(options), "ignore");
      let complaint = "";
      let stopped: Stop | null = null;
      machine.stderr?.on("data", (data: Buffer) => {
        if (complaint.length < 4_096) complaint += data.toString("utf8");
      });
      const stop = (why: Stop): void => {
        stopped ??= why;
        machine.kill("SIGKILL");
      };
      const interrupt = (): void => stop("interrupted");
      const timer = setTimeout(() => stop("timed-out"), options.limitMs);
      const watch = setInterval(watchConsole(options, stop), LOOK_MS);
      options.signal.addEventListener("abort", interrupt, { once: true });
      if (options.signal.aborted) interrupt();
      const end = (result: MachineEnd): void => {
        clearTimeout(timer);
        clearInterval(watch);
        options.signal.removeEventListener("abort", interrupt);
        resolve(result);
      };
      machine.on("error", (error) => end({ kind: "failed", message: `${QEMU}: ${error.message}` }));
      machine.on("close", (code, signal) => {
        const observed = observation(options.accelerator === "icount" ? "guest" : "host");
        if (stopped === "timed-out" || stopped === "hung") end({ kind: stopped, observed });
        else if (stopped === "panicked" || (stopped === null && code === 0)) end({ kind: "powered-off", observed });
        else if (stopped === "interrupted") end({ kind: "failed", message: "The machine was stopped." });
        else {
          const how = signal === null ? `ended with ${code}` : `was killed by ${signal}`;
          end({ kind: "failed", message: `${QEMU} ${how}${complaint === "" ? "" : `: ${complaint.trim()}`}` });
        }
      });
    });
  } finally {
    close();
  }
}

/** panic=-1 restarts a machine that panics, but some kernels panic before they read it. */
function watchConsole({ console, lastWords }: MachineOptions, stop: (why: Stop) => void): () => void {
  let [panicked, hung] = [false, false];
  return () => {
    if (panicked) stop("panicked");
    if (!existsSync(console)) return;
    const text = readFileSync(console, "latin1");
    panicked = holdsKernelLine(text, "panic");
    if (hung) stop("hung");
    hung = lastWords !== null && holdsKernelLine(text, lastWords);
  };
}
