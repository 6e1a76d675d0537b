/**
 * A gate's checks as GitHub workflow commands: `::error file=…,line=…,title=…::message`. Escaped as
 * actions/toolkit's core.command does, so that no text of a capture can issue a command of its own.
 */
import { escapeInvisible } from "../../base/text/controls.js";
import type { Check } from "../../model/documents/cohort.js";
import type { GateDocument } from "../../model/documents/gate.js";

export function gateAnnotations(gate: GateDocument): string {
  const lines = gate.checks.flatMap((check): readonly string[] => {
    const level = levelOf(check, gate.requireData);
    if (level === null) return [];
    const properties = `file=${property(gate.budget)},line=${check.line},title=${property(`blackout gate: ${check.name}`)}`;
    return [`::${level} ${properties}::${data([check.message, check.why].filter((text) => text !== "").join("\n"))}\n`];
  });
  const warnings = gate.warnings.map(
    ({ code, message }) => `::warning title=${property(`blackout gate: ${code}`)}::${data(message)}\n`,
  );
  return [...lines, ...warnings].join("");
}

function levelOf({ status }: Check, requireData: boolean): "error" | "warning" | "notice" | null {
  switch (status) {
    case "failed":
      return "error";
    case "undecided":
      return requireData ? "error" : "warning";
    case "skipped":
      return requireData ? "error" : "notice";
    case "passed":
      return null;
  }
}

/** Other control characters would affect a terminal that shows the log. */
function data(text: string): string {
  return escapeInvisible(text)
    .replace(/[\x00-\x09\x0b\x0c\x0e-\x1f\x7f-\x9f]/g, "\ufffd")
    .replaceAll("%", "%25")
    .replaceAll("\r", "%0D")
    .replaceAll("\n", "%0A");
}

function property(text: string): string {
  return data(text).replaceAll(":", "%3A").replaceAll(",", "%2C");
}
