import assert from "node:assert/strict";
import { test } from "node:test";
import { systemOfUname } from "./uname.js";

test("release and machine are read from every form of uname", () => {
  const forms: readonly (readonly [string | null, string | null, string | null])[] = [
    ["Linux host 6.18.0 x86_64", "6.18.0", "x86_64"],
    ["Linux host 7.3.4 #2 SMP PREEMPT Mon Nov 23 09:54:41 UTC 2026 x86_64 GNU/Linux", "7.3.4", "x86_64"],
    [
      "Linux f 6.9.1-200.fc40.x86_64 #1 SMP PREEMPT_DYNAMIC Wed x86_64 x86_64 x86_64 GNU/Linux",
      "6.9.1-200.fc40.x86_64",
      "x86_64",
    ],
    ["Linux h 6.1.0-13-arm64 #1 SMP Debian 6.1.55-1 (2023-09-29) aarch64 GNU/Linux", "6.1.0-13-arm64", "aarch64"],
    ["Linux (none) 7.3.4-luo #2 SMP Mon Nov 23 i686", "7.3.4-luo", "i686"],
    ["Linux host 7.3.4 #2 SMP PREEMPT Mon Nov 23 09:54:41 UTC 2026", "7.3.4", null],
    ["Linux host 7.3.4", "7.3.4", null],
    ["FreeBSD host 14.0", null, null],
    ["", null, null],
    [null, null, null],
  ];
  for (const [text, release, machine] of forms)
    assert.deepEqual(systemOfUname(text), { release, machine }, String(text));
});
