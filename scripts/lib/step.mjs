/** Steps of a script: each prints what it does and how long it took; a failed step ends the script. */
import { spawn } from "node:child_process";
import { realpathSync } from "node:fs";
import { root } from "./project.mjs";

/** A failure for the user: only its message is printed, never a stack. */
export class StepFailure extends Error {}

/**
 * Runs a program from the project's root. Without `quiet` its output goes where this script's goes; with it, output is
 * printed only on failure. It gets no stdin. Resolves to its exit code (128 + the signal's number if killed).
 */
export function exitCodeOf(program, args, { quiet = false, env = {} } = {}) {
  return new Promise((done, fail) => {
    const child = spawn(program, args, {
      cwd: root,
      env: { ...process.env, ...env },
      stdio: ["ignore", quiet ? "pipe" : "inherit", quiet ? "pipe" : "inherit"],
    });
    const output = [];
    child.stdout?.on("data", (part) => output.push(part));
    child.stderr?.on("data", (part) => output.push(part));
    child.on("error", (error) => {
      // For a missing program, Node.js's own message does not name it well.
      fail(error.code === "ENOENT" ? new StepFailure(`${program} is not installed`) : error);
    });
    child.on("close", (code) => {
      const exitCode = code ?? 128;
      if (exitCode !== 0) process.stderr.write(Buffer.concat(output));
      done(exitCode);
    });
  });
}

/** As `exitCodeOf`, but anything other than 0 is a failure. */
export async function run(program, args, options) {
  const code = await exitCodeOf(program, args, options);
  if (code !== 0) throw new StepFailure(`'${[program, ...args].join(" ")}' failed with exit code ${code}`);
}

/** Runs a script or tool written for Node.js with the Node.js that runs this one. */
export function runNode(args, options) {
  return run(process.execPath, args, options);
}

/** Prints what is being done, and afterwards how long it took. */
export async function step(what, work) {
  const began = performance.now();
  say(what);
  const result = await work();
  say(`${what}: ${((performance.now() - began) / 1000).toFixed(1)} s`);
  return result;
}

export function say(text) {
  process.stderr.write(`== ${text}\n`);
}

/** Runs a script's main function if the script was started, not if it was imported. */
export async function main(meta, work) {
  // The path on the command line may contain a symbolic link; the module's own does not.
  if (realpathSync(process.argv[1]) !== meta.filename) return;
  try {
    process.exitCode = (await work(process.argv.slice(2))) ?? 0;
  } catch (thrown) {
    process.stderr.write(thrown instanceof StepFailure ? `== failed: ${thrown.message}\n` : `${thrown.stack}\n`);
    process.exitCode = 1;
  }
}
