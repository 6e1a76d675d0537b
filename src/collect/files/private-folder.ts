/**
 * A temporary folder that does not outlive its process, however that ends. A handler of signals would not do: it runs
 * only between two turns of the event loop, so that Ctrl+C would wait for seconds of analysis. Instead a shell waits at
 * the end of a pipe that the system closes with the process, and removes the folder then; the signal itself still ends
 * the process at once, as 130 or 143 in the shell that started it.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface PrivateFolder {
  readonly path: string;
  remove(): void;
}

export function privateFolder(): PrivateFolder {
  const path = mkdtempSync(join(tmpdir(), "blackout-"));
  const keeper = keeperOf(path);
  const remove = (): void => {
    process.removeListener("exit", remove);
    rmSync(path, { recursive: true, force: true });
    keeper?.kill("SIGKILL");
  };
  // Its opener removes it; this is for what ends the process before that, also without a shell.
  process.once("exit", remove);
  return { path, remove };
}

/** Null without such a shell. In a session of its own, so that a terminal's Ctrl+C does not reach it. */
function keeperOf(path: string): ChildProcess | null {
  if (process.platform === "win32") return null;
  const keeper = spawn("/bin/sh", ["-c", 'read -r _; rm -rf -- "$1"', "sh", path], {
    cwd: "/",
    detached: true,
    stdio: ["pipe", "ignore", "ignore"],
  });
  keeper.on("error", () => {});
  keeper.stdin.on("error", () => {});
  keeper.unref();
  (keeper.stdin as unknown as { unref?: () => void }).unref?.();
  return keeper;
}
