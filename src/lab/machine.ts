/** A QEMU machine that runs one live update, and the clock outside it that sees the pause and the resume. */
import { spawn, spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { createServer, type Server } from "node:net";

export type Accelerator = "kvm" | "tcg";

/** KVM where QEMU can start a machine on it: a device that can be opened is not enough in a nested guest. */
export function usableAccelerator(): Accelerator {
  const args = ["-accel", "kvm", "-cpu", "host", "-S", "-display", "none", "-nodefaults", "-monitor", "stdio"];
  const tried = spawnSync("qemu-system-x86_64", args, { input: "quit\n", timeout: 10_000 });
  return tried.status === 0 ? "kvm" : "tcg";
}

export interface MachineOptions {
  readonly accelerator: Accelerator;
  readonly kernel: string;
  readonly initrd: string;
  readonly commandLine: string;
  readonly cpus: number;
  readonly memoryMib: number;
  /** Network devices, for their probe and shutdown. */
  readonly nics: number;
  /** Folder that the guest mounts over 9p. */
  readonly share: string;
  readonly console: string;
  /** Path of the observer's socket; at most 107 bytes (sockaddr_un). */
  readonly observer: string;
  readonly limitMs: number;
  readonly signal: AbortSignal;
}

const PANIC = "Kernel panic - not syncing";
/** Between two looks at the console, and from a panic to the machine's end. */
const PANIC_LOOK_MS = 3_000;

/** What the observer saw, on the host's monotonic clock; null: that byte never came. */
export interface Observation {
  readonly pausedNs: bigint | null;
  readonly resumedNs: bigint | null;
}

export type MachineEnd =
  | { readonly kind: "powered-off"; readonly observed: Observation }
  | { readonly kind: "timed-out"; readonly observed: Observation }
  | { readonly kind: "failed"; readonly message: string };

function argumentsOf(options: MachineOptions): readonly string[] {
  const nic = ["-device", "e1000,romfile="];
  return [
    ...["-accel", options.accelerator === "kvm" ? "kvm" : "tcg,thread=multi"],
    ...["-cpu", options.accelerator === "kvm" ? "host" : "max"],
    ...["-m", String(options.memoryMib), "-smp", String(options.cpus)],
    ...["-nographic", "-nodefaults", "-no-reboot", "-serial", `file:${options.console}`],
    ...["-chardev", `socket,id=observer,path=${options.observer}`, "-serial", "chardev:observer"],
    ...["-virtfs", `local,path=${options.share},mount_tag=out,security_model=none`],
    ...["-device", "virtio-rng-pci"],
    ...Array.from({ length: options.nics }, () => nic).flat(),
    ...["-kernel", options.kernel, "-initrd", options.initrd, "-append", options.commandLine],
  ];
}

/** Runs the machine until it powers off, reboots or the limit is over. Never rejects. */
export async function runMachine(options: MachineOptions): Promise<MachineEnd> {
  const observed: { pausedNs: bigint | null; resumedNs: bigint | null } = { pausedNs: null, resumedNs: null };
  const server = await observe(options.observer, (byte, atNs) => {
    if (byte === "P") observed.pausedNs ??= atNs;
    if (byte === "R") observed.resumedNs = atNs;
  });
  if (typeof server === "string") return { kind: "failed", message: server };
  try {
    return await new Promise<MachineEnd>((resolve) => {
      const machine = spawn("qemu-system-x86_64", argumentsOf(options), { stdio: ["ignore", "ignore", "pipe"] });
      let complaint = "";
      let timedOut = false;
      machine.stderr.on("data", (data: Buffer) => {
        if (complaint.length < 4_096) complaint += data.toString("utf8");
      });
      const timer = setTimeout(() => {
        timedOut = true;
        machine.kill("SIGKILL");
      }, options.limitMs);
      const stop = (): void => void machine.kill("SIGKILL");
      let panicked = false;
      const watch = setInterval(() => {
        // panic=-1 restarts the machine, but not every kernel that panics gets so far.
        if (panicked) stop();
        panicked = existsSync(options.console) && readFileSync(options.console, "latin1").includes(PANIC);
      }, PANIC_LOOK_MS);
      options.signal.addEventListener("abort", stop, { once: true });
      if (options.signal.aborted) stop();
      const end = (result: MachineEnd): void => {
        clearTimeout(timer);
        clearInterval(watch);
        options.signal.removeEventListener("abort", stop);
        resolve(result);
      };
      machine.on("error", (error) => end({ kind: "failed", message: `qemu-system-x86_64: ${error.message}` }));
      machine.on("close", (code) => {
        if (timedOut) end({ kind: "timed-out", observed });
        else if (complaint.includes("terminating on signal")) end({ kind: "failed", message: complaint.trim() });
        else if (code === 0 || panicked) end({ kind: "powered-off", observed });
        else end({ kind: "failed", message: `qemu-system-x86_64 ended with ${code}: ${complaint.trim()}` });
      });
    });
  } finally {
    server.close();
  }
}

/** Stamps every byte as it arrives. */
function observe(path: string, seen: (byte: string, atNs: bigint) => void): Promise<Server | string> {
  return new Promise((resolve) => {
    const server = createServer((socket) => {
      socket.on("data", (data) => {
        const atNs = process.hrtime.bigint();
        for (const byte of data.toString("latin1")) seen(byte, atNs);
      });
      socket.on("error", () => {});
    });
    server.on("error", (error) => resolve(`the observer's socket: ${error.message}`));
    server.listen(path, () => resolve(server));
  });
}
