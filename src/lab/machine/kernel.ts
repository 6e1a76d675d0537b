/**
 * Builds a kernel for the lab from Debian's source package, with the options that a live update and its recording need.
 */
import { spawn, spawnSync } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { basename, join } from "node:path";
import { err, ok, type Result } from "../../base/result.js";
import { findSelftests, SELFTESTS_FOLDER } from "./selftests.js";

export const kernelOptions: string = join(import.meta.dirname, "kernel.config");

/** The first release with LUO. */
const LUO_SINCE: readonly [number, number] = [6, 19];

/** The version in `linux-source-7.3.tar.xz`; null for other names. */
function releaseOf(file: string): readonly [number, number] | null {
  const found = /^linux-source-(\d{1,3})\.(\d{1,3})\.tar\.\w+$/.exec(file);
  return found === null ? null : [Number(found[1]), Number(found[2])];
}

const byRelease = (a: readonly [number, number], b: readonly [number, number]): number => a[0] - b[0] || a[1] - b[1];

/** The newest of Debian's source archives among `files` that has LUO, or null. */
export function newestSource(files: readonly string[]): string | null {
  const found = files.flatMap((file) => {
    const release = releaseOf(file);
    return release === null || byRelease(release, LUO_SINCE) < 0 ? [] : [{ file, release }];
  });
  return found.sort((a, b) => byRelease(a.release, b.release)).at(-1)?.file ?? null;
}

/**
 * Options of `fragment` that are missing in the kernel's configuration `config`: Kconfig drops options with unmet
 * dependencies.
 */
export function optionsNotTaken(fragment: string, config: string): readonly string[] {
  const taken = new Set(config.split("\n"));
  return fragment
    .split("\n")
    .filter((line) => /^CONFIG_\w+=/.test(line))
    .filter((line) => (line.endsWith("=n") ? taken.has(line.replace(/n$/, "y")) : !taken.has(line)));
}

export interface KernelBuild {
  /** Archive of the source; null: the newest under /usr/src. */
  readonly source: string | null;
  /** Where it is unpacked, built and kept (3 GB); an unpacked source is used again. */
  readonly folder: string;
  readonly jobs: number;
}

const DEBIAN_SOURCES = "/usr/src";

/** The path of the bzImage. `say` gets a line for each step. The error is a sentence for the user. */
export async function buildKernel(
  { source, folder, jobs }: KernelBuild,
  say: (step: string) => void,
): Promise<Result<string, string>> {
  const packaged = newestSource(existsSync(DEBIAN_SOURCES) ? readdirSync(DEBIAN_SOURCES) : []);
  const archive = source ?? (packaged === null ? null : join(DEBIAN_SOURCES, packaged));
  if (archive === null || !existsSync(archive)) {
    return err(
      `There is no kernel source at ${archive ?? `${DEBIAN_SOURCES}/linux-source-*.tar.xz, of Linux ${LUO_SINCE.join(".")} or later`}: on Debian, apt-get install linux-source-7.3 (from backports or sid), or give --source.`,
    );
  }
  const absent = ["make", "gcc", "flex", "bison", "bc", "xz"].filter(
    (tool) => spawnSync(tool, ["--version"], { stdio: "ignore" }).error !== undefined,
  );
  if (absent.length > 0) {
    return err(
      `To build a kernel, these are missing: ${absent.join(", ")}; on Debian, apt-get install build-essential flex bison bc xz-utils libelf-dev.`,
    );
  }
  const tree = join(folder, "source");
  if (!existsSync(join(tree, "Makefile"))) {
    say(`unpacking ${archive}`);
    rmSync(tree, { recursive: true, force: true });
    mkdirSync(tree, { recursive: true });
    const unpacked = await run("tar", ["-xf", archive, "--strip-components=1", "-C", tree]);
    if (unpacked !== null) return err(`${archive} cannot be unpacked: ${unpacked}`);
  }
  say("configuring");
  // Kconfig's defaults for the rest: without them (allnoconfig), a kernel had no /proc/sys and could not be the target
  // of a kexec.
  const configured = await run("make", ["-C", tree, `KCONFIG_ALLCONFIG=${kernelOptions}`, "alldefconfig"]);
  if (configured !== null) return err(`The kernel cannot be configured: ${configured}`);
  const notTaken = optionsNotTaken(readFileSync(kernelOptions, "utf8"), readFileSync(join(tree, ".config"), "utf8"));
  if (notTaken.length > 0) say(`this kernel does not have: ${notTaken.join(" ")}`);
  say(`building with ${jobs} jobs`);
  const built = await run("make", ["-C", tree, `-j${jobs}`, "bzImage"]);
  if (built !== null) return err(`The kernel cannot be built: ${built}`);
  const image = join(folder, "bzImage");
  copyFileSync(join(tree, "arch/x86/boot/bzImage"), image);
  say("building the kernel's own tests of LUO");
  const tests = (await run("make", ["-C", tree, "headers"])) ?? (await buildSelftests(tree, join(folder, "selftests")));
  // The kernel is usable without them.
  if (tests !== null) say(`they cannot be built: ${tests}`);
  return ok(image);
}

/** Null, or why not. */
async function buildSelftests(tree: string, to: string): Promise<string | null> {
  const from = join(tree, SELFTESTS_FOLDER);
  const failed = await run("make", ["-C", from, "LDFLAGS=-static"]);
  if (failed !== null) return failed;
  const found = findSelftests(from);
  if (!found.ok) return found.error;
  mkdirSync(to, { recursive: true });
  for (const program of found.value) copyFileSync(program, join(to, basename(program)));
  return null;
}

const TAIL_CHARACTERS = 2_000;

/** Null, or the last lines of the program's errors. */
function run(program: string, args: readonly string[]): Promise<string | null> {
  return new Promise((resolve) => {
    const child = spawn(program, args, { stdio: ["ignore", "ignore", "pipe"] });
    let tail = "";
    child.stderr.on("data", (data: Buffer) => {
      tail = (tail + data.toString("utf8")).slice(-TAIL_CHARACTERS);
    });
    child.on("error", (error) => resolve(error.message));
    child.on("close", (code) => resolve(code === 0 ? null : tail.trim() || `${program} ended with ${code}`));
  });
}
