/** What the project's Markdown points at: links, headings and paths of files, each of which must exist. */
import { existsSync, readFileSync, statSync } from "node:fs";
import { dirname, join, normalize, relative } from "node:path";
import { filesUnder } from "./dist.mjs";
import { root as projectRoot } from "./project.mjs";

const skipped = /(^|\/)(node_modules|dist[^/]*|out|\.git)\//;

/** Paths of the project's own Markdown files, relative to its root, sorted. */
export function markdownFiles(root = projectRoot) {
  const folders = ["docs", "src", "viewer", "bench", "traces", "scripts", "packaging", "examples"];
  return ["README.md", "CONTRIBUTING.md", "SECURITY.md"]
    .filter((path) => existsSync(join(root, path)))
    .concat(folders.flatMap((folder) => filesUnder(join(root, folder)).map((path) => `${folder}/${path}`)))
    .filter((path) => path.endsWith(".md") && !skipped.test(path));
}

/** The text without code blocks; their lines stay, empty, so that line numbers are kept. */
export function withoutCodeBlocks(text) {
  let fenced = false;
  let before = "";
  return text
    .split("\n")
    .map((line) => {
      const isFence = /^\s*```/.test(line);
      if (isFence) fenced = !fenced;
      // An indented block follows an empty line or another line of the block.
      const indented = /^ {4}/.test(line) && (before.trim() === "" || /^ {4}/.test(before));
      before = indented || !/^ {4}/.test(line) ? line : before;
      return fenced || isFence || indented ? "" : line;
    })
    .join("\n");
}

/** A heading's anchor, as GitHub makes it. */
export function anchorOf(heading) {
  return heading
    .replace(/`/g, "")
    .replace(/\[([^\]]*)\]\([^)]*\)/g, "$1")
    .trim()
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\s_-]/gu, "")
    .replace(/\s/g, "-");
}

const anchorsOf = (text) =>
  withoutCodeBlocks(text)
    .split("\n")
    .flatMap((line) => /^#+ (.*)$/.exec(line)?.[1] ?? [])
    .map(anchorOf);

/** Paths that a program makes: they need not be in a checkout. */
const made = /^(out|dist)(\/|$)/;

/** A code span that names a file or folder of the project: it begins with one of its top folders. */
const projectPath = /^(src|viewer|bench|traces|scripts|packaging|examples|docs)\/[\w./-]+$/;

/** The faults of one Markdown file, as sentences; `file` is relative to `root`. */
export function linkFaults(file, text, root = projectRoot) {
  const faults = [];
  const folder = dirname(file);
  withoutCodeBlocks(text)
    .split("\n")
    .forEach((line, index) => {
      const where = `${file}:${index + 1}`;
      for (const [, target] of line.matchAll(/\]\(([^)\s]+)\)/g)) {
        if (/^[a-z]+:/.test(target)) continue;
        const [path, anchor] = target.split("#");
        const full = path === "" ? file : normalize(join(folder, path));
        if (!existsSync(join(root, full))) faults.push(`${where}: the link ${target} leads to no file`);
        else if (anchor !== undefined && !anchorsOf(readFileSync(join(root, full), "utf8")).includes(anchor)) {
          faults.push(`${where}: ${full} has no heading for the link ${target}`);
        }
      }
      for (const [, path] of line.matchAll(/`([^`]+)`/g)) {
        if (!projectPath.test(path) || made.test(path)) continue;
        if (!existsSync(join(root, path)) && !existsSync(join(root, folder, path))) {
          faults.push(`${where}: the file ${path} does not exist`);
        }
      }
    });
  return faults;
}

/** The faults of a README's table of files and drawers: each name in its first column must exist beside it. */
export function contentsFaults(file, text, root = projectRoot) {
  const faults = [];
  const folder = join(root, dirname(file));
  let inTable = false;
  withoutCodeBlocks(text)
    .split("\n")
    .forEach((line, index) => {
      if (/^\| (file|drawer|script)/.test(line)) inTable = true;
      else if (!line.startsWith("|")) inTable = false;
      if (!inTable) return;
      for (const [, name] of (line.split("|")[1] ?? "").matchAll(/`([^`]+)`/g)) {
        if (!/^[\w./-]+$/.test(name) || existsSync(join(folder, name))) continue;
        faults.push(`${file}:${index + 1}: ${name} does not exist in ${relative(root, folder) || "."}`);
      }
    });
  return faults;
}

/** The drawers of a room that its README does not name. */
export function unnamedDrawers(room, readme, folders) {
  return folders
    .filter((name) => !readme.includes(`\`${name}/`))
    .map((name) => `${room}/README.md: ${name}/ is missing`);
}

/** The rows of the table of rooms in docs/architecture.md: room to the rooms that it may import. */
export function roomTable(text) {
  const rows = withoutCodeBlocks(text)
    .split("\n")
    .map((line) => line.split("|").map((cell) => cell.trim()))
    .filter((cells) => cells.length === 5 && /^`(src|viewer)\/[a-z]+`$/.test(cells[1]));
  return Object.fromEntries(
    rows.map(([, room, , may]) => [room.slice(1, -1), [...may.matchAll(/`([^`]+)`/g)].map(([, other]) => other)]),
  );
}

/** All faults of the tree's Markdown. */
export function allLinkFaults(root = projectRoot) {
  return markdownFiles(root).flatMap((file) => {
    if (!statSync(join(root, file)).isFile()) return [];
    const text = readFileSync(join(root, file), "utf8");
    return [...linkFaults(file, text, root), ...(file.endsWith("README.md") ? contentsFaults(file, text, root) : [])];
  });
}
