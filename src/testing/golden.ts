/**
 * Golden files: what a test printed when a person last looked at it. `UPDATE_GOLDEN=1` writes them again; read the diff
 * before committing.
 */
import assert from "node:assert/strict";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";

/** The one variable for all golden files, texts and pictures. */
export const updatingGoldens = (): boolean => process.env.UPDATE_GOLDEN === "1";

export const UPDATE_ADVICE = "UPDATE_GOLDEN=1 writes it";

export function writeGolden(path: string, content: string | Uint8Array): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, content);
}

/** Fails unless the file at `path` contains exactly `text`; writes it while goldens are updated. */
export function assertGolden(path: string, text: string): void {
  if (updatingGoldens()) writeGolden(path, text);
  assert.ok(existsSync(path), `${path} is missing; ${UPDATE_ADVICE}`);
  assert.equal(text, readFileSync(path, "utf8"), `differs from ${path}; if the change is meant, ${UPDATE_ADVICE}`);
}
