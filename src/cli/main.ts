#!/usr/bin/env node
/** Wires the process to the command line; everything else is in modules that know no process. */
import { readFileSync, writeSync } from "node:fs";
import { isatty } from "node:tty";
import { commands } from "./commands.js";
import { exit } from "./frame/command.js";
import type { Output } from "./frame/command-context.js";
import { bugReport, runCli } from "./frame/command-run.js";

/**
 * A file descriptor whose reader may leave early (`blackout … | head`): what is written after that is dropped, and the
 * command may run on, so that its exit code (a gate's verdict) does not depend on who reads. Written synchronously: a
 * stream would keep in memory whatever a slow reader has not taken yet, and would learn of its leaving too late.
 */
function outputTo(fd: 1 | 2): Output {
  // The stream is made for a terminal only, which it knows the width of: of a pipe it would change the mode.
  const terminal = isatty(fd) ? (fd === 1 ? process.stdout : process.stderr) : null;
  let closed = false;
  const fail = (error: NodeJS.ErrnoException): void => {
    closed = true;
    if (error.code === "EPIPE") return;
    process.exitCode = exit.output; // a full disk must not look like an answer
    if (fd === 1) stderr.write(`blackout: cannot write the output: ${error.message}\n`);
  };
  return {
    write: (data) => {
      const bytes = typeof data === "string" ? Buffer.from(data) : data;
      for (let at = 0; at < bytes.length && !closed; ) {
        try {
          at += writeSync(fd, bytes, at);
        } catch (error) {
          // A pipe that another process set to be non-blocking, and that is full.
          if ((error as NodeJS.ErrnoException).code === "EAGAIN") Atomics.wait(waiting, 0, 0, 5);
          else fail(error as NodeJS.ErrnoException);
        }
      }
    },
    get closed() {
      return closed;
    },
    isTerminal: terminal !== null,
    columns: terminal !== null && terminal.columns > 0 ? terminal.columns : null,
  };
}

const waiting = new Int32Array(new SharedArrayBuffer(4));
const stderr = outputTo(2);
const stdout = outputTo(1);

const manifest: { version: string } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8"));

process.on("uncaughtException", (thrown) => {
  stderr.write(bugReport(thrown, "it", manifest.version, process.env.BLACKOUT_DEBUG === "1"));
  process.exit(exit.bug);
});

// Not awaited at the top level: the single-file build is a script, which cannot.
void runCli(
  process.argv.slice(2),
  {
    stdout,
    stderr,
    env: process.env,
    version: manifest.version,
    nowMs: () => performance.now(),
  },
  commands,
).then((code) => {
  // Not process.exit(): what is still to be written must be written. A failed write has been reported already.
  process.exitCode ??= code;
});
