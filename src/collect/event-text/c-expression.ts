/**
 * Parses the C expressions of an event's `print fmt` (the stringified arguments of TP_printk, include/trace/stages/
 * stage3_trace_output.h): a tree, or an error that says what was not understood. Nothing is evaluated here.
 */
import { err, ok, type Result } from "../../base/result.js";

export type UnaryOperator = "-" | "+" | "!" | "~" | "*" | "&";
export type BinaryOperator =
  | "*"
  | "/"
  | "%"
  | "+"
  | "-"
  | "<<"
  | ">>"
  | "<"
  | ">"
  | "<="
  | ">="
  | "=="
  | "!="
  | "&"
  | "^"
  | "|"
  | "&&"
  | "||";

export type Expression =
  | { readonly kind: "integer"; readonly value: bigint; readonly type: string }
  | { readonly kind: "string"; readonly value: string }
  | { readonly kind: "name"; readonly name: string }
  /** `REC->a.b`, with the dots kept. */
  | { readonly kind: "field"; readonly name: string }
  | { readonly kind: "index"; readonly base: Expression; readonly index: Expression }
  | { readonly kind: "unary"; readonly operator: UnaryOperator; readonly operand: Expression }
  | {
      readonly kind: "binary";
      readonly operator: BinaryOperator;
      readonly left: Expression;
      readonly right: Expression;
    }
  | {
      readonly kind: "conditional";
      readonly condition: Expression;
      /** null for GCC's `a ?: b`. */
      readonly yes: Expression | null;
      readonly no: Expression;
    }
  | { readonly kind: "cast"; readonly type: string; readonly operand: Expression }
  | { readonly kind: "sizeof"; readonly type: string }
  | { readonly kind: "call"; readonly name: string; readonly args: readonly Expression[] }
  /** `{ value, "name" }`, an element of a table. */
  | { readonly kind: "list"; readonly items: readonly Expression[] }
  /** GCC's `({ type name = value; …; result; })`. */
  | {
      readonly kind: "block";
      readonly locals: readonly { readonly name: string; readonly type: string; readonly value: Expression }[];
      readonly result: Expression;
    };

type Token =
  | { readonly kind: "integer"; readonly text: string }
  | { readonly kind: "string"; readonly text: string }
  | { readonly kind: "name"; readonly text: string }
  | { readonly kind: "punctuation"; readonly text: string }
  | { readonly kind: "end"; readonly text: "" };

/** Expressions nest as deep as macros do (some 20); deeper ones are hostile. */
const MAX_DEPTH = 200;
/** The longest print fmt of a distribution kernel has some 6,000 tokens. */
const MAX_TOKENS = 100_000;

const TOKEN =
  /\s*(?:(0[xX][0-9a-fA-F]+[uUlL]*|\d+[uUlL]*)|("(?:[^"\\]|\\[\s\S])*")|('(?:[^'\\]|\\[\s\S])+')|([A-Za-z_$][\w$]*)|(->|<<|>>|<=|>=|==|!=|&&|\|\||[-+*/%<>!~&^|?:,.;=()[\]{}]))/y;

function tokensOf(text: string): Result<readonly Token[], string> {
  const tokens: Token[] = [];
  TOKEN.lastIndex = 0;
  let at = 0;
  while (at < text.length) {
    TOKEN.lastIndex = at;
    const match = TOKEN.exec(text);
    if (match === null) {
      if (text.slice(at).trim() === "") break;
      return err(`'${text.slice(at, at + 20).trim()}' is not a C token`);
    }
    at = TOKEN.lastIndex;
    const [, integer, string, character, name, punctuation] = match;
    if (integer !== undefined) tokens.push({ kind: "integer", text: integer });
    else if (string !== undefined) tokens.push({ kind: "string", text: unescaped(string.slice(1, -1)) });
    else if (character !== undefined)
      tokens.push({ kind: "integer", text: String(unescaped(character.slice(1, -1)).charCodeAt(0)) });
    else if (name !== undefined) tokens.push({ kind: "name", text: name });
    else tokens.push({ kind: "punctuation", text: punctuation as string });
    if (tokens.length > MAX_TOKENS) return err(`it has more than ${MAX_TOKENS} tokens`);
  }
  tokens.push({ kind: "end", text: "" });
  return ok(tokens);
}

const ESCAPES: ReadonlyMap<string, string> = new Map([
  ["n", "\n"],
  ["t", "\t"],
  ["r", "\r"],
  ["a", "\x07"],
  ["b", "\b"],
  ["f", "\f"],
  ["v", "\v"],
  ["e", "\x1b"],
]);

/** The text of a C string literal's inside. */
export function unescaped(text: string): string {
  return text.replace(/\\(?:x([0-9a-fA-F]{1,2})|([0-7]{1,3})|([\s\S]))/g, (_all, hex, octal, character) => {
    if (hex !== undefined) return String.fromCharCode(Number.parseInt(hex, 16));
    if (octal !== undefined) return String.fromCharCode(Number.parseInt(octal, 8) & 0xff);
    return ESCAPES.get(character) ?? character;
  });
}

const TYPE_WORDS = new Set([
  "void",
  "char",
  "short",
  "int",
  "long",
  "float",
  "double",
  "signed",
  "unsigned",
  "const",
  "volatile",
  "struct",
  "union",
  "enum",
  "bool",
  "_Bool",
  "u8",
  "u16",
  "u32",
  "u64",
  "s8",
  "s16",
  "s32",
  "s64",
  "__u8",
  "__u16",
  "__u32",
  "__u64",
  "__s8",
  "__s16",
  "__s32",
  "__s64",
  "__be16",
  "__be32",
  "__be64",
  "__le16",
  "__le32",
  "__le64",
]);

/** A precedence for each binary operator, higher binds tighter (C11 6.5). */
const PRECEDENCE: ReadonlyMap<string, number> = new Map([
  ["*", 10],
  ["/", 10],
  ["%", 10],
  ["+", 9],
  ["-", 9],
  ["<<", 8],
  [">>", 8],
  ["<", 7],
  [">", 7],
  ["<=", 7],
  [">=", 7],
  ["==", 6],
  ["!=", 6],
  ["&", 5],
  ["^", 4],
  ["|", 3],
  ["&&", 2],
  ["||", 1],
]);

class ParseError extends Error {}

class Parser {
  #at = 0;
  #depth = 0;
  constructor(readonly tokens: readonly Token[]) {}

  #peek(ahead = 0): Token {
    return this.tokens[Math.min(this.#at + ahead, this.tokens.length - 1)] as Token;
  }

  #next(): Token {
    const token = this.#peek();
    if (this.#at < this.tokens.length - 1) this.#at += 1;
    return token;
  }

  #is(text: string, ahead = 0): boolean {
    const token = this.#peek(ahead);
    return token.kind === "punctuation" && token.text === text;
  }

  #take(text: string): boolean {
    if (!this.#is(text)) return false;
    this.#next();
    return true;
  }

  #expect(text: string): void {
    if (!this.#take(text)) throw new ParseError(`'${text}' expected, '${this.#peek().text}' found`);
  }

  get atEnd(): boolean {
    return this.#peek().kind === "end";
  }

  list(): readonly Expression[] {
    const items: Expression[] = [];
    if (this.atEnd) return items;
    do items.push(this.expression());
    while (this.#take(","));
    if (!this.atEnd) throw new ParseError(`'${this.#peek().text}' is not expected here`);
    return items;
  }

  expression(): Expression {
    this.#depth += 1;
    if (this.#depth > MAX_DEPTH) throw new ParseError(`it nests deeper than ${MAX_DEPTH}`);
    const condition = this.#binary(1);
    let found = condition;
    if (this.#take("?")) {
      const yes = this.#is(":") ? null : this.expression();
      this.#expect(":");
      found = { kind: "conditional", condition, yes, no: this.expression() };
    }
    this.#depth -= 1;
    return found;
  }

  #binary(least: number): Expression {
    let left = this.#unary();
    for (;;) {
      const token = this.#peek();
      const precedence = token.kind === "punctuation" ? PRECEDENCE.get(token.text) : undefined;
      if (precedence === undefined || precedence < least) return left;
      this.#next();
      left = { kind: "binary", operator: token.text as BinaryOperator, left, right: this.#binary(precedence + 1) };
    }
  }

  #unary(): Expression {
    this.#depth += 1;
    if (this.#depth > MAX_DEPTH) throw new ParseError(`it nests deeper than ${MAX_DEPTH}`);
    try {
      const token = this.#peek();
      if (token.kind === "punctuation") {
        switch (token.text) {
          case "-":
          case "+":
          case "!":
          case "~":
          case "*":
          case "&":
            this.#next();
            return { kind: "unary", operator: token.text, operand: this.#unary() };
          case "(": {
            const type = this.#castAhead();
            if (type !== null) return { kind: "cast", type, operand: this.#unary() };
          }
        }
      }
      return this.#postfix(this.#primary());
    } finally {
      this.#depth -= 1;
    }
  }

  /** Takes `(type)` if that is what stands here and an operand follows; null (and nothing taken) otherwise. */
  #castAhead(): string | null {
    let ahead = 1;
    const words: string[] = [];
    let typed = false;
    for (; ; ahead++) {
      const token = this.#peek(ahead);
      if (token.kind === "name") {
        if (token.text === "REC") return null;
        typed ||= TYPE_WORDS.has(token.text) || token.text.endsWith("_t");
        words.push(token.text);
      } else if (token.kind === "punctuation" && token.text === "*") {
        if (words.length === 0) return null;
        words.push("*");
      } else break;
    }
    if (!this.#is(")", ahead) || words.length === 0) return null;
    const after = this.#peek(ahead + 1);
    const operand =
      after.kind === "integer" ||
      after.kind === "string" ||
      after.kind === "name" ||
      (after.kind === "punctuation" && (after.text === "(" || (typed && "-+!~*&{".includes(after.text))));
    // `(a)` before an operator is a name in parentheses; before a value or another parenthesis it is a type.
    if (!operand) return null;
    for (let i = 0; i <= ahead; i++) this.#next();
    return words.join(" ");
  }

  #primary(): Expression {
    const token = this.#next();
    switch (token.kind) {
      case "integer": {
        const suffix = /[uUlL]*$/.exec(token.text)?.[0].toLowerCase() ?? "";
        const digits = token.text.slice(0, token.text.length - suffix.length);
        const octal = /^0[0-7]+$/.test(digits);
        const value = BigInt(octal ? `0o${digits.slice(1)}` : digits);
        const long = suffix.includes("l") || value > 0xffff_ffffn || (value > 0x7fff_ffffn && !/^0/.test(digits));
        const unsigned = suffix.includes("u") || (!long && value > 0x7fff_ffffn);
        return { kind: "integer", value, type: `${unsigned ? "unsigned " : ""}${long ? "long" : "int"}` };
      }
      case "string": {
        let value = token.text;
        while (this.#peek().kind === "string") value += this.#next().text;
        return { kind: "string", value };
      }
      case "name":
        return this.#named(token.text);
      case "punctuation":
        if (token.text === "(") {
          if (this.#is("{")) return this.#block();
          const inner = this.expression();
          this.#expect(")");
          return inner;
        }
        if (token.text === "{") return this.#items();
        throw new ParseError(`'${token.text}' is not expected here`);
      case "end":
        throw new ParseError("it ends too early");
    }
  }

  #items(): Expression {
    const items: Expression[] = [];
    while (!this.#take("}")) {
      items.push(this.expression());
      if (!this.#take(",")) {
        this.#expect("}");
        break;
      }
    }
    return { kind: "list", items };
  }

  #block(): Expression {
    this.#expect("{");
    const locals: { name: string; type: string; value: Expression }[] = [];
    for (;;) {
      let words = 0;
      while (this.#peek(words).kind === "name" || this.#is("*", words)) words += 1;
      if (words < 2 || !this.#is("=", words)) break;
      const type: string[] = [];
      for (let i = 0; i < words - 1; i++) type.push(this.#next().text);
      const name = this.#next().text;
      this.#expect("=");
      locals.push({ name, type: type.join(" "), value: this.expression() });
      this.#expect(";");
    }
    const result = this.expression();
    this.#take(";");
    this.#expect("}");
    this.#expect(")");
    return { kind: "block", locals, result };
  }

  #named(name: string): Expression {
    if (name === "REC") return this.#field();
    if (name === "sizeof") {
      this.#expect("(");
      const words: string[] = [];
      while (!this.#take(")")) {
        if (this.atEnd) throw new ParseError("')' expected at the end");
        words.push(this.#next().text);
      }
      return { kind: "sizeof", type: words.join(" ") };
    }
    if (this.#take("(")) {
      const args: Expression[] = [];
      if (!this.#take(")")) {
        do args.push(this.expression());
        while (this.#take(","));
        this.#expect(")");
      }
      return { kind: "call", name, args };
    }
    return { kind: "name", name };
  }

  /** What follows `REC`: `->a`, `->a.b`. */
  #field(): Expression {
    if (!this.#take("->")) return { kind: "name", name: "REC" };
    let name = this.#next().text;
    while (this.#is(".") && this.#peek(1).kind === "name") {
      this.#next();
      name += `.${this.#next().text}`;
    }
    return { kind: "field", name };
  }

  #postfix(found: Expression): Expression {
    let base = found;
    for (;;) {
      if (this.#take("[")) {
        const index = this.expression();
        this.#expect("]");
        base = { kind: "index", base, index };
      } else if (base.kind === "name" && base.name === "REC" && this.#is("->")) {
        base = this.#field();
      } else return base;
    }
  }
}

/** The comma-separated expressions of `text`. */
export function parseExpressions(text: string): Result<readonly Expression[], string> {
  const tokens = tokensOf(text);
  if (!tokens.ok) return tokens;
  try {
    return ok(new Parser(tokens.value).list());
  } catch (error) {
    if (error instanceof ParseError) return err(error.message);
    throw error;
  }
}
