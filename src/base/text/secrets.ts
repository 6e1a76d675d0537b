/**
 * What looks like a secret on a command line, wherever a log repeats it. The recorder leaves it out of captures and the
 * reports leave it out of what they print: by the same table, which a test compares with the recorder's own.
 */

/** A key that has one of these anywhere is a secret's, in any case of letters. */
export const SECRET_PARTS: readonly string[] = [
  "pass",
  "secret",
  "token",
  "credential",
  "auth",
  "apikey",
  "accesskey",
  "privkey",
  "signature",
  "bearer",
  "cookie",
];
/** A key that ends in one of these is. */
export const SECRET_ENDS: readonly string[] = [
  "key",
  "pw",
  "pwd",
  "psk",
  "[._-]pin",
  "[._-]sig",
  "[._-]sas",
  "[._-]otp",
  "[._-]hmac",
  "[._-]creds?",
];
/** Of commands of audited processes: secrets in a line of the audit log only. */
const AUDIT_WORDS: readonly string[] = ["proctitle", "cmdline", "a[0-9]+"];
/** A key that is one of these is. */
export const SECRET_WORDS: readonly string[] = [
  "pin",
  "sig",
  "sas",
  "otp",
  "hmac",
  "creds?",
  "systemd[.]run",
  ...AUDIT_WORDS,
];

const SECRET_PART = new RegExp(SECRET_PARTS.join("|"));
const SECRET_END = new RegExp(`(?:${SECRET_ENDS.join("|")})$`);
const SECRET_WORD = new RegExp(`^(?:${SECRET_WORDS.join("|")})$`);
const AUDIT_WORD = new RegExp(`^(?:${AUDIT_WORDS.join("|")})$`);

/** Whether `key` of `line` looks like a secret's. */
export function isSecretKey(key: string, line: string): boolean {
  const plain = key.toLowerCase().replace(/^-+/, "");
  if (SECRET_WORD.test(plain)) return !AUDIT_WORD.test(plain) || line.includes("audit");
  return SECRET_PART.test(plain) || SECRET_END.test(plain);
}

/** What stands for a value. */
export const SECRET_LEFT_OUT = "[left out]";

/** A line that holds none of these holds no secret. */
const WORTH_A_LOOK = /[=@]|--[A-Za-z]|[Bb]earer /;
/**
 * A key with its `=`, an option, `Bearer`, or an address with a user. The bounds keep a hostile line's cost linear; a
 * longer password is cut at its end.
 */
const CANDIDATE =
  /(?<![A-Za-z0-9_.-])(?<key>[A-Za-z0-9_.-]+)"?=|(?<option>--[A-Za-z0-9_.-]+)[ \t]+|(?<bearer>[Bb]earer )|:\/\/(?<user>[^/@ ]{1,512})@/g;
/** A word in which a value may hold user:password@host without `://`, as in `netroot=iscsi:user:password@host`. */
const WORD = /[^\s"]+/g;
/** LUO prints the number of a file as its token. */
const NUMBER = /^(?:0x)?[0-9a-f]{1,16}(?![0-9a-z])/;

/** Where the value that begins at `from` ends: at its closing quote, at the line's end, or at a blank. */
function endOfValue(line: string, from: number, toEnd: boolean): number {
  if (toEnd) return line.length;
  const quote = line[from];
  if (quote === '"' || quote === "'") {
    const end = line.indexOf(quote, from + 1);
    return end < 0 ? line.length : end + 1;
  }
  const blank = /[\s"']/g;
  blank.lastIndex = from;
  return blank.exec(line)?.index ?? line.length;
}

/** A word with the credentials in its value left out. */
function withoutCredentials(word: string): string {
  const value = word.indexOf("=") + 1;
  if (value === 0) return word;
  let out = "";
  let from = 0;
  for (let at = word.indexOf("@", value); at >= 0; at = word.indexOf("@", at + 1)) {
    const begin = Math.max(value, from, word.lastIndexOf("/", at) + 1);
    const user = word.slice(begin, at);
    if (!user.includes(":")) continue;
    out += word.slice(from, begin) + SECRET_LEFT_OUT;
    from = at;
  }
  return out + word.slice(from);
}

/** One line of a log, or a command line, with the values of secrets left out, and all else as it was. */
export function withoutSecrets(line: string): string {
  if (!WORTH_A_LOOK.test(line)) return line;
  const text = line.includes("@") ? line.replace(WORD, withoutCredentials) : line;
  let out = "";
  let at = 0;
  CANDIDATE.lastIndex = 0;
  const candidate = new RegExp(CANDIDATE);
  for (let found = candidate.exec(text); found !== null; found = candidate.exec(text)) {
    const { key, option, bearer, user } = found.groups as Readonly<Record<string, string | undefined>>;
    let from = candidate.lastIndex;
    let end = from;
    if (user !== undefined) [from, end] = [from - user.length - 1, from - 1];
    else if (bearer !== undefined) end = endOfValue(text, from, false);
    else {
      const name = key ?? (option as string);
      const isNumber = name === "token" && text.includes("luo") && NUMBER.test(text.slice(from, from + 20));
      if (isNumber || !isSecretKey(name, text)) {
        // Options may follow each other, and a value may begin with a key.
        continue;
      }
      const before = text.slice(Math.max(0, found.index - 4), found.index);
      end = endOfValue(text, from, key !== undefined && before === "    ");
      // A quote that began before the key ends the value.
      const quote = /(?:^|[ =])"$/.test(before) ? text.indexOf('"', from) : -1;
      if (quote >= 0) end = quote;
    }
    if (end <= from) continue;
    out += text.slice(at, from) + SECRET_LEFT_OUT;
    at = end;
    candidate.lastIndex = end;
  }
  return out + text.slice(at);
}
