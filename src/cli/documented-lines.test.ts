/**
 * The command lines of README.md and docs/: those on shipped recordings are run, also with the clock a year ahead, and
 * print what the page shows; all others have options that exist, with values that are accepted.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { after } from "node:test";
import { projectRoot } from "../testing/places.js";
import { commands } from "./commands.js";
import { parseArguments } from "./frame/options-parse.js";

const folder = mkdtempSync(join(tmpdir(), "blackout-documented-"));
after(() => rmSync(folder, { recursive: true, force: true }));

const PAGES = [
  "README.md",
  ...readdirSync(join(projectRoot, "docs"))
    .filter((name) => name.endsWith(".md"))
    .map((name) => `docs/${name}`),
];

interface Documented {
  readonly page: string;
  readonly line: number;
  /** As typed, without the prompt; an argument may contain newlines. */
  readonly command: string;
  /** The lines below it, to the next blank line or command. */
  readonly shown: readonly string[];
  /** It has a prompt: the page shows what it prints. */
  readonly prompted: boolean;
}

/** The commands in a page's indented code. */
function commandsIn(page: string): readonly Documented[] {
  const lines = readFileSync(join(projectRoot, page), "utf8").split("\n");
  return lines.flatMap((text, at) => {
    const [, prompt, first] = /^ {4}(\$ )?(blackout .*)$/.exec(text) ?? [];
    // Output of a command may begin with the same word.
    if (first === undefined || !commands.some(({ name }) => first.split(" ")[1] === name)) return [];
    let [command, next] = [first, at + 1];
    const isOpen = (): boolean => (command.match(/"/g)?.length ?? 0) % 2 === 1 || command.endsWith("\\");
    while (isOpen() && next < lines.length) command += `\n${(lines[next++] as string).trim()}`;
    const end = lines.findIndex((each, i) => i >= next && (!/^ {4}/.test(each) || /^ {4}\$ /.test(each)));
    const block = lines.slice(next, end < 0 ? lines.length : end).map((each) => each.slice(4));
    return [{ page, line: at + 1, command, shown: block, prompted: prompt !== undefined }];
  });
}

const documented = PAGES.flatMap(commandsIn);

/** The words of a command as a shell splits them, without what follows a pipe. */
function wordsOf(command: string): readonly string[] {
  const words = spawnSync("bash", ["-c", `set -f; args() { printf '%s\\0' "$@"; }; args ${command.split(" | ")[0]}`], {
    encoding: "utf8",
  });
  assert.equal(words.status, 0, `${command}: ${words.stderr}`);
  return words.stdout.split("\0").slice(0, -1);
}

const isUsage = (command: string): boolean =>
  /(^| )(\[|[A-Z]{3,}\b)/.test(command.replace(/"[^"]*"/g, "").replace(/#.*/, ""));

test("every documented command line has options that exist, with values that are accepted", async () => {
  assert.ok(documented.length > 20, String(documented.length));
  for (const { page, line, command } of documented) {
    const where = `${page}:${line}: ${command}`;
    const entry = commands.find(({ name }) => name === command.split(" ")[1]);
    assert.ok(entry, where);
    const { options, positionals } = await entry.load();
    if (isUsage(command)) {
      for (const [, name = ""] of command.matchAll(/--([a-z-]+)/g)) assert.ok(Object.hasOwn(options, name), where);
      continue;
    }
    const parsed = parseArguments(options, positionals, wordsOf(command).slice(2));
    assert.ok(parsed.ok, `${where}: ${parsed.ok ? "" : parsed.error}`);
  }
});

/** A process whose clock is a year ahead. */
const A_YEAR_AHEAD = `--import=data:text/javascript,${encodeURIComponent(
  "const D=Date,ahead=366*864e5;globalThis.Date=class extends D{constructor(...a){a.length?super(...a):super(D.now()+ahead)}static now(){return D.now()+ahead}};",
)}`;

for (const [when, options] of [
  ["today", ""],
  ["a year ahead", A_YEAR_AHEAD],
] as const) {
  test(`the command lines on shipped recordings print what the pages show, ${when}`, () => {
    const place = mkdtempSync(join(folder, "place-"));
    for (const name of ["traces", "examples"]) symlinkSync(join(projectRoot, name), join(place, name));
    const own = documented.filter(
      ({ prompted, command }) => prompted && /traces\/|fleet\//.test(command) && !/:\/\//.test(command),
    );
    assert.ok(own.length >= 6, String(own.length));
    for (const { page, line, command, shown } of own) {
      const where = `${page}:${line}: ${command}`;
      const [, ...args] = wordsOf(command);
      const { status, stdout, stderr } = spawnSync(process.execPath, [join(projectRoot, "dist/cli/main.js"), ...args], {
        cwd: place,
        encoding: "utf8",
        env: { ...process.env, NODE_OPTIONS: options, NO_COLOR: "1" },
        maxBuffer: 64 << 20,
      });
      // 1 and 4 are verdicts of gate.
      assert.ok(
        status === 0 || (args[0] === "gate" && (status === 1 || status === 4)),
        `${where}: ${status} ${stderr}`,
      );
      const printed = stdout.split("\n").map((each) => each.trim().replace(/\s+/g, " "));
      let from = 0;
      for (const each of shown.map((text) => text.trim().replace(/\s+/g, " "))) {
        if (each === "…" || each === "") continue;
        // A page may wrap a long sentence.
        const found = printed.findIndex(
          (text, i) => i >= from && (text === each || text.includes(each.replace(/ …$/, ""))),
        );
        assert.ok(found >= 0, `${where}\nshows, and does not print:\n${each}\n${stdout.slice(0, 2_000)}`);
        from = found;
      }
    }
  });
}
