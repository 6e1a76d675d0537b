/** Updates without their names: each becomes a keyed hash, the same wherever the name stands, and the rest stays. */
import { createHmac } from "node:crypto";
import type { CauseSample, UpdateSample } from "../model/update-sample.js";

/** What a name names; the same text as a host and as a task is two names. */
type Named = "host" | "capture" | "vm" | "session" | "file" | "device" | "task" | "label" | "part" | "code" | "symbol";

/**
 * Pseudonyms of one key: `host-5c1f0a9be3d2`. HMAC-SHA256 (RFC 2104), 48 bits of it: without the key, no name can be
 * tried; with the same key, exports made at different times fit together.
 */
export function anonymiser(key: Uint8Array): (sample: UpdateSample) => UpdateSample {
  const known = new Map<string, string>();
  const hide = (what: Named, name: string): string => {
    const text = `${what}\0${name}`;
    const seen = known.get(text);
    if (seen !== undefined) return seen;
    const hidden = `${what}-${createHmac("sha256", key).update(text).digest("hex").slice(0, 12)}`;
    known.set(text, hidden);
    return hidden;
  };
  const cause = (given: CauseSample): CauseSample => ({
    ...given,
    id: hiddenId(given, hide),
    // A driver's name does not identify a device; but a text that no kernel's driver has may be anything.
    detail: given.detail === "" || isWord(given.detail) ? given.detail : hide("symbol", given.detail),
    parts: given.parts.map(({ name, totalNs }) => ({ name: PARTS.has(name) ? name : hide("part", name), totalNs })),
  });
  return (sample) => ({
    ...sample,
    name: hide("capture", sample.name),
    host: sample.host === null ? null : hide("host", sample.host),
    labels: Object.fromEntries(
      Object.entries(sample.labels).map(([label, value]) => [
        isWord(label) ? label : hide("label", label),
        label === "host" ? hide("host", value) : label === "probe_level" ? value : hide("label", value),
      ]),
    ),
    // It may quote a line of a log, which names what it likes.
    outcomeReason: "Anonymised.",
    vms: sample.vms.map(({ id, durationNs }) => ({ id: hide("vm", id), durationNs })),
    causes: sample.causes?.map(cause) ?? null,
    outsideCauses: sample.outsideCauses?.map(cause) ?? null,
    // A line of a log may name what it likes.
    health: sample.health?.map((each) => ({ ...each, text: "" })) ?? null,
    defectCodes:
      sample.defectCodes?.map((each) => ({ ...each, code: isWord(each.code) ? each.code : hide("code", each.code) })) ??
      null,
  });
}

/** What is done with a cause, in the tool's and the kernel's words; all else may be somebody's. */
const PARTS = new Set(["", "shutdown", "probe", "preserve", "freeze", "retrieve", "finish", "suspend", "resume"]);

/** A symbol's, driver's or code's form, which every kernel has; no host's, guest's or customer's data comes in it. */
function isWord(text: string): boolean {
  return /^[A-Za-z_][A-Za-z0-9_-]{0,63}$/.test(text);
}

function hiddenId({ kind, id }: CauseSample, hide: (what: Named, name: string) => string): string {
  switch (kind) {
    case "session":
      return hide("session", id);
    case "file": {
      // `SESSION TOKEN`: a session's name may hold blanks, a token none.
      const at = id.lastIndexOf(" ");
      return at < 0 ? hide("file", id) : `${hide("session", id.slice(0, at))} ${hide("file", id.slice(at + 1))}`;
    }
    case "device":
    case "irq":
      return hide("device", id);
    case "userspace":
    case "kthread":
      return hide("task", id);
    case "cpu":
      return /^cpu ?\d+$/.test(id) ? id : hide("symbol", id);
    case "seam":
    case "idle":
    case "printk":
    case "unattributed":
      return FIXED.test(id) ? id : hide("symbol", id);
    case "initcall":
    case "function":
    case "notifier":
      return isWord(id) ? id : hide("symbol", id);
  }
}

/** The tool's own phrases. */
const FIXED =
  /^(?:seam(?: (?:before|after|up|to|sched_clock|relocation|unpack|entry|memory|map|kho|ftrace|tracing|boot|kernel|\+))*|idle|printk|unattributed)$/;
