import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { writeAtomically } from "../files/write-atomically.js";
import { type Command, type Context, defineCommand, exit, unusable } from "../frame/command.js";
import { atMostOne } from "../frame/options.js";
import { parseArguments } from "../frame/options-parse.js";
import { analyzeCommand } from "../update/analyze.js";
import { findingsCommand } from "../update/findings.js";
import { perfettoCommand } from "../update/perfetto.js";
import { reportCommand } from "../update/report.js";

/** The package's root: what is copied ships in it, at the same paths as in a checkout. */
const PACKAGE = fileURLToPath(new URL("../../../", import.meta.url));

/** Files and folders of the package that the examples of the help name. */
const SHIPPED = ["traces/plain.tar.gz", "traces/cohorts/base", "traces/cohorts/devices", "examples/budget.yaml"];

export const demoCommand = defineCommand({
  usage: null,
  description:
    "Copies recordings of real live updates to a folder, analyses one, and writes its report and its Perfetto trace. In that folder the examples of `blackout --help`, which name traces/ and examples/, can be run as they are.",
  options: {},
  positionals: { folder: atMostOne("Folder to write to (default: blackout-demo)") },
  examples: [
    { command: "blackout demo", what: "Write to ./blackout-demo" },
    { command: "blackout demo /tmp/demo", what: "Write to another folder" },
  ],
  exitCodes: [],
  run: async (context, { positionals }) => {
    const folder = positionals.folder ?? "blackout-demo";
    try {
      for (const path of SHIPPED.flatMap(filesOf)) {
        writeAtomically(join(folder, path), readFileSync(join(PACKAGE, path)));
      }
    } catch (error) {
      return unusable(context, `${folder}: the recordings cannot be copied: ${(error as Error).message}`);
    }
    const capture = join(folder, "traces/plain.tar.gz");
    const outputs = { report: join(folder, "out/report.html"), trace: join(folder, "out/trace.pftrace") };
    const steps: readonly (readonly [Command, string, readonly string[]])[] = [
      [analyzeCommand, "analyze", [capture]],
      [findingsCommand, "findings", [capture]],
      [reportCommand, "report", [capture, "-o", outputs.report]],
      [perfettoCommand, "perfetto", [capture, "-o", outputs.trace]],
    ];
    for (const [command, name, args] of steps) {
      const code = await step(context, command, name, args);
      if (code !== exit.success) return code;
    }
    context.stdout.write(
      `Next: open ${outputs.report} in a browser, and ${outputs.trace} in https://ui.perfetto.dev.\nThe examples of 'blackout --help' can be run in ${folder}.\n`,
    );
    return exit.success;
  },
});

/** The files of a shipped path, relative to the package. */
function filesOf(path: string): readonly string[] {
  if (!statSync(join(PACKAGE, path)).isDirectory()) return [path];
  return readdirSync(join(PACKAGE, path))
    .sort()
    .map((name) => `${path}/${name}`);
}

/** Prints a command as it would be typed, and runs it. */
async function step(context: Context, command: Command, name: string, args: readonly string[]): Promise<number> {
  context.stdout.write(`${context.colour.accent(`$ blackout ${name} ${args.join(" ")}`)}\n`);
  const parsed = parseArguments(command.options, command.positionals, args);
  if (!parsed.ok) throw new Error(parsed.error);
  const code = await command.run(context, parsed.value);
  context.stdout.write("\n");
  return code;
}
