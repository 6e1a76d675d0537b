/** Where the service is asked: the address on the command line, and the token that every address begins with. */
import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { isIP } from "node:net";
import { err, ok, type Result } from "../../base/result.js";
import { readBoundedText } from "../files/bounded-text.js";
import { writeAtomically } from "../files/write-atomically.js";

export interface ListenAddress {
  readonly address: string;
  readonly port: number;
}

/** `127.0.0.1:9797`, `[::1]:9797`, `0.0.0.0:9797`: an address, as names have several. The error is a sentence. */
export function parseListen(text: string): Result<ListenAddress, string> {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([0-9.]+)):(\d{1,5})$/.exec(text);
  const address = match?.[1] ?? match?.[2] ?? "";
  const port = Number(match?.[3]);
  if (match === null || isIP(address) === 0 || port > 65_535) {
    return err(`--listen ${text}: expected ADDRESS:PORT, like 127.0.0.1:9797 or [::1]:9797`);
  }
  return ok({ address, port });
}

/** Long enough that no one guesses it, and of characters that stand in a path. */
const TOKEN = /^[A-Za-z0-9_-]{24,256}$/;

/** The token in the file. If the file does not exist, it is made with a new token, readable by its owner alone. */
export function tokenOf(path: string): Result<string, string> {
  if (existsSync(path)) {
    const read = readBoundedText(path, 1 << 20);
    if (!read.ok) return err(`${path}: the token ${read.error}`);
    const token = read.value.trim();
    if (TOKEN.test(token)) return ok(token);
    return err(`${path}: found no token, expected 24 to 256 letters, digits, - and _; remove it, and one is made`);
  }
  const token = randomBytes(24).toString("base64url");
  try {
    writeAtomically(path, `${token}\n`, 0o600);
  } catch (error) {
    return err(`${path}: the token cannot be kept there: ${(error as Error).message}`);
  }
  return ok(token);
}
