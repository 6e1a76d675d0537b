/**
 * A gate's checks as JUnit XML, in the dialect that CI systems read (windyroad's JUnit.xsd of the Ant task; one suite,
 * one test case per check). Undecided and skipped checks are `skipped`; if data are required, they are failures.
 */
import type { Check } from "../../model/documents/cohort.js";
import type { GateDocument } from "../../model/documents/gate.js";
import { escapeXml } from "./xml.js";

export function gateJunit(gate: GateDocument): string {
  const cases = gate.checks.map((check) => caseOf(check, gate.requireData));
  const failures = gate.checks.filter((check) => stateOf(check, gate.requireData) === "failure").length;
  const skipped = gate.checks.filter((check) => stateOf(check, gate.requireData) === "skipped").length;
  const counts = `tests="${gate.checks.length}" failures="${failures}" errors="0" skipped="${skipped}" time="0"`;
  const properties = [
    ["cohort", gate.cohort.name],
    ["baseline", gate.baseline?.name ?? ""],
    ["budget", gate.budget],
    ["verdict", gate.verdict],
    ["forced", String(gate.forced)],
  ].map(([name, value]) => `      <property name="${escapeXml(name ?? "")}" value="${escapeXml(value ?? "")}"/>\n`);
  return [
    '<?xml version="1.0" encoding="UTF-8"?>\n',
    `<testsuites name="blackout gate" ${counts}>\n`,
    `  <testsuite name="blackout gate" ${counts}>\n`,
    `    <properties>\n${properties.join("")}    </properties>\n`,
    ...cases,
    "  </testsuite>\n</testsuites>\n",
  ].join("");
}

function stateOf({ status }: Check, requireData: boolean): "failure" | "skipped" | "passed" {
  switch (status) {
    case "failed":
      return "failure";
    case "undecided":
    case "skipped":
      return requireData ? "failure" : "skipped";
    case "passed":
      return "passed";
  }
}

function caseOf(check: Check, requireData: boolean): string {
  const head = `    <testcase classname="blackout.${check.kind}" name="${escapeXml(check.name)}" time="0"`;
  const message = escapeXml(check.message);
  const detail = escapeXml([check.message, check.why].filter((text) => text !== "").join("\n"));
  switch (stateOf(check, requireData)) {
    case "failure":
      return `${head}>\n      <failure message="${message}" type="${check.status}">${detail}</failure>\n    </testcase>\n`;
    case "skipped":
      return `${head}>\n      <skipped message="${message}"/>\n    </testcase>\n`;
    case "passed":
      return `${head}>\n      <system-out>${detail}</system-out>\n    </testcase>\n`;
  }
}
