/** A capture's files held in memory, so that tests can change, mix and leave out any of them. */

import { memoryCapture } from "../fakes/capture-memory.js";
import { type ReadUpdate, updateOfCapture, withFiles } from "./captures.js";

export type HeldFiles = Readonly<Record<string, Uint8Array>>;

/** Every file of the capture at `path`, as it lies there (`.gz` still packed). */
export async function heldFiles(path: string): Promise<HeldFiles> {
  return withFiles(path, (files) =>
    Object.fromEntries(
      files.paths.flatMap((name) => {
        const source = files.open(name);
        if (source === null) return [];
        const bytes = new Uint8Array(source.size);
        source.read(bytes, 0);
        return [[name, bytes]];
      }),
    ),
  );
}

/** The update that the files show. */
export const heldUpdate = (files: HeldFiles): ReadUpdate => updateOfCapture(memoryCapture(files));

/** The files, one of them with other text in it. */
export function withText(files: HeldFiles, path: string, change: (text: string) => string): HeldFiles {
  const bytes = files[path];
  if (bytes === undefined) throw new Error(`no file ${path}`);
  const text = Buffer.from(bytes).toString("latin1");
  const changed = change(text);
  if (changed === text) throw new Error(`${path} is as it was`);
  return { ...files, [path]: new Uint8Array(Buffer.from(changed, "latin1")) };
}

/** The files, those of a folder replaced by another capture's. */
export function withFolder(files: HeldFiles, folder: string, others: HeldFiles): HeldFiles {
  const inside = ([path]: readonly [string, Uint8Array]): boolean => path.startsWith(`${folder}/`);
  return Object.fromEntries([
    ...Object.entries(files).filter((entry) => !inside(entry)),
    ...Object.entries(others).filter(inside),
  ]);
}

/** The files, another clock in brackets in a `trace_clock`. */
export function withClock(files: HeldFiles, path: string, clock: string): HeldFiles {
  return withText(files, path, (text) => {
    const bare = text.replace(/[[\]]/g, "");
    return bare.replace(new RegExp(`(^| )${clock}(?= |\\n|$)`), `$1[${clock}]`);
  });
}

/** The files, the new boot's TSC shifted by `counts` in its pages and pairs, as if it was stepped at the kexec. */
export function withSteppedTsc(files: HeldFiles, counts: bigint): HeldFiles {
  let changed = withText(files, "new/clock_pairs", (text) =>
    text.replace(/^(now ts: *)(\d+)$/gm, (_, label: string, tsc: string) => `${label}${BigInt(tsc) + counts}`),
  );
  for (const [path, bytes] of Object.entries(files)) {
    if (!/^new\/per_cpu\/cpu\d+\/trace_pipe_raw$/.test(path)) continue;
    const pages = bytes.slice();
    const view = new DataView(pages.buffer);
    for (let at = 0; at + 16 <= pages.length; at += 4_096) {
      const stamp = view.getBigUint64(at, true);
      if (stamp > 0n) view.setBigUint64(at, stamp + counts, true);
    }
    changed = { ...changed, [path]: pages };
  }
  return Object.fromEntries(
    Object.entries(changed).filter(([path]) => !/^new\/(?:trace|per_cpu\/cpu\d+\/stats)$/.test(path)),
  );
}
