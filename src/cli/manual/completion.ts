import { commands } from "../commands.js";
import { defineCommand, exit, misused } from "../frame/command.js";
import { mainOptions } from "../frame/command-run.js";
import { one } from "../frame/options.js";
import { completionFor, SHELLS } from "./completions.js";
import { describe, describeOptions } from "./described.js";

export const completionCommand = defineCommand({
  usage: null,
  description:
    "Prints a script that completes commands, options and their values. bash: write it to ~/.local/share/bash-completion/completions/blackout. zsh: write it to a file _blackout in a folder of $fpath. fish: write it to ~/.config/fish/completions/blackout.fish.",
  options: {},
  positionals: { shell: one(`Shell: ${SHELLS.join(", ")}`, SHELLS) },
  examples: [{ command: "blackout completion bash", what: "Print the completion of bash" }],
  exitCodes: [],
  run: async (context, { positionals }) => {
    const shell = SHELLS.find((each) => each === positionals.shell);
    if (shell === undefined) {
      return misused(context, `completion ${positionals.shell}: expected ${SHELLS.join(", ")}`);
    }
    context.stdout.write(completionFor(shell, describeOptions(mainOptions), await describe(commands)));
    return exit.success;
  },
});
