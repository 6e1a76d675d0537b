/** Programs that the tests compare against and npm does not have: finds them, or installs them from Debian. */
import { spawnSync } from "node:child_process";
import { accessSync, constants, existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import { exitCodeOf, StepFailure, say } from "./step.mjs";

/** Debian's own interpreter sees Debian's modules; another python3 earlier on the PATH may not. */
const python = "/usr/bin/python3";

/** `use` is printed if the program is missing; `find` is how to look for it. */
const tools = [
  { find: "command", name: "chromium", package: "chromium", use: "the tests of the viewer in a browser" },
  { find: "command", name: "java", package: "default-jre-headless", use: "the test that reads logs with HdrHistogram" },
  {
    find: "file",
    name: "/usr/share/java/hdrhistogram.jar",
    package: "libhdrhistogram-java",
    use: "the test that reads logs with HdrHistogram",
  },
  {
    find: "command",
    name: "protoc",
    package: "protobuf-compiler",
    use: "the tests that decode Perfetto traces with protoc",
  },
  { find: "command", name: "zstd", package: "zstd", use: "the tests that unpack what zstd packs" },
  { find: "command", name: "shellcheck", package: "shellcheck", use: "the test that checks the recorder's shell" },
  {
    find: "command",
    name: "busybox",
    package: "busybox-static",
    use: "the tests of the recorder in busybox, and of the lab",
  },
  { find: "command", name: "qemu-system-x86_64", package: "qemu-system-x86", use: "the test of the lab" },
  { find: "command", name: "socat", package: "socat", use: "the test of the hook that pauses QEMU" },
  { find: "command", name: "curl", package: "curl", use: "the test of the hook that pauses other VMMs" },
  { find: "command", name: "gcc", package: "gcc", use: "the test of the lab" },
  { find: "file", name: "/usr/lib/x86_64-linux-gnu/libc.a", package: "libc6-dev", use: "the test of the lab" },
  // 10 MB; it is there on most machines.
  { find: "command", name: "systemd-analyze", package: "systemd", use: "the test that verifies the systemd units" },
  { find: "command", name: "trace-cmd", package: "trace-cmd", use: "the tests that compare with trace-cmd" },
  {
    find: "command",
    name: "promtool",
    package: "prometheus",
    use: "the tests of rules and metrics, and the one in which Prometheus scrapes",
  },
  { find: "command", name: "zsh", package: "zsh", use: "the test of its completion" },
  { find: "command", name: "fish", package: "fish", use: "the test of its completion" },
  {
    find: "python module",
    name: "scipy",
    package: "python3-scipy",
    use: "the tests of the statistics against SciPy",
  },
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

/** Finds the module without importing it: SciPy takes half a second to import. */
function hasPythonModule(name) {
  const find = `import importlib.util, sys; sys.exit(importlib.util.find_spec("${name}") is None)`;
  return spawnSync(python, ["-c", find]).status === 0;
}

function isFound({ find, name }) {
  switch (find) {
    case "command":
      return isOnPath(name);
    case "file":
      return existsSync(name);
    case "python module":
      return hasPythonModule(name);
    default:
      throw new Error(`no way to find a ${find}`);
  }
}

const missingTools = () => tools.filter((tool) => !isFound(tool));

/** The beginning of a command line that runs as root without a password, or null. */
async function asRoot() {
  if (process.getuid?.() === 0) return [];
  if (isOnPath("sudo") && (await exitCodeOf("sudo", ["-n", "true"], { quiet: true })) === 0) return ["sudo", "-n"];
  return null;
}

/** Prints what `installTools` would install, before anything else is done. */
export async function announceTools() {
  const packages = missingTools().map((tool) => tool.package);
  if (packages.length === 0) return;
  const how = isOnPath("apt-get") && (await asRoot()) !== null ? "will be installed by apt-get" : "are not installed";
  say(`Debian packages that the tests compare with ${how}: ${packages.join(" ")}`);
}

/**
 * Installs the missing tools, if possible. Prints one line for each that cannot be installed (no apt-get, no root,
 * archive not reachable); the tests that need it skip themselves. If the archive answers and the installation still
 * fails, CI fails too: tests must not disappear from it unnoticed.
 */
export async function installTools() {
  const missing = missingTools();
  if (missing.length === 0) return;
  const packages = missing.map((tool) => tool.package);
  const root = isOnPath("apt-get") ? await asRoot() : null;
  if (root !== null) {
    say(`installing for the tests: ${packages.join(" ")} (apt-get)`);
    // A package may bring a service (prometheus does), which must not start. invoke-rc.d(8) starts nothing in runlevel
    // 1, and systemctl(1) starts nothing offline.
    const quietly = ["DEBIAN_FRONTEND=noninteractive", "RUNLEVEL=1", "SYSTEMD_OFFLINE=1"];
    const [program, ...args] = [...root, "env", ...quietly, "apt-get"];
    // Another apt-get may be running, as at the first start of a cloud machine.
    args.push("-q", "-y", "-o", "DPkg::Lock::Timeout=300");
    const updated = await exitCodeOf(program, [...args, "-o", "APT::Update::Error-Mode=any", "update"], {
      quiet: true,
    });
    const install = [...args, "install", "--no-install-recommends", ...packages];
    await exitCodeOf(program, install, { quiet: true });
    const still = missingTools().map(({ name }) => name);
    if (still.length > 0 && updated === 0 && process.env.CI) {
      throw new StepFailure(`${still.join(", ")} could not be installed, although Debian's archive answers`);
    }
  }
  for (const tool of missingTools()) {
    say(`MISSING: ${tool.name}: ${tool.use} will be skipped (on Debian: apt-get install ${tool.package})`);
  }
}
