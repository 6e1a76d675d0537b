/**
 * systemd's `luo-mapping`: which unit's file descriptor each token of its LUO session stands for. systemd 261 and later
 * keeps it as a memfd under token 0 of its session (src/shared/luo-util.h, version 1):
 * `{"version":1,"units":{UNIT:{"fdstore":[{"type":"fd","name":…,"token":N},{"type":"luo_session","name":…,"sessionName"
 * :…}]}}}`.
 */
import type { DefectSink } from "../../base/defect.js";
import type { StoredFd, StoredSession } from "../../model/collected.js";

/** LUO_SESSION_NAME of src/shared/luo-util.h. */
const SYSTEMD_SESSION = "systemd";
/** LUO_PROTOCOL_VERSION of src/shared/luo-util.h. */
const VERSION = 1;
/** The memfd itself, under token 0: no unit's. */
const MAPPING_TOKEN = 0;
/** A unit's name is at most 255 bytes (UNIT_NAME_MAX), an fd's name too (FDNAME_MAX). */
const NAME_LENGTH = 255;
/** LIVEUPDATE_SESSION_NAME_LENGTH, with the NUL, of include/uapi/linux/liveupdate.h. */
const SESSION_LENGTH = 63;
/** FileDescriptorStoreMax= has no upper bound; a host with this many fds to carry over does not exist yet. */
export const MAX_STORED = 100_000;

export interface LuoMapping {
  readonly fds: readonly StoredFd[];
  readonly sessions: readonly StoredSession[];
}

const NOTHING: LuoMapping = { fds: [], sessions: [] };

type Json = Readonly<Record<string, unknown>>;
const isObject = (value: unknown): value is Json =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const isName = (value: unknown, length: number): value is string =>
  typeof value === "string" && value !== "" && value.length <= length;

/** Parses the mapping; never throws. What cannot be understood is a defect (`luo-mapping-…`), and the rest is kept. */
export function parseLuoMapping(text: string, file: string, sink: DefectSink): LuoMapping {
  const refuse = (message: string): LuoMapping => {
    sink.defect({
      code: "luo-mapping-unusable",
      severity: "warning",
      file,
      message,
      advice: "Save what systemd's luo-mapping memfd holds, unchanged; without it tokens have no unit and fd name.",
    });
    return NOTHING;
  };
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return refuse("It is not JSON.");
  }
  if (!isObject(json)) return refuse("It is not a JSON object.");
  if (json.version !== VERSION) {
    const found = typeof json.version === "number" ? `version ${json.version}` : "no version number";
    return refuse(`It has ${found}; version ${VERSION} is what can be read.`);
  }
  if (json.units === undefined) return NOTHING;
  if (!isObject(json.units)) return refuse("Its 'units' is not an object.");
  return storedOf(json.units, file, sink);
}

function storedOf(units: Json, file: string, sink: DefectSink): LuoMapping {
  const fds: StoredFd[] = [];
  const sessions: StoredSession[] = [];
  const tokens = new Set<number>();
  const skip = (where: string, message: string): void =>
    sink.defect({
      code: "luo-mapping-entry",
      severity: "note",
      file,
      message: `${where}: ${message}`,
      advice: "This entry names no token; the others do.",
    });
  let left = MAX_STORED;
  for (const [unit, body] of Object.entries(units)) {
    const where = `units[${JSON.stringify(unit.slice(0, NAME_LENGTH))}]`;
    if (left <= 0) {
      skip(where, `more than ${MAX_STORED} fds are stored; this unit and all after it are left out.`);
      break;
    }
    const store = isObject(body) ? body.fdstore : undefined;
    if (!isName(unit, NAME_LENGTH)) skip(where, `it is not a unit's name of at most ${NAME_LENGTH} characters.`);
    else if (!Array.isArray(store)) skip(where, "its 'fdstore' is not an array.");
    else {
      store.slice(0, left).forEach((entry: unknown, i) => {
        const fault = storeEntry(entry, unit, fds, sessions, tokens);
        if (fault !== null) skip(`${where}.fdstore[${i}]`, fault);
      });
      if (store.length > left) skip(where, `more than ${MAX_STORED} fds are stored; the rest is left out.`);
      left -= Math.max(1, store.length);
    }
  }
  return { fds, sessions };
}

/** Adds one entry of an `fdstore`; returns why it cannot be used, or null. */
function storeEntry(
  entry: unknown,
  unit: string,
  fds: StoredFd[],
  sessions: StoredSession[],
  tokens: Set<number>,
): string | null {
  if (!isObject(entry)) return "it is not an object.";
  const { type, name, token, sessionName } = entry;
  if (!isName(name, NAME_LENGTH)) return "its 'name' is not a text that names an fd.";
  switch (type) {
    case "fd":
      if (typeof token !== "number" || !Number.isSafeInteger(token) || token <= MAPPING_TOKEN) {
        return "its 'token' is not a whole number from 1 on.";
      }
      if (tokens.has(token)) return `token ${token} stands for another fd already.`;
      tokens.add(token);
      fds.push({ session: SYSTEMD_SESSION, token, unit, fdName: name });
      return null;
    case "luo_session":
      if (!isName(sessionName, SESSION_LENGTH)) return "its 'sessionName' is not the name of a LUO session.";
      sessions.push({ session: sessionName, unit, fdName: name });
      return null;
    default:
      return "its 'type' is neither 'fd' nor 'luo_session'.";
  }
}
