/**
 * Makes the sample of QEMU's log: traces/dialects/qemu/qemu.old.log and qemu.new.log, of a small guest that is stopped
 * and saved to a file by one QEMU, and loaded and resumed by another.
 *
 *     npm run build && node traces/make-qemu-sample.mjs BZIMAGE
 *
 * Needs qemu-system-x86_64 and a static busybox. QEMU 7.2 has no vmstate_downtime_* events; they are enabled anyway, so
 * that a newer QEMU logs them.
 */
import { spawn } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { gzipSync } from "node:zlib";

const [kernel] = process.argv.slice(2);
if (kernel === undefined) throw new Error("Give the kernel: node traces/make-qemu-sample.mjs BZIMAGE");
const { packInitramfs } = await import(join(import.meta.dirname, "../dist/lab/guest/initramfs.js"));
const samples = join(import.meta.dirname, "dialects/qemu");
const folder = mkdtempSync(join(tmpdir(), "blackout-qemu-"));
const LIMIT_MS = 120_000;

/** The events that docs/capture-format.md lists. */
const EVENTS = [
  ...["runstate_set", "vm_state_notify", "migrate_set_state", "savevm_section_*", "savevm_state_*", "vmstate_save"],
  ...["qemu_loadvm_state_section*", "loadvm_state_*", "vmstate_load", "vmstate_load_state", "vmstate_load_state_end"],
  "vmstate_downtime_*",
];

const INIT = `#!/bin/busybox sh
echo guest is up
while :; do :; done
`;

/** Starts a QEMU with the configuration that both need, and connects to its QMP monitor. */
async function startQemu(log, more) {
  const qmp = `${log}.qmp`;
  const machine = ["-accel", "tcg", "-cpu", "max", "-m", "128", "-nographic", "-nodefaults"];
  const devices = ["-device", "e1000,romfile=", "-device", "virtio-rng-pci", "-serial", `file:${log}.console`];
  const boot = ["-kernel", kernel, "-initrd", join(folder, "initrd"), "-append", "console=ttyS0 panic=-1"];
  const traced = EVENTS.flatMap((pattern) => ["--trace", pattern]);
  const logged = ["-D", log, "-msg", "timestamp=on", ...traced];
  const monitor = ["-qmp", `unix:${qmp},server=on,wait=off`];
  const args = [...machine, ...devices, ...boot, ...logged, ...monitor, ...more];
  const qemu = spawn("qemu-system-x86_64", args, { stdio: ["ignore", "ignore", "inherit"] });
  const ended = new Promise((resolve) => qemu.on("close", resolve));
  const limit = setTimeout(() => qemu.kill("SIGKILL"), LIMIT_MS);
  ended.then(() => clearTimeout(limit));
  while (!existsSync(qmp)) await sleep(50);
  const socket = connect(qmp);
  const waiting = [];
  const answers = createInterface({ input: socket });
  // A QEMU that quits may reset the connection instead of closing it.
  answers.on("error", () => {});
  answers.on("line", (line) => {
    const said = JSON.parse(line);
    if (said.error !== undefined) throw new Error(said.error.desc);
    if (said.return !== undefined) waiting.shift()?.(said.return);
  });
  const ask = (execute, args = {}) =>
    new Promise((resolve) => {
      waiting.push(resolve);
      socket.write(`${JSON.stringify({ execute, arguments: args })}\n`);
    });
  await ask("qmp_capabilities");
  return { ask, ended };
}

async function until(what, holds) {
  for (let waited = 0; !(await holds()); waited += 100) {
    if (waited > LIMIT_MS) throw new Error(`${what}: not in time`);
    await sleep(100);
  }
}

try {
  const busybox = { path: "bin/busybox", content: readFileSync("/bin/busybox"), executable: true };
  const init = { path: "init", content: Buffer.from(INIT), executable: true };
  writeFileSync(join(folder, "initrd"), gzipSync(packInitramfs([busybox, init]), { level: 1 }));
  const [oldLog, newLog, state] = ["qemu.old.log", "qemu.new.log", "state"].map((name) => join(folder, name));

  const source = await startQemu(oldLog, []);
  await until("the guest's boot", () => readFileSync(`${oldLog}.console`, "latin1").includes("guest is up"));
  await source.ask("stop");
  await source.ask("migrate", { uri: `exec:cat > ${state}` });
  await until("the save", async () => (await source.ask("query-migrate")).status === "completed");
  source.ask("quit");
  await source.ended;

  const target = await startQemu(newLog, ["-incoming", "defer"]);
  await target.ask("migrate-incoming", { uri: `exec:cat ${state}` });
  await until("the load", async () => (await target.ask("query-status")).status === "paused");
  await target.ask("cont");
  await sleep(500);
  target.ask("quit");
  await target.ended;

  mkdirSync(samples, { recursive: true });
  copyFileSync(oldLog, join(samples, "qemu.old.log"));
  copyFileSync(newLog, join(samples, "qemu.new.log"));
} finally {
  rmSync(folder, { recursive: true, force: true });
}
