/**
 * Output into the log of a CI system. The system takes lines of a program's output for commands of its own, so a name
 * in a capture could set a variable, hide lines or fail a build.
 */

type Environment = Readonly<Record<string, string | undefined>>;

/** Variables that CI systems set: all of them CI, but for Azure Pipelines and TeamCity. */
const VARIABLES = ["CI", "GITHUB_ACTIONS", "GITLAB_CI", "TF_BUILD", "TEAMCITY_VERSION"] as const;

/** Whether output goes to the log of a CI system. */
export function isCi(env: Environment): boolean {
  return VARIABLES.some((name) => !["", "false", "0", undefined].includes(env[name]?.toLowerCase()));
}

/**
 * GitHub takes `::` behind leading blanks (ActionCommand.TryParseV2), and `##[` anywhere in a line (TryParse); Azure
 * `##vso[`, `##[`; TeamCity `##teamcity[`; GitLab and Travis `section_start:` and `travis_fold:`.
 */
const COMMAND = /(?<=(?:^|[\n\r])[^\S\n\r]*)::|##(?:\[|vso\[|teamcity\[)|section_(?:start|end):|travis_(?:fold|time):/g;

/** Longer than any command's begin, with the blanks before it. */
const REMEMBERED = 256;

/**
 * Makes a function that escapes the commands in one stream's parts, one after the other: one character of each becomes
 * `\u003a`, so that a document of JSON stays the same document.
 */
export function ciEscaper(): (part: string) => string {
  // The end of the line that is being written: a command may come in two parts.
  let line = "";
  return (part) => {
    const all = line + part;
    let escaped = "";
    let at = line.length;
    for (const { index, 0: found } of all.matchAll(COMMAND)) {
      const place = Math.max(index + 1, line.length);
      if (place < at || place >= index + found.length) continue;
      escaped += `${all.slice(at, place)}\\u${all.charCodeAt(place).toString(16).padStart(4, "0")}`;
      at = place + 1;
    }
    escaped += all.slice(at);
    const end = Math.max(all.lastIndexOf("\n"), all.lastIndexOf("\r"));
    // Of a long line the first character stays, so that what follows is not taken for its begin.
    const rest = all.slice(end + 1);
    line = rest.length <= REMEMBERED ? rest : `x${rest.slice(-REMEMBERED)}`;
    return escaped;
  };
}
