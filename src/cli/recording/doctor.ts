import {
  type DoctorCheck,
  type DoctorReport,
  PROBE_LEVELS,
  parseDoctorReport,
  runRecorder,
} from "../../recorder/recorder.js";
import { type Context, defineCommand, exit, unusable } from "../frame/command.js";
import { choiceOption, flagOption, textOption, withDefault } from "../frame/options.js";

const CANNOT = 1;

function lineOf({ status, code, found, advice }: DoctorCheck, { colour }: Context): string {
  const sign = { ok: colour.good("ok  "), note: colour.warning("note"), fail: colour.bad("fail") }[status];
  const more = advice === "" ? "" : `\n${" ".repeat(20)}${colour.quiet(`-> ${advice}`)}`;
  return `  ${sign}  ${code.padEnd(13)} ${found}${more}\n`;
}

function reportText(report: DoctorReport, context: Context): string {
  const { kernel, ready, level, checks } = report;
  const enough = ready !== null && PROBE_LEVELS.indexOf(ready) >= PROBE_LEVELS.indexOf(level);
  const answer = ready === null ? "nothing that outlives a kexec" : `up to level ${ready}`;
  const head = `${context.colour.strong(`Linux ${kernel}`)} can record ${answer}${enough ? "" : `; level ${level} was requested`}\n\n`;
  return `${head}${checks.map((check) => lineOf(check, context)).join("")}`;
}

export const doctorCommand = defineCommand({
  usage: null,
  description:
    "Runs the recorder's own check (recorder.sh doctor) on this host: tracefs, the ring buffer that survives the kexec, LUO and KHO, clocks, events, probes, tracers, and the state folder. It changes nothing.\nOn a host without Node.js, the recorder installed by `blackout record --install` does the same.",
  options: {
    level: withDefault(choiceOption("LEVEL", PROBE_LEVELS, "Check whether this level can be recorded"), "events"),
    state: textOption("DIR", "Use this folder as the one that survives the kexec"),
    root: textOption("DIR", "Look for /proc, /sys and /dev below this folder instead of /"),
    json: flagOption("Print one JSON document, as the recorder does"),
  },
  positionals: {},
  examples: [{ command: "blackout doctor --level probes", what: "Check whether LUO's functions can be probed here" }],
  exitCodes: [{ code: CANNOT, meaning: "the requested level cannot be recorded" }],
  run: async (context, { options }) => {
    const where = [
      ...(options.state === null ? [] : ["--state", options.state]),
      ...(options.root === null ? [] : ["--root", options.root]),
    ];
    const run = runRecorder(["doctor", "--json", "--level", options.level, ...where]);
    if (!run.ok) return unusable(context, run.error);
    const report = parseDoctorReport(run.value.stdout);
    if (report === null) return unusable(context, `The recorder's doctor did not answer.\n${run.value.stderr.trim()}`);
    context.stdout.write(options.json ? run.value.stdout : reportText(report, context));
    return run.value.code === 0 ? exit.success : CANNOT;
  },
});
