/**
 * Whether a capture's parts are of one update: the ids that each kernel wrote beside its files, and the digests of all
 * files (docs/capture-format.md, "Parts of one update"). Captures without them are not checked here.
 */

import { createHash } from "node:crypto";
import type { ByteSource } from "../../base/bytes/byte-source.js";
import type { DefectInput } from "../../base/defect.js";
import type { Boot } from "../../base/time.js";
import type { CaptureFiles } from "../files/files.js";

/** What the manifest states of the update's parts; null and empty if it states nothing. */
export interface StatedParts {
  readonly update: string | null;
  readonly bootIds: Readonly<Record<Boot, string | null>>;
  /** By folder. */
  readonly folders: ReadonlyMap<string, { readonly bootId: string | null; readonly update: string | null }>;
  /** SHA-256 in hexadecimal digits, by path; null if the recorder had no tool for it. */
  readonly digests: ReadonlyMap<string, string> | null;
  /** Keys whose value is neither absent nor of the stated form: nothing is checked by it. */
  readonly malformed: readonly string[];
}

/** Which folder each boot's files and rings lie in. */
export interface PartFolders {
  readonly files: Readonly<Record<Boot, string | null>>;
  /** Of the old boot, read in the new one. */
  readonly rings: readonly string[];
}

export interface PartsVerdict {
  readonly defects: readonly DefectInput[];
  /** Why the two boots cannot be of one update; null if nothing shows it. */
  readonly apart: string | null;
}

const MAX_DIGESTS = 20_000;
const ID = /^[0-9a-fA-F-]{8,64}$/;
const DIGEST = /^[0-9a-f]{64}$/;
const IDS_BYTES = 4_096;
const BLOCK_BYTES = 1 << 20;

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const idOf = (value: unknown): string | null => (typeof value === "string" && ID.test(value) ? value : null);

/** What `capture.json` states; what is not of the stated form is named, and states nothing. */
export function statedParts(manifest: Readonly<Record<string, unknown>>): StatedParts {
  const boots = isRecord(manifest.boots) ? manifest.boots : {};
  const bootId = (boot: Boot): string | null => (isRecord(boots[boot]) ? idOf(boots[boot].boot_id) : null);
  const parts = Object.entries(isRecord(manifest.parts) ? manifest.parts : {}).slice(0, MAX_DIGESTS);
  const wrong = (key: string, value: unknown, fits: boolean): readonly string[] =>
    value === undefined || value === null || fits ? [] : [key];
  const wrongIds = (key: string, of: unknown, names: readonly string[]): readonly string[] =>
    isRecord(of) ? names.flatMap((name) => wrong(`${key}.${name}`, of[name], idOf(of[name]) !== null)) : [];
  const digests = isRecord(manifest.sha256) ? Object.entries(manifest.sha256).slice(0, MAX_DIGESTS) : null;
  return {
    update: idOf(manifest.update),
    bootIds: { old: bootId("old"), new: bootId("new") },
    folders: new Map(
      parts.flatMap(([folder, part]) =>
        isRecord(part) ? [[folder, { bootId: idOf(part.boot_id), update: idOf(part.update) }]] : [],
      ),
    ),
    digests:
      digests === null
        ? null
        : new Map(
            digests.flatMap(([path, digest]) =>
              typeof digest === "string" && DIGEST.test(digest) ? [[path, digest] as const] : [],
            ),
          ),
    malformed: [
      ...wrong("update", manifest.update, idOf(manifest.update) !== null),
      ...(["old", "new"] as const).flatMap((boot) => wrongIds(`boots.${boot}`, boots[boot], ["boot_id"])),
      ...wrong("parts", manifest.parts, isRecord(manifest.parts)),
      ...parts.flatMap(([folder, part]) => [
        ...wrong(`parts.${folder}`, part, isRecord(part)),
        ...wrongIds(`parts.${folder}`, part, ["boot_id", "update"]),
      ]),
      ...wrong("sha256", manifest.sha256, digests !== null),
      ...(digests ?? []).flatMap(([path, digest]) =>
        wrong(`sha256.${path}`, digest, typeof digest === "string" && DIGEST.test(digest)),
      ),
    ],
  };
}

/** One id of the update, or of a boot, and where it stands. */
interface Statement {
  readonly id: string | null;
  readonly where: string;
}

/** `marked` are the updates' ids that marks in the old boot's rings and in the new boot's trace name. */
export function checkParts(
  stated: StatedParts,
  folders: PartFolders,
  marked: readonly string[],
  files: CaptureFiles,
): PartsVerdict {
  const ids = { old: idsIn(folders.files.old, files), new: idsIn(folders.files.new, files) };
  const ofFolder = (folder: string | null) => (folder === null ? undefined : stated.folders.get(folder));
  const updates: Statement[] = [
    { id: stated.update, where: "capture.json" },
    ...(["old", "new"] as const).flatMap((boot) => [
      { id: ids[boot].update, where: `${folders.files[boot]}/ids` },
      { id: ofFolder(folders.files[boot])?.update ?? null, where: `parts.${folders.files[boot]} of capture.json` },
    ]),
    ...[...new Set(marked)].map((id) => ({ id, where: "a mark in the trace" })),
  ];
  const rings = folders.rings.map((ring) => ({
    id: ofFolder(ring)?.bootId ?? null,
    where: `parts.${ring} of capture.json`,
  }));
  const bootsOf = (boot: Boot): readonly Statement[] => [
    { id: stated.bootIds[boot], where: `boots.${boot} of capture.json` },
    { id: ids[boot].bootId, where: `${folders.files[boot]}/ids` },
    { id: ofFolder(folders.files[boot])?.bootId ?? null, where: `parts.${folders.files[boot]} of capture.json` },
    ...(boot === "old" ? rings : []),
  ];
  const [old, fresh] = [bootsOf("old"), bootsOf("new")];
  const differences = [
    differing("the update's id", updates),
    differing("the old kernel's boot id", old),
    differing("the new kernel's boot id", fresh),
    oneBoot(old, fresh),
  ].filter((found) => found !== null);
  const changed = stated.digests === null ? [] : changedFiles(stated.digests, folders, files);
  const apart = differences[0] ?? null;
  return {
    apart,
    defects: [
      ...differences.map(
        (found): DefectInput => ({
          code: "halves-apart",
          severity: "error",
          file: "capture.json",
          message: `The capture's parts are not of one update: ${found}.`,
          advice: "Collect all parts of one update: some of these are of another host, or of another attempt.",
        }),
      ),
      ...stated.malformed.map(
        (key): DefectInput => ({
          code: "parts-malformed",
          severity: "warning",
          file: "capture.json",
          message: `${key} is not an id or a digest, so that nothing is checked by it.`,
          advice: "Copy the capture again from the host: its manifest was damaged or changed.",
        }),
      ),
      ...changed,
    ],
  };
}

function differing(what: string, statements: readonly Statement[]): string | null {
  const known = statements.filter(({ id }) => id !== null);
  const first = known[0];
  const other = known.find(({ id }) => id !== first?.id);
  if (first === undefined || other === undefined) return null;
  return `${what} is ${first.id} in ${first.where}, and ${other.id} in ${other.where}`;
}

/** The two kernels of an update are two boots. */
function oneBoot(old: readonly Statement[], fresh: readonly Statement[]): string | null {
  const [a, b] = [old, fresh].map((boot) => boot.find(({ id }) => id !== null));
  if (a === undefined || b === undefined || a.id !== b.id) return null;
  return `both kernels have the boot id ${a.id} (${a.where}, ${b.where})`;
}

/** Lines `boot_id=ID` and `update=ID` of a folder's `ids`. */
function idsIn(
  folder: string | null,
  files: CaptureFiles,
): { readonly bootId: string | null; readonly update: string | null } {
  const bytes = folder === null ? null : files.bytes(`${folder}/ids`, IDS_BYTES, { defect: () => {} });
  const text = bytes === null ? "" : new TextDecoder("latin1").decode(bytes);
  const of = (key: string): string | null => idOf(new RegExp(`^${key}=(\\S{1,64})$`, "m").exec(text)?.[1]);
  return { bootId: of("boot_id"), update: of("update") };
}

function changedFiles(
  digests: ReadonlyMap<string, string>,
  folders: PartFolders,
  files: CaptureFiles,
): readonly DefectInput[] {
  const listed = [...digests].flatMap(([path, digest]): readonly DefectInput[] => {
    const source = files.open(path);
    if (source === null) {
      return [
        {
          code: "file-missing",
          severity: "error",
          file: path,
          message: "capture.json lists it with its digest, but it is not in the capture.",
          advice: "Collect or copy the capture again and whole.",
        },
      ];
    }
    if (digestOf(source) === digest) return [];
    return [
      {
        code: "file-changed",
        severity: "error",
        file: path,
        message: "It is not the file that was recorded: its SHA-256 differs from the one in capture.json.",
        advice: "Copy the capture again from the host: it was damaged, changed, or mixed with another one's files.",
      },
    ];
  });
  const recorded = [folders.files.old, folders.files.new, ...folders.rings].filter((folder) => folder !== null);
  const added = files.paths.filter(
    (path) => !digests.has(path) && recorded.some((folder) => path.startsWith(`${folder}/`)),
  );
  return [
    ...listed,
    ...added.map(
      (path): DefectInput => ({
        code: "file-changed",
        severity: "warning",
        file: path,
        message: "The recorder did not write it: capture.json lists digests of all others, but not of this file.",
        advice: "Leave the recorder's folders as they are; put what you add at the top of the capture.",
      }),
    ),
  ];
}

function digestOf(source: ByteSource): string {
  const hash = createHash("sha256");
  const block = new Uint8Array(Math.min(BLOCK_BYTES, Math.max(1, source.size)));
  for (let at = 0; at < source.size; ) {
    const got = source.read(block, at);
    if (got <= 0) break;
    const length = Math.min(got, source.size - at);
    hash.update(block.subarray(0, length));
    at += length;
  }
  return hash.digest("hex");
}
