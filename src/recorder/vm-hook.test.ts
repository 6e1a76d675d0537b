/** The hook that pauses and resumes VMs: on a real QEMU, and on sockets that answer like the other VMMs. */
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import test, { after } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { missing } from "../testing/oracles/debian-programs.js";
import { projectRoot } from "../testing/places.js";
import { shells } from "../testing/recorder-runs.js";

const hook = join(projectRoot, "packaging/hooks/blackout-vm");
const scratch = mkdtempSync(join(tmpdir(), "blackout-vm-"));
after(() => rmSync(scratch, { recursive: true, force: true }));

/** In place of the recorder: records what it is asked to mark. */
const marks = join(scratch, "marks");
const recorder = join(scratch, "recorder");
writeFileSync(recorder, `#!/bin/sh\necho "$*" >> ${marks}\n`, { mode: 0o755 });
const env = { ...process.env, BLACKOUT_RECORDER: recorder, BLACKOUT_HOOK_TIMEOUT: "10" };

function marked(): readonly string[] {
  const lines = existsSync(marks) ? readFileSync(marks, "utf8").trim().split("\n") : [];
  rmSync(marks, { force: true });
  return lines;
}

interface Hooked {
  readonly code: number | null;
  readonly said: string;
}

/** Not in step with this process, which answers as the VMM. */
async function run(args: readonly string[], by: readonly string[] = ["sh"], more = {}): Promise<Hooked> {
  const [program, ...before] = by as [string, ...string[]];
  const child = spawn(program, [...before, hook, ...args], {
    env: { ...env, ...more },
    stdio: ["ignore", "ignore", "pipe"],
  });
  let said = "";
  child.stderr.on("data", (data: Buffer) => {
    said += data.toString("utf8");
  });
  const [code] = await once(child, "close");
  return { code, said };
}

const noQemu = missing("qemu-system-x86_64", "qemu-system-x86") || missing("socat", "socat");
test("a QEMU is paused and resumed, and marked", { skip: noQemu }, async () => {
  const socket = join(scratch, "qmp");
  const machine = ["-accel", "tcg", "-m", "32", "-display", "none", "-nodefaults", "-S"];
  const qemu = spawn("qemu-system-x86_64", [...machine, "-qmp", `unix:${socket},server=on,wait=off`]);
  try {
    for (let waitedMs = 0; !existsSync(socket) && waitedMs < 30_000; waitedMs += 50) await sleep(50);
    const status = (): string => {
      const ask = '{"execute":"qmp_capabilities"}\n{"execute":"query-status"}\n';
      return spawnSync("socat", ["-t1", "-", `UNIX-CONNECT:${socket}`], { input: ask, encoding: "utf8" }).stdout;
    };
    for (const by of shells) {
      assert.deepEqual(await run(["resume", "qemu", socket, "vm-7"], by), { code: 0, said: "" });
      assert.match(status(), /"status": "running"/);
      assert.deepEqual(await run(["pause", "qemu", socket], by), { code: 0, said: "" });
      assert.match(status(), /"status": "paused"/);
      assert.deepEqual(marked(), ["mark luo: vm_resume vm=vm-7", "mark luo: vm_pause"]);
    }
  } finally {
    qemu.kill("SIGKILL");
    await once(qemu, "close");
  }
  const gone = await run(["pause", "qemu", socket]);
  assert.equal(gone.code, 1);
  assert.match(gone.said, /QEMU did not answer to qmp_capabilities at /);
  assert.deepEqual(marked(), [], "a request that could not be sent is not marked");
});

const noCurl = missing("curl", "curl");
test("Cloud Hypervisor and Firecracker are called by their APIs, and marked", { skip: noCurl }, async () => {
  const socket = join(scratch, "api");
  const asked: string[] = [];
  let answer = 204;
  const server = createServer((request, response) => {
    let body = "";
    request.on("data", (data: Buffer) => {
      body += data.toString("utf8");
    });
    request.on("end", () => {
      // A mark made before the request is there by now.
      asked.push([request.method, request.url, body, existsSync(marks)].filter((part) => part !== "").join(" "));
      response.writeHead(answer).end();
    });
  });
  server.listen(socket);
  await once(server, "listening");
  try {
    for (const [vmm, requests] of [
      ["cloud-hypervisor", ["PUT /api/v1/vm.pause true", "PUT /api/v1/vm.resume false"]],
      ["firecracker", ['PATCH /vm {"state":"Paused"} true', 'PATCH /vm {"state":"Resumed"} false']],
    ] as const) {
      for (const verb of ["pause", "resume"]) {
        assert.deepEqual(await run([verb, vmm, socket, "a"]), { code: 0, said: "" });
        assert.deepEqual(marked(), [`mark luo: vm_${verb} vm=a`]);
      }
      assert.deepEqual(asked.splice(0), requests);
    }
    const unmarked = await run(["pause", "firecracker", socket], ["sh"], { BLACKOUT_RECORDER: "/nowhere" });
    assert.equal(unmarked.code, 0, "a failed mark does not stop the action");
    assert.match(unmarked.said, /pause could not be marked/);
    answer = 500;
    const refused = await run(["resume", "firecracker", socket]);
    assert.equal(refused.code, 1);
    assert.match(refused.said, /firecracker did not resume the VM at /);
    assert.deepEqual(marked(), []);
  } finally {
    server.close();
  }
});

test("a mark is one write to the marker that arm chose in this boot, else to the kernel's own", {
  skip: noCurl,
}, async () => {
  const socket = join(scratch, "marker-api");
  const server = createServer((_request, response) => response.writeHead(204).end());
  server.listen(socket);
  await once(server, "listening");
  try {
    for (const by of shells) {
      const root = mkdtempSync(join(scratch, "root-"));
      const write = (path: string, text: string): void => {
        mkdirSync(dirname(join(root, path)), { recursive: true });
        writeFileSync(join(root, path), text);
      };
      const marker = (path: string): string => readFileSync(join(root, path), "utf8");
      const [own, ring] = [
        "sys/kernel/tracing/trace_marker",
        "sys/kernel/tracing/instances/blackout_marks/trace_marker",
      ];
      for (const path of [own, ring]) write(path, "");
      write("proc/sys/kernel/random/boot_id", "first\n");
      write("var/lib/blackout/armed", `boot=first\nhalf=old\nmarker=${join(root, ring)}\n`);
      const direct = { BLACKOUT_RECORDER: "", BLACKOUT_ROOT: root };
      assert.deepEqual(await run(["pause", "firecracker", socket, "a"], by, direct), { code: 0, said: "" });
      assert.equal(marker(ring), "luo: vm_pause vm=a");
      write("proc/sys/kernel/random/boot_id", "second\n");
      assert.deepEqual(await run(["resume", "firecracker", socket, "a"], by, direct), { code: 0, said: "" });
      assert.equal(marker(own), "luo: vm_resume vm=a");
      write("proc/sys/kernel/random/boot_id", "first\n");
      write("var/lib/blackout/armed", `boot=first\nmarker=${join(root, "victim")}\n`);
      assert.deepEqual(await run(["resume", "firecracker", socket], by, direct), { code: 0, said: "" });
      assert.equal(marker(own), "luo: vm_resume vm=aluo: vm_resume", "a marker outside tracefs is not written");
      assert.ok(!existsSync(join(root, "victim")));
      rmSync(join(root, "sys"), { recursive: true });
      const unmarked = await run(["pause", "firecracker", socket], by, direct);
      assert.equal(unmarked.code, 0, "a failed mark does not stop the action");
      assert.match(unmarked.said, /pause could not be marked: no trace_marker/);
    }
  } finally {
    server.close();
  }
});

test("a wrong command line gives a message with the right one", async () => {
  for (const args of [
    [],
    ["pause", "qemu"],
    ["stop", "qemu", "s"],
    ["pause", "xen", "s"],
    ["pause", "qemu", "s", "v", "x"],
  ]) {
    const { code, said } = await run(args);
    assert.equal(code, 2);
    assert.match(said, /^Pauses or resumes a VM .*\n {2}blackout-vm pause\|resume qemu/);
  }
});
