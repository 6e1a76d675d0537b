/**
 * What each room may import of the project: the import rule of docs/architecture.md, for every room, in one table. A
 * test may import any room; the module it tests may not.
 */
import { readFileSync } from "node:fs";
import { dirname, join, posix, relative } from "node:path";
import { filesUnder } from "./dist.mjs";
import { root as projectRoot } from "./project.mjs";

const belowCommands = ["base", "model", "collect", "analyze", "report", "archive", "export", "recorder", "lab"].map(
  (room) => `src/${room}`,
);

/** Room (a folder) to the rooms that its files may import, besides their own. The order is from the bottom up. */
export const rooms = {
  "src/base": [],
  "src/model": ["src/base"],
  "src/collect": ["src/base", "src/model"],
  "src/analyze": ["src/base", "src/model"],
  "src/report": ["src/base", "src/model", "src/analyze"],
  "src/archive": ["src/base", "src/model", "src/analyze"],
  "src/export": ["src/base", "src/model", "src/analyze", "src/report"],
  "src/recorder": ["src/base", "src/model"],
  "src/lab": ["src/base", "src/model", "src/recorder"],
  "src/cli": belowCommands,
  // The same answers for other programs: it opens captures and cohorts as the commands do.
  "src/api": [...belowCommands, "src/cli"],
  // What the tests share: it may use all, and only tests may use it.
  "src/testing": [...belowCommands, "src/cli", "src/api"],
  "viewer/src": ["src/base", "src/model", "src/analyze", "src/report"],
};

/** Rooms whose files run in a browser, without Node.js. */
const browserRooms = ["viewer/src"];

/** Single files that may import single files of other rooms, each with its reason. */
const exceptions = [
  {
    file: "viewer/src/data/perfetto-file.ts",
    // The viewer writes traces in the browser with the exporter's pure writer, to have only one.
    may: ["src/export/perfetto/perfetto.ts", "src/export/perfetto/carried-update.ts"],
  },
];

const importPattern = /(?:\bfrom|\bimport)\s*\(?\s*"([^"]+)"/g;

const roomOf = (file) => Object.keys(rooms).find((room) => file.startsWith(`${room}/`)) ?? null;

const isTest = (file) => /\.test\.ts$/.test(file);

/** The faults of one file's imports, as sentences; `file` is relative to the project's root. */
export function importFaults(file, text) {
  const room = roomOf(file);
  if (room === null || isTest(file)) return [];
  const faults = [];
  for (const [, specifier] of text.matchAll(importPattern)) {
    if (specifier.startsWith("node:") && browserRooms.includes(room)) {
      faults.push(`${file}: imports ${specifier}; ${room} runs in a browser, which has no Node.js modules`);
    }
    if (!specifier.startsWith(".")) continue;
    const target = posix.normalize(posix.join(dirname(file), specifier)).replace(/\.js$/, ".ts");
    const other = roomOf(target);
    if (other === room || (other === null && !target.startsWith("src/"))) continue;
    if (other !== null && rooms[room].includes(other)) continue;
    if (exceptions.some((exception) => exception.file === file && exception.may.includes(target))) continue;
    const allowed = rooms[room].length === 0 ? "no other room" : `only ${rooms[room].join(", ")}`;
    faults.push(`${file}: imports ${target}; ${room} may import ${allowed}`);
  }
  return faults;
}

/** All faults of the tree. */
export function allImportFaults(root = projectRoot) {
  return Object.keys(rooms).flatMap((room) =>
    filesUnder(join(root, room))
      .filter((path) => path.endsWith(".ts"))
      .map((path) => relative(root, join(root, room, path)))
      .flatMap((file) => importFaults(file, readFileSync(join(root, file), "utf8"))),
  );
}
