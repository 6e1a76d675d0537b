/** The recorder run on a made-up host, by each shell that a host may have. */
import { spawnSync } from "node:child_process";
import { createHmac } from "node:crypto";
import { recorderPath } from "../recorder/recorder.js";
import type { MadeUpHost } from "./fakes/tracefs-tree.js";

/** Those of dash and busybox ash that are installed. */
export const shells: readonly (readonly string[])[] = [["dash"], ["busybox", "ash"]].filter(
  ([program, ...args]) => spawnSync(program as string, [...args, "-c", ":"]).status === 0,
);

/** The first of them. */
export const [shell = ["sh"]] = shells;

export interface Run {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export function runRecord(on: MadeUpHost, args: readonly string[], by: readonly string[] = shell): Run {
  const [program, ...before] = by as [string, ...string[]];
  const run = spawnSync(program, [...before, recorderPath, ...args], { encoding: "utf8", env: on.env });
  return { code: run.status, stdout: run.stdout, stderr: run.stderr };
}

/** A session's name as `archive export --anonymise` hashes it, cut or continued to the name's length in bytes. */
export function pseudonymOf(key: string | Buffer, name: string): string {
  const digits = createHmac("sha256", key).update(`session\0${name}`).digest("hex");
  const bytes = Buffer.byteLength(name);
  return (bytes >= 20 ? `session-${digits}` : digits).slice(0, bytes);
}
