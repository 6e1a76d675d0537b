#!/usr/bin/env node
/** Wires the process to the command line; everything else is in modules that know no process. */
import { readFileSync } from "node:fs";
import { exit } from "./command.js";
import type { Output } from "./command-context.js";
import { bugReport, runCli } from "./command-run.js";
import { commands } from "./commands.js";

/**
 * A stream whose reader may leave early (`blackout … | head`): what is written after that is dropped, and the command
 * runs on, so that its exit code (a gate's verdict) does not depend on who reads.
 */
function outputTo(stream: NodeJS.WriteStream): Output {
  let abandoned = false;
  stream.on("error", (error: NodeJS.ErrnoException) => {
    abandoned = true;
    if (error.code === "EPIPE" || error.code === "ERR_STREAM_DESTROYED") return;
    process.exitCode = 74; // EX_IOERR of sysexits.h(3): a full disk must not look like an answer
    if (stream !== process.stderr) process.stderr.write(`blackout: cannot write the output: ${error.message}\n`);
  });
  return {
    write: (data) => {
      if (!abandoned) stream.write(data);
    },
    isTerminal: stream.isTTY === true,
    columns: stream.isTTY === true && stream.columns > 0 ? stream.columns : null,
  };
}

const manifest: { version: string } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8"));

process.on("uncaughtException", (thrown) => {
  process.stderr.write(bugReport(thrown, "it", manifest.version, process.env.BLACKOUT_DEBUG === "1"));
  process.exit(exit.bug);
});

const code = await runCli(
  process.argv.slice(2),
  {
    stdout: outputTo(process.stdout),
    stderr: outputTo(process.stderr),
    env: process.env,
    version: manifest.version,
    nowMs: () => performance.now(),
  },
  commands,
);
// Not process.exit(): what is still to be written must be written. A failed write has said so already.
process.exitCode ??= code;
