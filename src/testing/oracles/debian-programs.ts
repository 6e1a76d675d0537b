/** Debian's programs that tests compare with (scripts/lib/debian-tools.mjs installs them). */
import { spawnSync } from "node:child_process";

/** For a test's `skip`: false if the program runs, else why the test is skipped. */
export function missing(program: string, debianPackage: string): false | string {
  const found = spawnSync(program, ["--version"], { stdio: "ignore" }).error === undefined;
  return found ? false : `${program} is missing (on Debian: apt-get install ${debianPackage})`;
}

export interface Ran {
  readonly code: number | null;
  readonly out: string;
}

/** Runs a program with `input`; what it printed to both streams. */
export function run(program: string, args: readonly string[], input = ""): Ran {
  const { status, stdout, stderr } = spawnSync(program, args, { input, encoding: "utf8", timeout: 60_000 });
  return { code: status, out: `${stdout}${stderr}` };
}
