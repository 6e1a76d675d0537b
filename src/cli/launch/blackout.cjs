#!/usr/bin/env node
// The command. Any Node.js can parse this file: an old one then prints a sentence instead of a syntax error.
var found = process.versions.node.split(".");
var major = Number(found[0]);
var minor = Number(found[1]);

if (major < 20 || (major === 20 && minor < 19)) {
  process.stderr.write(
    "blackout: Node.js 20.19 or later is needed, and this is " +
      process.versions.node +
      " (" +
      process.execPath +
      "). Install a newer one, or use the single-file build, which needs none.\n",
  );
  process.exitCode = 2;
} else {
  require("./start.cjs");
}
