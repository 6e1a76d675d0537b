/** Linux's own tests of LUO (tools/testing/selftests/liveupdate): those with a kexec between two stages. */
import { openSync, readdirSync, readSync, statSync } from "node:fs";
import { join } from "node:path";
import { err, ok, type Result } from "../../base/result.js";

/** As its Makefile has them: TEST_GEN_PROGS_EXTENDED. */
const NAMED = /^luo_\w+$/;
/** Of the kernel's source. */
export const SELFTESTS_FOLDER = "tools/testing/selftests/liveupdate";
const BUILD = `in the kernel's source, \`make headers\` and \`make -C ${SELFTESTS_FOLDER} LDFLAGS=-static\` (\`blackout lab kernel\` does both)`;

/** Paths of the programs in `folder`, sorted. The error is a sentence for the user. */
export function findSelftests(folder: string | null): Result<readonly string[], string> {
  if (folder === null) return err(`The kernel's own tests are needed: --selftests DIR; to build them: ${BUILD}.`);
  const entries = statSync(folder, { throwIfNoEntry: false })?.isDirectory()
    ? readdirSync(folder, { withFileTypes: true })
    : [];
  const names = entries.filter((entry) => entry.isFile() && NAMED.test(entry.name)).map(({ name }) => name);
  const programs = names.map((name) => join(folder, name)).filter(isProgram);
  if (programs.length === 0) {
    return err(`${folder} has no program luo_…; to build Linux's tests of LUO: ${BUILD}.`);
  }
  const dynamic = programs.find((path) => !isStatic(path));
  if (dynamic !== undefined) return err(`${dynamic} is linked dynamically, and the guest has no libraries: ${BUILD}.`);
  return ok(programs.sort());
}

const MAGIC = "\x7fELF";
const HEAD_BYTES = 4096;

function head(path: string): Buffer {
  const bytes = Buffer.alloc(HEAD_BYTES);
  const file = openSync(path, "r");
  return bytes.subarray(0, readSync(file, bytes, 0, HEAD_BYTES, 0));
}

const isProgram = (path: string): boolean => head(path).toString("latin1", 0, MAGIC.length) === MAGIC;

/** A program that needs the dynamic loader names it (PT_INTERP), right after its headers. */
const isStatic = (path: string): boolean => !head(path).includes("/ld-linux");
