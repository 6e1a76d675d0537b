/** Completions of bash, zsh and fish, from the commands' declarations. Pure: text out. */
import { shellQuoted } from "../../base/text/quote.js";
import type { Described, DescribedOption } from "./described.js";

export const SHELLS = ["bash", "zsh", "fish"] as const;
export type Shell = (typeof SHELLS)[number];

/** `mainOptions` are those before a command's name. */
export function completionFor(
  shell: Shell,
  mainOptions: readonly DescribedOption[],
  commands: readonly Described[],
): string {
  switch (shell) {
    case "bash":
      return bash(mainOptions, commands);
    case "zsh":
      return zsh(mainOptions, commands);
    case "fish":
      return fish(mainOptions, commands);
  }
}

const spellingsOf = (options: readonly DescribedOption[]): readonly string[] =>
  options.flatMap(({ spellings }) => spellings);

/** The words that the first argument of a command is chosen from, or none. */
function wordsOf({ command }: Described): readonly string[] {
  return Object.values(command.positionals)[0]?.choices ?? [];
}

const takesPaths = ({ command }: Described): boolean => Object.keys(command.positionals).length > 0;

/** An answer that is empty leaves the word to readline, which completes paths (`-o default`). */
function bash(mainOptions: readonly DescribedOption[], commands: readonly Described[]): string {
  const names = commands.map(({ entry }) => entry.name);
  const values = commands.flatMap(({ entry, options }) =>
    options
      .filter(({ option }) => option.choices.length > 0)
      .map(
        ({ spellings, option }) =>
          `    ${spellings.map((each) => `${entry.name}:${each}`).join("|")}) words=${shellQuoted(option.choices.join(" "))} ;;`,
      ),
  );
  // The value of any other option is a path or free text.
  const valued = commands.flatMap(({ entry, options }) =>
    options
      .filter(({ option }) => option.choices.length === 0 && option.valueName !== null)
      .flatMap(({ spellings }) => spellings.map((each) => `${entry.name}:${each}`)),
  );
  const own = commands.map(
    (each) =>
      `    ${each.entry.name}) options=${shellQuoted(spellingsOf(each.options).join(" "))} words=${shellQuoted(wordsOf(each).join(" "))} ;;`,
  );
  return `# bash completion for blackout; written by 'blackout completion bash'.
_blackout() {
  local cur=\${COMP_WORDS[COMP_CWORD]} prev=\${COMP_WORDS[COMP_CWORD-1]} command= at=0 i words= options=
  COMPREPLY=()
  # --option=value is three words.
  if [[ $cur == = ]]; then cur=; elif [[ $prev == = ]]; then prev=\${COMP_WORDS[COMP_CWORD-2]}; fi
  for ((i = 1; i < COMP_CWORD; i++)); do
    if [[ \${COMP_WORDS[i]} != -* ]]; then command=\${COMP_WORDS[i]} at=$i; break; fi
  done
  if [[ -z $command ]]; then
    words=${shellQuoted(names.join(" "))}
    if [[ $cur == -* ]]; then words=${shellQuoted(spellingsOf(mainOptions).join(" "))}; fi
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
    return
  fi
  if [[ $command == help ]]; then
    mapfile -t COMPREPLY < <(compgen -W ${shellQuoted(names.join(" "))} -- "$cur")
    return
  fi
  case $command:$prev in
${values.join("\n")}
    ${valued.join("|")}) return ;;
  esac
  if [[ -z $words ]]; then
    case $command in
${own.join("\n").replace(/^/gm, "  ")}
    esac
    if [[ $cur == -* ]]; then words=$options; elif ((COMP_CWORD != at + 1)); then words=; fi
  fi
  if [[ -n $words ]]; then mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur"); fi
}
complete -o default -F _blackout blackout
`;
}

function zsh(mainOptions: readonly DescribedOption[], commands: readonly Described[]): string {
  const list = commands.map(({ entry }) => `    ${shellQuoted(`${entry.name}:${entry.summary}`)}`);
  const own = commands.map((each) => {
    const words = wordsOf(each);
    const first = words.length === 0 ? [] : [shellQuoted(`1:action:(${words.join(" ")})`)];
    const specs = [
      ...each.options.flatMap(zshSpec),
      ...first,
      ...(takesPaths(each) ? [shellQuoted("*:path:_files")] : []),
    ];
    return `    ${each.entry.name})\n      _arguments -s -S ${specs.map((spec) => `\\\n        ${spec}`).join(" ")} ;;`;
  });
  return `#compdef blackout
# zsh completion for blackout; written by 'blackout completion zsh'.
_blackout() {
  local -a commands
  commands=(
${list.join("\n")}
  )
  if ((CURRENT == 2)); then
    if [[ $PREFIX == -* ]]; then
      _arguments ${mainOptions.flatMap(zshSpec).join(" ")}
    else
      _describe -t commands command commands
    fi
    return
  fi
  local command=$words[2]
  shift words
  ((CURRENT--))
  case $command in
    help) _describe -t commands command commands ;;
${own.join("\n")}
    *) _files ;;
  esac
}
if [[ $funcstack[1] == _blackout ]]; then _blackout "$@"; else compdef _blackout blackout; fi
`;
}

function zshSpec({ option, spellings, isPath }: DescribedOption): readonly string[] {
  const summary = option.summary.replace(/[\\[\]:]/g, "\\$&");
  const values = option.choices.length > 0 ? `(${option.choices.join(" ")})` : isPath ? "_files" : " ";
  const value = option.valueName === null ? "" : `:${option.valueName}:${values}`;
  const others = option.repeated ? "*" : spellings.length > 1 ? `(${spellings.join(" ")})` : "";
  return spellings.map((spelling) => {
    const joinable = option.valueName !== null && spelling.startsWith("--") ? "=" : "";
    return shellQuoted(`${others}${spelling}${joinable}[${summary}]${value}`);
  });
}

function fish(mainOptions: readonly DescribedOption[], commands: readonly Described[]): string {
  const line = (...parts: readonly string[]): string => `complete -c blackout ${parts.join(" ")}`;
  const first = "-n __fish_use_subcommand";
  const optionLine = (condition: string, { name, option, isPath }: DescribedOption): string =>
    line(
      condition,
      `-l ${name}`,
      ...(option.short === null ? [] : [`-s ${option.short}`]),
      ...(option.valueName === null
        ? []
        : option.choices.length > 0
          ? ["-x", `-a ${fishQuoted(option.choices.join(" "))}`]
          : [isPath ? "-r -F" : "-x"]),
      `-d ${fishQuoted(option.summary)}`,
    );
  return [
    "# fish completion for blackout; written by 'blackout completion fish'.",
    line(first, "-f"),
    ...commands.map(({ entry }) => line(first, `-a ${entry.name}`, `-d ${fishQuoted(entry.summary)}`)),
    ...mainOptions.map((each) => optionLine(first, each)),
    ...commands.flatMap((each) => {
      const condition = `-n ${fishQuoted(`__fish_seen_subcommand_from ${each.entry.name}`)}`;
      const words = wordsOf(each);
      return [
        ...(words.length === 0 ? [] : [line(condition, `-a ${fishQuoted(words.join(" "))}`)]),
        ...each.options.map((option) => optionLine(condition, option)),
      ];
    }),
    "",
  ].join("\n");
}

function fishQuoted(text: string): string {
  return `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
}
