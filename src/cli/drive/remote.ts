/** Runs sh on the host that is driven: through OpenSSH's client, with the user's own configuration, or here. */
import { spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";

/** How an sh script is to run on the host. */
export interface RemoteCall {
  readonly script: string;
  /** File whose content is the script's standard input; null: none. */
  readonly input: string | null;
  /** File that takes the script's standard output; null: it is returned. */
  readonly output: string | null;
  readonly timeoutMs: number;
}

export interface RemoteAnswer {
  /** The script's exit code; 255 is ssh's own; null if it was stopped at the timeout or could not be started. */
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Remote {
  /** As the user typed it; `here` for this host. */
  readonly host: string;
  run(call: RemoteCall): Promise<RemoteAnswer>;
  /** The command line that `run` executes, for a person. */
  commandLine(call: RemoteCall): string;
}

const MAX_ANSWER_BYTES = 4 << 20;

/** A word of sh, quoted if it must be. */
export function shellWord(word: string): string {
  return /^[A-Za-z0-9_/.:=@%+,-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

/** `ssh`: the client and its options, split at blanks. Nothing asks for a password: the driver cannot answer. */
export function remoteOf(host: string, ssh: string): Remote {
  const client = ssh.split(/\s+/).filter((word) => word !== "");
  const words = (call: RemoteCall): readonly string[] =>
    host === "here"
      ? ["sh", "-c", call.script]
      : [
          ...client,
          "-o",
          "BatchMode=yes",
          "-o",
          "ConnectTimeout=10",
          "--",
          host,
          `exec sh -c ${shellWord(call.script)}`,
        ];
  return {
    host,
    run: (call) => runWords(words(call), call),
    commandLine: (call) => {
      const from = call.input === null ? "" : ` < ${shellWord(call.input)}`;
      const to = call.output === null ? "" : ` > ${shellWord(call.output)}`;
      return `${words(call).map(shellWord).join(" ")}${from}${to}`;
    },
  };
}

function runWords([program, ...args]: readonly string[], call: RemoteCall): Promise<RemoteAnswer> {
  const input = call.input === null ? "ignore" : openSync(call.input, "r");
  const output = call.output === null ? "pipe" : openSync(call.output, "w");
  const close = (): void => {
    for (const file of [input, output]) if (typeof file === "number") closeSync(file);
  };
  return new Promise((resolve) => {
    const child = spawn(program as string, args, { stdio: [input, output, "pipe"] });
    close();
    const texts = { stdout: "", stderr: "" };
    for (const name of ["stdout", "stderr"] as const) {
      child[name]?.on("data", (data: Buffer) => {
        if (texts[name].length < MAX_ANSWER_BYTES) texts[name] += data.toString("utf8");
      });
    }
    const timer = setTimeout(() => child.kill("SIGKILL"), call.timeoutMs);
    child.on("error", (error) => {
      clearTimeout(timer);
      resolve({ code: null, stdout: "", stderr: error.message });
    });
    child.on("close", (code) => {
      clearTimeout(timer);
      resolve({ code, ...texts });
    });
  });
}
