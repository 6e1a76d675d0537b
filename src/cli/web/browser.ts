/** Opens an address in the user's browser. */
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface OpenedBrowser {
  /** False if no program to do it with could be started. */
  readonly started: boolean;
  /** Deletes the page that leads to the address. */
  close(): void;
}

/**
 * Opens `url`, which holds a secret. Every user of the machine sees the arguments of a process, so the browser is given
 * a page of the user's own (0600, in a folder of 0700) that leads there.
 */
export async function openBrowser(url: string, platform: NodeJS.Platform = process.platform): Promise<OpenedBrowser> {
  const folder = mkdtempSync(join(tmpdir(), "blackout-open-"));
  const page = join(folder, "open.html");
  const close = (): void => {
    process.removeListener("exit", close);
    rmSync(folder, { recursive: true, force: true });
  };
  process.once("exit", close);
  writeFileSync(page, redirectPage(url), { flag: "wx", mode: 0o600 });
  const started = await start(page, platform);
  if (!started) close();
  return { started, close };
}

function start(page: string, platform: NodeJS.Platform): Promise<boolean> {
  const [program, ...args] =
    platform === "darwin" ? ["open", page] : platform === "win32" ? ["explorer.exe", page] : ["xdg-open", page];
  return new Promise((done) => {
    const child = spawn(program as string, args, { stdio: "ignore", detached: true });
    child.once("error", () => done(false));
    child.once("spawn", () => {
      child.unref();
      done(true);
    });
  });
}

/** A page that leads to the address at once, and sends no referrer. */
export function redirectPage(url: string): string {
  const text = url.replaceAll("&", "&amp;").replaceAll('"', "&quot;").replaceAll("<", "&lt;");
  return `<!doctype html><meta charset="utf-8"><meta name="referrer" content="no-referrer"><meta http-equiv="refresh" content="0; url=${text}"><title>blackout</title><p><a href="${text}">Continue to blackout</a>\n`;
}
