/** Drives one host through a series of live updates: each step is in the journal before it is made. */
import { createHash } from "node:crypto";
import { readFileSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { err, ok, type Result } from "../../base/result.js";
import { type DoctorReport, PROBE_LEVELS, parseDoctorReport, recorderPath } from "../../recorder/recorder.js";
import type { DriveJournal, DrivenUpdate } from "./journal.js";
import type { Remote, RemoteAnswer } from "./remote.js";
import type { KernelSide, Steps } from "./steps.js";

/** What the driver needs beside the host. */
export interface DriverTools {
  readonly remote: Remote;
  readonly steps: Steps;
  /** Folder of captures and journal. */
  readonly out: string;
  readonly save: (journal: DriveJournal) => void;
  /** One line for a person, as it happens. */
  readonly report: (line: string) => void;
  readonly nowMs: () => number;
  readonly sleep: (ms: number) => Promise<void>;
  /** What the capture answers, for the update's line; null if it cannot be read. */
  readonly describe: (capture: string) => Promise<string | null>;
}

export interface DriveOrder {
  readonly kernels: Readonly<Partial<Record<KernelSide, { readonly kernel: string; readonly initrd: string | null }>>>;
  readonly level: string;
  readonly labels: readonly string[];
  /** Of each kernel. */
  readonly repeat: number;
  readonly limitMs: number;
  /** Failures after which no further update is made. */
  readonly stopAfter: number;
  /** Whether the host may be restarted once with the words that recording needs. */
  readonly prepare: boolean;
}

export interface DriveResult {
  readonly journal: DriveJournal;
  /** Why the drive ended before all updates were made; null if it did not. */
  readonly stopped: string | null;
  /** What is left on the host; null if nothing. */
  readonly left: string | null;
}

/** Long enough for the recorder on a busy host; uploads have the update's limit. */
const STEP_MS = 120_000;
const LOOK_MS = 15_000;
const POLL_MS = 1_000;

const lastLine = (text: string): string => text.trim().split("\n").at(-1) ?? "";
const sha256 = (path: string): string => createHash("sha256").update(readFileSync(path)).digest("hex");

/** What a step that failed has printed, in a sentence. */
function failureOf(what: string, { code, stdout, stderr }: RemoteAnswer): string {
  const printed = lastLine(stderr) || lastLine(stdout);
  const how = code === null ? "did not end in time" : code === 255 ? "ssh failed" : `exit code ${code}`;
  return `${what}: ${how}${printed === "" ? "" : `: ${printed}`}`;
}

export class Driver {
  #journal: DriveJournal;
  readonly #tools: DriverTools;
  readonly #order: DriveOrder;

  constructor(tools: DriverTools, order: DriveOrder, journal: DriveJournal) {
    this.#tools = tools;
    this.#order = order;
    this.#journal = journal;
  }

  /** The error is a sentence: the host cannot be driven. What was made before is in the journal. */
  async run(): Promise<Result<DriveResult, string>> {
    const claimed = await this.#claim();
    if (!claimed.ok) return claimed;
    const ready = await this.#makeReady(claimed.value);
    if (!ready.ok) return ready;
    const stopped = await this.#updates();
    const left = await this.#clean();
    return ok({ journal: this.#journal, stopped, left });
  }

  #step(script: string, timeoutMs = STEP_MS, input: string | null = null, output: string | null = null) {
    return this.#tools.remote.run({ script, input, output, timeoutMs });
  }

  /** A host that an interrupted driver has sent into its next kernel may still be on its way. */
  async #reach(script: string): Promise<RemoteAnswer> {
    const { nowMs, sleep } = this.#tools;
    const beganMs = nowMs();
    for (;;) {
      const answer = await this.#step(script);
      const patient = answer.code === 255 && this.#open() !== null && nowMs() - beganMs < this.#order.limitMs;
      if (!patient) return answer;
      await sleep(POLL_MS);
    }
  }

  /** Claims the host, and puts the recorder and the kernels on it, unless they are there. Gives its boot's id. */
  async #claim(): Promise<Result<string, string>> {
    const { remote, steps, report } = this.#tools;
    const claimed = await this.#reach(steps.claim(this.#journal.id));
    if (claimed.code !== 0)
      return err(failureOf(`${remote.host} cannot be reached, or its folder not be made`, claimed));
    const fields = new Map(
      [...claimed.stdout.matchAll(/^(owner|boot|release|kexec)=(.*)$/gm)].map(([, key, value]) => [key, value]),
    );
    if (fields.get("owner") !== this.#journal.id) {
      return err(
        `${remote.host} is being driven by another drive (${fields.get("owner")}).\n  Finish that one with --resume; or, if its folder of captures is gone, remove the folder on the host (--host-folder).`,
      );
    }
    if (fields.get("kexec") !== "yes") return err(`${remote.host} has no kexec program: install kexec-tools there.`);
    report(`${remote.host}: Linux ${fields.get("release")}`);
    const there = new Map(
      [...claimed.stdout.matchAll(/^([0-9a-f]{64}) [ *](\S+)$/gm)].map(([, sum, name]) => [name, sum]),
    );
    const wanted = [
      ["recorder.sh", recorderPath] as const,
      ...Object.entries(this.#order.kernels).flatMap(([side, { kernel, initrd }]) => [
        [`kernel-${side}`, kernel] as const,
        ...(initrd === null ? [] : [[`initrd-${side}`, initrd] as const]),
      ]),
    ];
    for (const [name, path] of wanted) {
      const sum = sha256(path);
      if (there.get(name) === sum) continue;
      const put = await this.#step(steps.put(name), Math.max(STEP_MS, this.#order.limitMs), path);
      if (put.code !== 0 || !put.stdout.startsWith(sum))
        return err(failureOf(`${path} could not be copied to ${remote.host}`, put));
    }
    return ok(fields.get("boot") ?? "");
  }

  /** Whether the host can record the level; if not, and it may be, it is restarted once with the words for it. */
  async #makeReady(bootId: string): Promise<Result<null, string>> {
    const { remote, steps, report } = this.#tools;
    // What an earlier driver left under way is of a host that was ready.
    if (this.#open() !== null) return ok(null);
    const first = await this.#doctor();
    if (!first.ok) return first;
    if (enough(first.value, this.#order.level)) return ok(null);
    const words = await this.#step(steps.firstWords());
    const problems = first.value.checks
      .filter(({ status }) => status === "fail")
      .map(({ found, advice }) => `\n  ${found}${advice === "" ? "" : ` -> ${advice}`}`);
    if (!this.#order.prepare) {
      return err(
        `${remote.host} cannot record level ${this.#order.level}:${problems.join("")}\n  Start it with these words, or give --prepare, which restarts it with them by one kexec: ${lastLine(words.stdout)}`,
      );
    }
    report(`${remote.host}: restarting it once with the words that recording needs`);
    const started = await this.#step(steps.prepare("a"));
    if (started.code !== 0) return err(failureOf(`${remote.host} could not be prepared`, started));
    const back = await this.#untilBack(bootId);
    if (!back.ok) return err(`${remote.host} could not be prepared: ${back.error}`);
    const second = await this.#doctor();
    if (!second.ok) return second;
    if (enough(second.value, this.#order.level)) return ok(null);
    const still = second.value.checks.filter(({ status }) => status === "fail").map(({ found }) => found);
    return err(`${remote.host} cannot record level ${this.#order.level} with these words either: ${still.join("; ")}`);
  }

  async #doctor(): Promise<Result<DoctorReport, string>> {
    const answer = await this.#step(this.#tools.steps.doctor());
    const report = parseDoctorReport(answer.stdout);
    return report === null ? err(failureOf("the recorder's doctor did not answer", answer)) : ok(report);
  }

  /** The update that an interrupted driver had begun. */
  #open(): DrivenUpdate | null {
    const last = this.#journal.updates.at(-1);
    return last === undefined || last.state === "done" || last.state === "failed" ? null : last;
  }

  #note(update: DrivenUpdate): void {
    const before = this.#journal.updates.slice(0, update.number - 1);
    this.#journal = { ...this.#journal, updates: [...before, update] };
    this.#tools.save(this.#journal);
  }

  /** Why the series ended early; null if all updates were made. */
  async #updates(): Promise<string | null> {
    const { kernels, repeat, stopAfter } = this.#order;
    const sides = Object.keys(kernels) as KernelSide[];
    const total = repeat * sides.length;
    const beganMs = this.#tools.nowMs();
    const before = this.#journal.updates.filter(({ state }) => state === "done" || state === "failed").length;
    for (let number = before + 1; number <= total; number++) {
      const update = await this.#update(number, sides[(number - 1) % sides.length] as KernelSide);
      const made = number - before;
      const leftMs = ((this.#tools.nowMs() - beganMs) / made) * (total - number);
      await this.#reportUpdate(update, total, leftMs);
      const failures = this.#journal.updates.filter(({ state }) => state === "failed").length;
      if (update.why?.startsWith(NOT_BACK)) return update.why;
      if (failures >= stopAfter && number < total) return `${failures} updates failed`;
    }
    return null;
  }

  async #reportUpdate({ number, side, capture, why }: DrivenUpdate, total: number, leftMs: number): Promise<void> {
    const { describe, report, out } = this.#tools;
    const head = `update ${String(number).padStart(String(total).length)} of ${total}${Object.keys(this.#order.kernels).length > 1 ? ` (${side})` : ""}`;
    const answer = capture === null ? null : await describe(join(out, capture));
    const left = number === total ? "" : `  about ${timeOf(leftMs)} left`;
    report(
      `${head}  ${why === null ? "" : `failed: ${why}  `}${answer ?? ""}${capture === null ? "" : `  ${capture}`}${left}`,
    );
  }

  async #update(number: number, side: KernelSide): Promise<DrivenUpdate> {
    const { steps } = this.#tools;
    const found = this.#open();
    let update = found ?? { number, side, state: "arming" as const, bootId: "", capture: null, why: null };
    const failed = async (why: string, collect = false): Promise<DrivenUpdate> => {
      const capture = collect ? await this.#collect(update) : null;
      await this.#step(steps.disarm());
      update = { ...update, state: "failed", why, capture: capture?.ok ? capture.value : null };
      this.#note(update);
      return update;
    };

    if (found?.state === "rebooting" && (await this.#wasNotStarted(found.bootId)))
      update = { ...found, state: "arming" };
    if (update.state === "arming") {
      const before = await this.#step(steps.look(), LOOK_MS);
      const bootId = /^boot=(\S+)/m.exec(before.stdout)?.[1];
      if (bootId === undefined) return failed(failureOf("the host does not answer", before));
      // What an interrupted driver had armed is taken back; if nothing is armed, this does nothing.
      const cleared = await this.#step(steps.disarm());
      if (cleared.code !== 0) return failed(failureOf("the recorder could not be disarmed", cleared));
      update = { ...update, bootId };
      this.#note(update);
      for (const [what, script] of [
        ["the recorder could not be armed", steps.arm(side)],
        ["the next kernel could not be loaded", steps.load(side)],
      ] as const) {
        const answer = await this.#step(script);
        if (answer.code !== 0) return failed(failureOf(what, answer));
      }
      update = { ...update, state: "rebooting" };
      this.#note(update);
      const started = await this.#step(steps.reboot());
      // With `kexec -e` the connection may break before ssh has the answer.
      if (started.code !== 0 && started.code !== 255 && started.code !== null) {
        return failed(failureOf("the update could not be started", started));
      }
    }
    if (update.state === "rebooting") {
      const back = await this.#untilBack(update.bootId);
      // Not final: once the host is up again, --resume collects what its rings hold.
      if (!back.ok && back.error.startsWith(NOT_BACK)) return { ...update, why: back.error };
      if (!back.ok) return failed(back.error, true);
      const resumed = await this.#step(steps.resume(), this.#order.limitMs);
      update = {
        ...update,
        state: "collecting",
        why: resumed.code === 0 ? null : failureOf("the VMs could not be resumed", resumed),
      };
      this.#note(update);
    }
    const collected = await this.#collect(update);
    if (!collected.ok) return failed(collected.error);
    const disarmed = await this.#step(steps.disarm());
    const why = update.why ?? (disarmed.code === 0 ? null : failureOf("the recorder could not be disarmed", disarmed));
    update = { ...update, state: why === null ? "done" : "failed", capture: collected.value, why };
    this.#note(update);
    return update;
  }

  /** Whether an interrupted driver noted a kexec, and was killed before the host had begun it. */
  async #wasNotStarted(bootId: string): Promise<boolean> {
    const { code, stdout } = await this.#step(this.#tools.steps.look(), LOOK_MS);
    return code === 0 && stdout.startsWith(`boot=${bootId}\nidle`);
  }

  /** Waits for another boot than this; fails if the process that was to start it ended, or at the limit. */
  async #untilBack(bootId: string): Promise<Result<string, string>> {
    const { nowMs, sleep, steps } = this.#tools;
    const { limitMs } = this.#order;
    const beganMs = nowMs();
    while (nowMs() - beganMs < limitMs) {
      const look = await this.#step(steps.look(), LOOK_MS);
      const now = look.code === 0 ? /^boot=(\S+)/m.exec(look.stdout)?.[1] : undefined;
      if (now !== undefined && now !== bootId) return ok(now);
      // `systemctl kexec` returns at once: only a failure is an answer.
      const ended = /^ended\nexit (\d+)\n?([\s\S]*)/m.exec(look.stdout);
      if (now !== undefined && ended !== null && ended[1] !== "0") {
        return err(
          `the kexec did not happen: exit code ${ended[1]}${lastLine(ended[2] ?? "") === "" ? "" : `: ${lastLine(ended[2] ?? "")}`}`,
        );
      }
      await sleep(POLL_MS);
    }
    return err(`${NOT_BACK} within ${Math.round(limitMs / 1000)} s`);
  }

  /** The capture's name beside the journal, once it is there with the digest that the host computed. */
  async #collect({ number, side }: DrivenUpdate): Promise<Result<string, string>> {
    const { out, remote, steps } = this.#tools;
    const digits = String(number).padStart(3, "0");
    const several = Object.keys(this.#order.kernels).length > 1;
    const name = several ? `${side}/${digits}.tar.gz` : `${digits}.tar.gz`;
    const host = remote.host.replace(/^.*@/, "").replaceAll(/[^A-Za-z0-9.-]/g, "-");
    const collected = await this.#step(steps.collect(`${host}-${digits}`, this.#order.labels));
    const sum = /^([0-9a-f]{64}) [ *]capture\.tar\.gz$/m.exec(collected.stdout)?.[1];
    if (collected.code !== 0 || sum === undefined) return err(failureOf("nothing could be collected", collected));
    const part = join(out, `${name}.part`);
    const fetched = await this.#step(steps.fetch(), Math.max(STEP_MS, this.#order.limitMs), null, part);
    if (fetched.code !== 0 || sha256(part) !== sum) {
      rmSync(part, { force: true });
      return err(failureOf("the capture could not be fetched whole", fetched));
    }
    renameSync(part, join(out, name));
    return ok(name);
  }

  /** Removes all that the driver put on the host; what is left, or null. A host that is away keeps it, by name. */
  async #clean(): Promise<string | null> {
    const cleaned = await this.#step(this.#tools.steps.clean());
    if (cleaned.code === 0 && cleaned.stdout.trim() === "") return null;
    return cleaned.code === 0 ? cleaned.stdout.trim().replaceAll("\n", ", ") : failureOf("not cleaned", cleaned);
  }
}

/** A host that is away ends the series: nothing more can be done with it. */
const NOT_BACK = "the host did not come back";

function enough({ ready }: DoctorReport, level: string): boolean {
  return ready !== null && PROBE_LEVELS.indexOf(ready) >= (PROBE_LEVELS as readonly string[]).indexOf(level);
}

function timeOf(ms: number): string {
  const seconds = Math.round(ms / 1000);
  return seconds < 60 ? `${seconds} s` : `${Math.ceil(seconds / 60)} min`;
}
