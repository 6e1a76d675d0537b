/** Programs that the tests compare against, and that npm does not have: found, or installed from Debian. */
import { accessSync, constants, existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import { exitCodeOf, StepFailure, say } from "./step.mjs";

/** What each is for is what a reader is told when it cannot be had; `file` where it is no command on the PATH. */
const tools = [
  { command: "chromium", package: "chromium", use: "the tests of the viewer in a browser" },
  { command: "java", package: "default-jre-headless", use: "the test that reads histogram logs with HdrHistogram" },
  {
    file: "/usr/share/java/hdrhistogram.jar",
    command: "hdrhistogram.jar",
    package: "libhdrhistogram-java",
    use: "the test that reads histogram logs with HdrHistogram",
  },
  { command: "protoc", package: "protobuf-compiler", use: "the tests that decode Perfetto traces with protoc" },
  { command: "zstd", package: "zstd", use: "the tests that unpack what zstd packs" },
  { command: "trace-cmd", package: "trace-cmd", use: "the tests that compare with trace-cmd" },
];

function isExecutable(path) {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

function isOnPath(command) {
  return (process.env.PATH ?? "").split(delimiter).some((folder) => isExecutable(join(folder, command)));
}

const missingTools = () =>
  tools.filter(({ command, file }) => (file === undefined ? !isOnPath(command) : !existsSync(file)));

/** The beginning of a command line that runs as root without asking, or null. */
async function asRoot() {
  if (process.getuid?.() === 0) return [];
  if (isOnPath("sudo") && (await exitCodeOf("sudo", ["-n", "true"], { quiet: true })) === 0) return ["sudo", "-n"];
  return null;
}

/**
 * Installs the tools that are missing, where that can be done. What cannot be had here (no apt-get, no root, no archive
 * within reach) is said in one sentence each, and the tests that need it skip themselves. Where the archive answers and
 * the installation still fails, CI fails too: tests must not vanish from it unnoticed.
 */
export async function installTools() {
  const missing = missingTools();
  if (missing.length === 0) return;
  const packages = missing.map((tool) => tool.package);
  const root = isOnPath("apt-get") ? await asRoot() : null;
  if (root !== null) {
    say(`installing for the tests: ${packages.join(" ")} (apt-get)`);
    const [program, ...args] = [...root, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get"];
    // Another apt-get may be at work, as at the first start of a cloud machine.
    args.push("-q", "-y", "-o", "DPkg::Lock::Timeout=300");
    const updated = await exitCodeOf(program, [...args, "-o", "APT::Update::Error-Mode=any", "update"], {
      quiet: true,
    });
    const install = [...args, "install", "--no-install-recommends", ...packages];
    await exitCodeOf(program, install, { quiet: true });
    const still = missingTools().map(({ command }) => command);
    if (still.length > 0 && updated === 0 && process.env.CI) {
      throw new StepFailure(`${still.join(", ")} could not be installed, although Debian's archive answers`);
    }
  }
  for (const { command, package: name, use } of missingTools()) {
    say(`MISSING: ${command}: ${use} will be skipped (on Debian: apt-get install ${name})`);
  }
}
