/** The manual pages and completions, as the shells and man(1) read them. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { after } from "node:test";
import { recordedSurroundings } from "../../testing/command-testing.js";
import { projectRoot } from "../../testing/places.js";
import { commands } from "../commands.js";
import { runCli } from "../frame/command-run.js";
import { describe } from "./described.js";

const described = await describe(commands);
const pages = join(projectRoot, "dist/man");
const folder = mkdtempSync(join(tmpdir(), "blackout-manual-"));
after(() => rmSync(folder, { recursive: true, force: true }));

function without(program: string, ...args: readonly string[]): string | false {
  return spawnSync(program, args, { stdio: "ignore" }).error === undefined ? false : `${program} is not installed`;
}
const noMan = without("man", "--version");

/** A page as man prints it, in lines that are never broken. */
function shown(file: string): { readonly text: string; readonly warnings: string } {
  const { stdout, stderr } = spawnSync("man", ["--warnings", "-l", join(pages, file)], {
    encoding: "utf8",
    env: { ...process.env, MANWIDTH: "2000", LC_ALL: "C.UTF-8", MANPAGER: "cat", MAN_KEEP_FORMATTING: "" },
  });
  return { text: stdout.replace(/.\x08/g, ""), warnings: stderr };
}

test("package.json lists a manual page for blackout and for each command", () => {
  const { man } = JSON.parse(readFileSync(join(projectRoot, "package.json"), "utf8")) as { man: readonly string[] };
  const wanted = ["blackout.1", ...commands.map(({ name }) => `blackout-${name}.1`)];
  assert.deepEqual(
    man,
    wanted.map((file) => `./dist/man/${file}`),
  );
  assert.deepEqual(readdirSync(pages).sort(), [...wanted].sort());
});

test("man prints each page without a warning, with every option, example and exit code", { skip: noMan }, () => {
  assert.equal(shown("blackout.1").warnings, "");
  for (const { entry, command, options } of described) {
    const { text, warnings } = shown(`blackout-${entry.name}.1`);
    assert.equal(warnings, "", entry.name);
    for (const { name, option } of options) {
      assert.ok(text.includes(`--${name}${option.valueName === null ? "" : ` ${option.valueName}`}`), name);
      assert.ok(text.includes(option.summary.slice(0, 40)), `${entry.name} --${name}: ${option.summary}`);
    }
    for (const example of command.examples) assert.ok(text.includes(example.command), example.command);
    for (const { meaning } of command.exitCodes) assert.ok(text.includes(meaning.slice(0, 40)), meaning);
  }
});

test("blackout(1) lists every command", { skip: noMan }, () => {
  const { text } = shown("blackout.1");
  for (const { name, summary } of commands) {
    assert.ok(text.includes(`blackout-${name}(1)`), name);
    assert.ok(text.includes(summary), summary);
  }
});

async function scriptOf(shell: string): Promise<string> {
  const surroundings = recordedSurroundings();
  assert.equal(await runCli(["completion", shell], surroundings, commands), 0);
  return surroundings.written();
}

test("the completions in the package are those that the command prints", async () => {
  for (const [shell, file] of [
    ["bash", "blackout.bash"],
    ["zsh", "_blackout"],
    ["fish", "blackout.fish"],
  ] as const) {
    assert.equal(readFileSync(join(projectRoot, "dist/completions", file), "utf8"), await scriptOf(shell), shell);
  }
});

test("a shell that has no completion is refused", async () => {
  const surroundings = recordedSurroundings();
  assert.equal(await runCli(["completion", "tcsh"], surroundings, commands), 2);
  assert.match(surroundings.complained(), /tcsh: expected bash, zsh, fish/);
});

test("bash completes commands, options, values after a blank and after =, actions and paths", async () => {
  const script = join(folder, "blackout.bash");
  writeFileSync(script, await scriptOf("bash"));
  /** Splits as readline does: at blanks, and at `=`. */
  const complete = (line: string): readonly string[] => {
    const words = line.split(/ |(?==)|(?<==)/);
    const { stdout, stderr } = spawnSync(
      "bash",
      [
        "--norc",
        "-c",
        // biome-ignore lint/suspicious/noTemplateCurlyInString: the shell's own
        'source "$0"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _blackout; printf "%s\\n" "${COMPREPLY[@]}"',
        script,
        ...words,
      ],
      { encoding: "utf8" },
    );
    assert.equal(stderr, "");
    return stdout.split("\n").filter((word) => word !== "");
  };
  assert.deepEqual(complete("blackout ana"), ["analyze"]);
  assert.deepEqual([...complete("blackout ")].sort(), commands.map(({ name }) => name).sort());
  assert.deepEqual(complete("blackout --ver"), ["--version"]);
  assert.deepEqual(complete("blackout help gua"), []);
  assert.deepEqual(complete("blackout help gue"), ["guest"]);
  assert.deepEqual(complete("blackout gate --budg"), ["--budget"]);
  assert.deepEqual(complete("blackout record --level p"), ["probes"]);
  assert.deepEqual(complete("blackout record --level=p"), ["probes"]);
  assert.deepEqual(complete("blackout archive ver"), ["verify"]);
  // Paths are left to readline.
  assert.deepEqual(complete("blackout archive verify fl"), []);
  assert.deepEqual(complete("blackout gate --budget examples/"), []);
  for (const { entry, options } of described) {
    const offered = new Set(complete(`blackout ${entry.name} -`));
    for (const { spellings } of options) for (const each of spellings) assert.ok(offered.has(each), each);
  }
});

test("zsh accepts the completion, and completes a command and an option", {
  skip: without("zsh", "--version"),
}, async () => {
  const place = join(folder, "zsh");
  mkdirSync(place);
  writeFileSync(join(place, "_blackout"), await scriptOf("zsh"));
  assert.equal(spawnSync("zsh", ["-n", join(place, "_blackout")]).status, 0);
  // A terminal inside zsh (zpty) types the line and a tab.
  const complete = (line: string): string => {
    const { stdout } = spawnSync("zsh", ["-f", "-c", ZPTY, "zsh", place, line], { encoding: "utf8", timeout: 20_000 });
    return stdout;
  };
  assert.match(complete("blackout criti"), /blackout critical-chain/);
  assert.match(complete("blackout record --lev"), /blackout record --level/);
  assert.match(complete("blackout record --level prob"), /--level probes/);
});

const ZPTY = `
zmodload zsh/zpty
zpty shell zsh -f -i
zpty -w shell "PS1=; fpath=($1 \\$fpath); autoload -Uz compinit; compinit -D -u; print READY"
while zpty -r shell line; do [[ $line == READY* ]] && break; done
zpty -w -n shell "$2"$'\\t'
sleep 1
zpty -w -n shell $'\\C-a'"print -r -- '<"$'\\C-e'">'"$'\\n'
sleep 0.3
while zpty -r -t shell line; do print -r -- "$line"; done
zpty -d shell
`;

test("fish completes commands, options and values", { skip: without("fish", "--version") }, async () => {
  const script = join(folder, "blackout.fish");
  writeFileSync(script, await scriptOf("fish"));
  const complete = (line: string): string =>
    spawnSync("fish", ["--no-config", "-c", `source ${script}; complete -C ${JSON.stringify(line)}`], {
      encoding: "utf8",
    }).stdout;
  assert.match(complete("blackout ana"), /^analyze\t/m);
  assert.match(complete("blackout gate --budg"), /^--budget\t/m);
  assert.match(complete("blackout record --level p"), /^probes/m);
  assert.match(complete("blackout archive ver"), /^verify/m);
});
