/** Steps of a script: each says what it does and how long it took, and a step that fails ends the script. */
import { spawn } from "node:child_process";
import { realpathSync } from "node:fs";
import { root } from "./project.mjs";

/** A failure that is the user's to read: its message alone is printed, never a stack. */
export class StepFailure extends Error {}

/**
 * Runs a program from the project's root. Without `quiet` it writes where this script does; with it, its output is
 * printed only if it fails. Nothing is read from stdin. Resolves to its exit code (128 + the signal's number if killed).
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
      // Only a program that is not there can be named better than Node.js does.
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

/** Says what is being done, and afterwards how long it took. */
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

/** Runs a script's main function where the script is what was started, and not where it is imported. */
export async function main(meta, work) {
  // The path that was typed may lead through a symbolic link; the module's own never does.
  if (realpathSync(process.argv[1]) !== meta.filename) return;
  try {
    process.exitCode = (await work(process.argv.slice(2))) ?? 0;
  } catch (thrown) {
    process.stderr.write(thrown instanceof StepFailure ? `== failed: ${thrown.message}\n` : `${thrown.stack}\n`);
    process.exitCode = 1;
  }
}
