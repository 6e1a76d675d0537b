/**
 * The true clock of the seam: how many instructions each of its stages took, counted by a plugin of QEMU's. With
 * `-icount shift=0` an instruction is a nanosecond, so that the tool's stages can be checked against them.
 */
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { err, ok, type Result } from "../../base/result.js";
import { FUNCTIONS } from "../../model/luo.js";
import { bootOnce } from "./short-boot.js";

/** In the old kernel: where counting begins. */
const BEGIN = FUNCTIONS.machineKexec.name;
/** In the new kernel: where it ends. */
const END = "run_init_process";
/** Functions of the new kernel whose first call begins a stage (init/main.c, mm/mm_init.c, arch/x86/kernel/tsc.c). */
const STAGES = [
  "start_kernel",
  "__set_cyc2ns_scale",
  "mm_core_init",
  "kmem_cache_init",
  "ftrace_init",
  "rcu_init",
  "trace_init",
  "early_irq_init",
  "console_init",
] as const;

/** Since QEMU 9.0 plugins must be of API 2 or later; before 8.2 of 1 (include/qemu/qemu-plugin.h). */
const API_2_SINCE = 9;

/** Whether both kernels are where they are linked: the plugin is given addresses. */
export const TRUTH_WORDS = "nokaslr";

/** Nanoseconds of `-icount shift=0` from machine_kexec to the first call of each, in the order of time. */
export interface SeamTruth {
  readonly stages: readonly { readonly name: string; readonly ns: number }[];
}

/** What a machine needs to count. */
export interface TruthPlugin {
  /** The argument of QEMU's `-plugin` that writes to the file `out`. */
  argument(out: string): string;
}

export interface TruthOptions {
  readonly kernel: string;
  readonly next: string;
  readonly busybox: string;
  readonly limitMs: number;
}

type Symbols = ReadonlyMap<string, bigint>;

/** Lines of /proc/kallsyms; of equal names the first. */
export function symbolsOf(text: string): Symbols {
  const symbols = new Map<string, bigint>();
  for (const line of text.split("\n")) {
    const [, address, name] = /^([0-9a-f]{16}) \S (\S+)$/.exec(line.trim()) ?? [];
    if (address !== undefined && name !== undefined && !symbols.has(name)) symbols.set(name, BigInt(`0x${address}`));
  }
  return symbols;
}

/** The plugin's lines `NAME COUNT`; null if they are not that, or go back in time. */
export function parseTruth(text: string): SeamTruth | null {
  const stages: { name: string; ns: number }[] = [];
  for (const line of text.split("\n").filter((each) => each !== "")) {
    const [, name, count] = /^(\w+) (\d{1,15})$/.exec(line) ?? [];
    if (name === undefined || Number(count) < (stages.at(-1)?.ns ?? 0)) return null;
    stages.push({ name, ns: Number(count) });
  }
  return stages.length === 0 ? null : { stages };
}

function bootForSymbols(kernel: string, folder: string, options: TruthOptions): Result<Symbols, string> {
  const wanted = [BEGIN, END, "_text", "startup_64", ...STAGES].join("|");
  const printed = bootOnce({
    ...{ kernel, folder, busybox: options.busybox, limitMs: options.limitMs, words: TRUTH_WORDS },
    script: `grep -E ' (${wanted})$' /proc/kallsyms`,
  });
  return printed.ok ? ok(symbolsOf(printed.value)) : printed;
}

function compile(folder: string): Result<string, string> {
  const version = spawnSync("qemu-system-x86_64", ["--version"], { encoding: "utf8" }).stdout ?? "";
  const major = Number(/version (\d+)\./.exec(version)?.[1] ?? "0");
  const plugin = join(folder, "seam-plugin.so");
  const source = join(import.meta.dirname, "seam-plugin.c");
  const flags = ["-O2", "-shared", "-fPIC", `-DAPI_VERSION=${major >= API_2_SINCE ? 2 : 1}`, "-o", plugin, source];
  const compiled = spawnSync(process.env.CC ?? "gcc", flags, { encoding: "utf8" });
  if (compiled.status === 0) return ok(plugin);
  return err(`The plugin for --truth cannot be compiled: ${compiled.error?.message ?? compiled.stderr.trim()}`);
}

/** Compiles the plugin and boots both kernels once for their addresses. The error is a sentence for the user. */
export function makeTruthPlugin(folder: string, options: TruthOptions): Result<TruthPlugin, string> {
  const plugin = compile(folder);
  if (!plugin.ok) return plugin;
  const old = bootForSymbols(options.kernel, folder, options);
  if (!old.ok) return old;
  const next = options.next === options.kernel ? old : bootForSymbols(options.next, folder, options);
  if (!next.ok) return next;
  const [begin, end] = [old.value.get(BEGIN), next.value.get(END)];
  const [text, startup] = [next.value.get("_text"), next.value.get("startup_64")];
  if (begin === undefined || end === undefined || text === undefined || startup === undefined) {
    return err(`--truth needs ${BEGIN}, ${END}, _text and startup_64 in /proc/kallsyms (CONFIG_KALLSYMS_ALL).`);
  }
  const stages = STAGES.flatMap((name) => {
    const address = next.value.get(name);
    return address === undefined ? [] : [{ name, address }];
  });
  const marks = [{ name: BEGIN, address: begin }, ...stages, { name: END, address: end }];
  const file = join(folder, "seam-marks");
  writeFileSync(file, marks.map(({ name, address }) => `${address.toString(16)} ${name}\n`).join(""));
  const entry = (startup - text).toString(16);
  return ok({ argument: (out) => `${plugin.value},marks=${file},startup=${entry},out=${out}` });
}

/** What the plugin wrote to `path`; null if it counted nothing. */
export function readTruth(path: string): SeamTruth | null {
  return existsSync(path) ? parseTruth(readFileSync(path, "latin1")) : null;
}
