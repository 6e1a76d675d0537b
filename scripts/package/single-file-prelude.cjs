// Stands first in the single-file build: what its modules read beside themselves in a package is inside the file.
// biome-ignore lint/correctness/noUnusedVariables: the code that follows it uses it
const singleFile = (() => {
  const { getAsset } = require("node:sea");
  const fs = require("node:fs");
  const path = require("node:path");
  let folder = null;

  /** Text of a file inside. */
  const asset = (name) => getAsset(name, "utf8");

  /** The path of a file or folder inside, for programs that need one: unpacked once, removed at the end. */
  const unpacked = (name) => {
    if (folder === null) {
      folder = fs.mkdtempSync(path.join(require("node:os").tmpdir(), "blackout-"));
      process.on("exit", () => fs.rmSync(folder, { recursive: true, force: true }));
      for (const each of JSON.parse(asset("index.json"))) {
        const to = path.join(folder, each);
        fs.mkdirSync(path.dirname(to), { recursive: true });
        fs.writeFileSync(to, Buffer.from(getAsset(each)));
      }
    }
    return path.join(folder, name, "/");
  };

  /**
   * A worker is this file again: fork() passes Node's own options first, which a single file receives as arguments. Heap
   * limits are set by V8's flag instead.
   */
  const isWorker = () => {
    const args = process.argv.slice(2);
    const options = args.filter((arg) => arg.startsWith("--max-old-space-size="));
    if (!args.includes("blackout-worker") || process.send === undefined) return false;
    for (const option of options) require("node:v8").setFlagsFromString(option);
    return true;
  };

  return { asset, unpacked, isWorker };
})();
