import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import fc from "fast-check";
import { memorySource } from "../../base/bytes/byte-source.js";
import { sharedCaptures } from "../../testing/places.js";
import { type ConsoleLog, splitConsoleLog } from "./console-log.js";

const split = (text: string | Uint8Array): ConsoleLog =>
  splitConsoleLog(memorySource("console.log", Buffer.from(text)), { defect: () => {} });
const roles = (log: ConsoleLog): readonly (readonly [string, string, number])[] =>
  log.boots.map(({ role, begin, lines }) => [role, begin, lines.length] as const);

const OLD = "[    0.000000] Linux version 7.2.13\n[    5.000000] luo: ready\n";
const KEXEC = "[    9.000000] kexec_core: Starting new kernel\n";
const NEW = "[    0.000000] Linux version 7.3.4\n[    0.200000] KHO: found kexec handover data.\n";

test("two kernels on one wire: firmware before, the old one, the new one", () => {
  const log = split(`SeaBIOS (version 1.16)\nBooting from ROM..\n${OLD}[luolab] luo: kexec begin\n${KEXEC}${NEW}`);
  assert.deepEqual(roles(log), [
    ["old", "log", 6],
    ["new", "kexec", 2],
  ]);
  assert.deepEqual(
    log.old.map(({ text }) => text),
    [
      "SeaBIOS (version 1.16)",
      "Booting from ROM..",
      "Linux version 7.2.13",
      "luo: ready",
      "[luolab] luo: kexec begin",
      "kexec_core: Starting new kernel",
    ],
  );
  assert.deepEqual(log.new[0], {
    boot: "new",
    file: "console.log",
    line: 7,
    stampNs: 0,
    level: null,
    epochUs: null,
    caller: null,
    text: "Linux version 7.3.4",
  });
});

test("nothing after `Starting new kernel`: the new boot is there, without a line", () => {
  const log = split(OLD + KEXEC);
  assert.deepEqual(roles(log).at(-1), ["new", "kexec", 0]);
  assert.deepEqual(log.new, []);
});

test("the old kernel's last words after `Starting new kernel` are still its own", () => {
  const log = split(`${OLD}${KEXEC}[    9.100000] psci: CPU1 killed (polled 0 ms)\n[    9.200000] Bye!\n${NEW}`);
  assert.equal(log.old.at(-1)?.text, "Bye!");
  assert.equal(log.new[0]?.text, "Linux version 7.3.4");
});

test("a single kernel is the old one; a reset is not a live update; of two updates the last counts", () => {
  assert.deepEqual(
    split(OLD).boots.map(({ role }) => role),
    ["old"],
  );
  const reset = split(`${OLD}[    6.000000] reboot: Restarting system\nSeaBIOS (version 1.16)\n${OLD}`);
  assert.deepEqual(
    reset.boots.map(({ role }) => role),
    ["earlier", "old"],
  );
  const twice = split(OLD + KEXEC + NEW + KEXEC + NEW.replace("7.3.4", "7.3.5"));
  assert.deepEqual(
    twice.boots.map(({ role }) => role),
    ["earlier", "old", "new"],
  );
  assert.equal(twice.new[0]?.text, "Linux version 7.3.5");
});

test("a panic and the firmware after it: the panicked kernel is the new one", () => {
  const log = split(`${OLD}${KEXEC}${NEW}[    1.000000] Kernel panic - not syncing: x\nSeaBIOS (version 1)\n${OLD}`);
  assert.deepEqual(
    log.boots.map(({ role }) => role),
    ["old", "new", "later"],
  );
  assert.ok(log.new.some(({ text }) => text.startsWith("Kernel panic")));
});

test("a kernel line that user space cut in two is put together again", () => {
  const log = split(
    "[    0.000000] Linux version 7\n[    1.000000] a line that [luolab] luo: mark\nwas cut\n[    2.000000] next\n",
  );
  assert.equal(log.rejoined, 1);
  assert.deepEqual(log.old.map(({ text }) => text).slice(1), ["a line that was cut", "[luolab] luo: mark", "next"]);
});

test("the recorded panic: both kernels, and the new one's last words", { skip: sharedCaptures === null }, () => {
  const log = split(readFileSync(join(sharedCaptures as string, "panic/console.log")));
  assert.deepEqual(
    log.boots.map(({ role }) => role),
    ["old", "new"],
  );
  assert.ok(log.new.some(({ text }) => text.startsWith("Kernel panic - not syncing: VFS")));
  assert.ok(log.old.some(({ text }) => text.startsWith("kexec_core: Starting new kernel")));
});

test("any bytes: never a throw; every part is in exactly one boot; at most one old and one new", () => {
  const piece = fc.constantFrom(
    OLD,
    KEXEC,
    NEW,
    "SeaBIOS (version\n",
    "[luolab] x",
    "[    1.000000] ",
    "\n",
    "\u001b[2J",
    "reboot: Restarting system\n",
  );
  fc.assert(
    fc.property(fc.array(fc.oneof(piece, fc.string({ maxLength: 8 })), { maxLength: 20 }), (parts) => {
      const log = split(parts.join(""));
      for (const role of ["old", "new"]) assert.ok(log.boots.filter((boot) => boot.role === role).length <= 1);
      const places = log.boots.flatMap(({ lines }) => lines.map(({ line }) => line));
      assert.deepEqual(
        [...places].sort((a, b) => a - b),
        places,
        "in order",
      );
    }),
    { numRuns: 500 },
  );
});
