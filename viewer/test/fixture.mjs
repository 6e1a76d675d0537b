/**
 * A live update to draw, read in a few lines from the recording traces/plain.tar.gz: its real times and names, without
 * the collectors. `dist` is the folder of the compiled project.
 */
import { createReadStream } from "node:fs";
import { join } from "node:path";
import { createGunzip } from "node:zlib";
import { extract } from "tar-stream";

/** TSC counts per nanosecond of the machine that made the recording. */
const COUNTS_PER_NS = 2.445;

async function readTexts(archive, wanted) {
  const texts = new Map();
  for await (const entry of createReadStream(archive).pipe(createGunzip()).pipe(extract())) {
    const name = entry.header.name.replace(/^[^/]*\//, "");
    if (!wanted.includes(name)) {
      entry.resume();
      continue;
    }
    const parts = [];
    for await (const part of entry) parts.push(part);
    texts.set(name, Buffer.concat(parts).toString("utf8"));
  }
  return texts;
}

export async function plainUpdate(root, dist) {
  const { SpanTableBuilder } = await import(join(dist, "model/span-table.js"));
  const texts = await readTexts(join(root, "traces/plain.tar.gz"), [
    "ring/trace",
    "new/trace",
    "old/dmesg",
    "new/dmesg",
  ]);
  const builder = new SpanTableBuilder();

  // local clock seconds of the old boot, TSC of the new one -> nanoseconds, linked at (13435 M counts, 4.469839 s)
  const oldNs = (seconds) => Math.round(Number(seconds) * 1e9);
  const newNs = (micros) => Math.round((Number(micros) * 1e9 - 13_434_807_566) / COUNTS_PER_NS + 4_469_839_000);
  const events = [];
  for (const line of texts.get("ring/trace").split("\n")) {
    const m = /^\s*(\S+)-(\d+)\s+\[(\d+)\] \S+\s+(\d+\.\d+): (.*)$/.exec(line);
    if (m)
      events.push({
        boot: "old",
        task: m[1] === "<...>" ? `pid ${m[2]}` : m[1],
        pid: +m[2],
        cpu: +m[3],
        ns: oldNs(m[4]),
        text: m[5],
      });
  }
  for (const line of texts.get("new/trace").split("\n")) {
    const m = /^\s*(\d+\.\d+) \|\s+(\d+)\)\s+(\S+)-(\d+)\s+\|([^|]*)\| {2}(.*)$/.exec(line);
    if (m) events.push({ boot: "new", task: m[3], pid: +m[4], cpu: +m[2], ns: newNs(m[1]), text: m[6], took: m[5] });
  }
  const find = (boot, pattern, last = false) => {
    const found = events.filter((event) => event.boot === boot && pattern.test(event.text));
    return (last ? found.at(-1) : found[0])?.ns;
  };
  const zero = find("old", /luo: vm_pause/);
  const lastOld = events.filter((event) => event.boot === "old").at(-1).ns - zero;
  const at = {
    prepare: [find("old", /^luo_session_create:/), find("old", /^luo_preserve_file_ret/, true)],
    freeze: [find("old", /^(kernel_kexec|liveupdate_reboot):/), find("old", /^liveupdate_reboot_ret/)],
    kexec: [find("old", /^liveupdate_reboot_ret/), find("new", /luo_open:/)],
    restore: [find("new", /luo_open:/), find("new", /luo_retrieve_file_ret/, true)],
    finish: [find("new", /luo_file_finish:/), find("new", /luo_file_finish_ret/, true)],
  };
  const resume = find("new", /luo: vm_resume/) - zero;
  const evidence = (event, file) => ({ event, confidence: "probe", file, place: 3422 });
  const phases = Object.entries(at).map(([name, [begin, end]]) => ({
    name,
    axis: "joint",
    beginNs: begin - zero,
    endNs: end - zero,
    durationNs: end - begin,
    uncertaintyNs: name === "kexec" ? 92_300 : 0,
    beginRangeNs: null,
    endRangeNs: null,
    evidence: {
      begin: evidence(`kprobe at ${name}'s begin`, "ring/trace"),
      end: evidence(`kprobe at ${name}'s end`, "new/trace"),
    },
  }));
  const firstNew = events.find((event) => event.boot === "new").ns;
  const seam = {
    beginNs: lastOld,
    endNs: firstNew - zero,
    durationNs: firstNew - zero - lastOld,
    uncertaintyNs: 92_300,
  };
  const base = { parent: -1, detail: "", boot: null, cpu: -1, pid: -1, task: "", flags: 0 };
  const blackout = builder.add({
    ...base,
    beginNs: 0,
    endNs: resume,
    kind: "blackout",
    name: "blackout",
    evidence: "marker",
  });
  for (const phase of phases) {
    const parent = phase.beginNs >= 0 && phase.endNs <= resume ? blackout : -1;
    builder.add({ ...base, ...pick(phase), parent, kind: "phase", name: phase.name, evidence: "kprobes" });
  }
  builder.add({
    ...base,
    ...pick(seam),
    parent: blackout,
    kind: "seam",
    name: "seam",
    evidence: "no events",
    flags: 4,
  });

  const sessions = new Map();
  const open = new Map();
  const close = (key, event, rest) => {
    const begun = open.get(key);
    open.delete(key);
    if (begun !== undefined) {
      builder.add({
        ...base,
        beginNs: begun.ns - zero,
        endNs: event.ns - zero,
        boot: event.boot,
        cpu: event.cpu,
        pid: event.pid,
        task: event.task,
        ...rest(begun),
      });
    }
  };
  for (const event of events) {
    const { boot, cpu, pid, text } = event;
    const key = (what) => `${boot} ${pid} ${what}`;
    const body = text.replace(/^\s*\/\* | \*\/$/g, "").replace(/^tracing_mark_write: /, "");
    let m = /^luo: (\w+) (begin|end)(.*)$/.exec(body);
    if (m) {
      const name = m[1];
      if (m[2] === "begin") open.set(key(`mark ${name}`), { ...event, detail: m[3].trim() });
      else
        close(key(`mark ${name}`), event, (begun) => ({
          kind: "userspace",
          name,
          detail: begun.detail,
          evidence: "marker",
        }));
      continue;
    }
    m = /^(luo_preserve_file|luo_retrieve_file|luo_file_finish)(_ret)?: (.*)$/.exec(body);
    if (m) {
      const session = /session="?([\w-]+)/.exec(m[3])?.[1] ?? "";
      const token = /token=(0x\w+)/.exec(m[3])?.[1];
      if (m[2] === undefined) open.set(key(m[1]), { ...event, session, token });
      else {
        close(key(m[1]), event, (begun) => {
          const seen = sessions.get(begun.session) ?? new Set();
          sessions.set(begun.session, seen);
          if (begun.token) seen.add(begun.token);
          const verb = m[1] === "luo_preserve_file" ? "preserve" : m[1] === "luo_retrieve_file" ? "retrieve" : "finish";
          return {
            kind: begun.token ? "file" : "session",
            name: begun.token ? `${begun.session} ${begun.token}` : begun.session,
            detail: `call=${verb} bytes=4194304`,
            evidence: `kprobe ${m[1]}`,
          };
        });
      }
      continue;
    }
    m = /^initcall_(start|finish): func=(\w+)/.exec(body);
    if (m) {
      if (m[1] === "start") open.set(key(`initcall ${m[2]}`), event);
      else
        close(key(`initcall ${m[2]}`), event, () => ({
          kind: "initcall",
          name: m[2],
          detail: "ret=0",
          evidence: "initcall events",
        }));
      continue;
    }
    m = /^(softirq|irq_handler|cpuhp)_(entry|exit|enter): (.*)$/.exec(body);
    if (m) {
      const kind = m[1] === "softirq" ? "softirq" : m[1] === "cpuhp" ? "cpu" : "irq";
      const name =
        /action=(\w+)/.exec(m[3])?.[1] ?? /\((\w+)\)/.exec(m[3])?.[1] ?? /name=(\S+)/.exec(m[3])?.[1] ?? m[3];
      if (m[2] !== "exit") open.set(`${boot} ${cpu} ${kind}`, { ...event, what: name });
      else close(`${boot} ${cpu} ${kind}`, event, (begun) => ({ kind, name: begun.what, evidence: `${m[1]} events` }));
      continue;
    }
    m = /^\s*(\w+)\(\)(;| \{)$/.exec(text.replace(/^\w+: /, ""));
    if (m) {
      const stack = open.get(key("graph")) ?? [];
      open.set(key("graph"), stack);
      if (m[2] === ";") {
        const took = Number(/([\d.]+) us/.exec(event.took ?? "")?.[1] ?? 2) * 1000;
        builder.add({
          ...base,
          beginNs: event.ns - zero,
          endNs: Math.round(event.ns - zero + took),
          boot,
          cpu,
          pid,
          task: event.task,
          kind: "function",
          name: m[1],
          evidence: "function graph",
        });
      } else stack.push({ ...event, func: m[1] });
    } else if (/^\s*\}/.test(text)) {
      const begun = open.get(key("graph"))?.pop();
      if (begun)
        builder.add({
          ...base,
          beginNs: begun.ns - zero,
          endNs: event.ns - zero,
          boot,
          cpu,
          pid,
          task: event.task,
          kind: "function",
          name: begun.func,
          evidence: "function graph",
        });
    }
  }
  const printk = [];
  for (const boot of ["old", "new"]) {
    // printk of the new boot starts at its own zero: placed by its TSC, about 4.0041 s at 33847.7 M counts
    const shift = boot === "old" ? -zero : newNs("33.847741473") - 4_004_094_000 - zero;
    for (const line of texts.get(`${boot}/dmesg`).split("\n")) {
      const m = /^\[\s*(\d+\.\d+)\] (.*)$/.exec(line);
      if (!m) continue;
      const stampNs = Math.round(Number(m[1]) * 1e9);
      const level = /fail|error|warn/i.test(m[2]) ? 3 : /WARNING|not found/.test(m[2]) ? 4 : 6;
      printk.push({ boot, atNs: stampNs + shift, uncertaintyNs: 1000, stampNs, level, text: m[2] });
    }
  }
  const perFile = (token) => ({
    token,
    handler: "memfd-v2",
    bytes: 4_194_304,
    preserveNs: 2_200_000,
    freezeNs: 3000,
    retrieveNs: 2_600_000,
  });
  return {
    document: {
      format: "blackout-live-update",
      version: 1,
      capture: {
        name: "plain",
        kernel: { old: "7.3.4-luo", new: "7.3.4-luo" },
        probeLevel: "graph",
        labels: { workload: "memfd-2x2" },
      },
      outcome: "completed",
      outcomeReason: "Every session was retrieved and finished.",
      clock: {
        method: "clock-pairs",
        uncertaintyNs: 92_300,
        parts: [
          { what: "bracket of the best pair", ns: 61_300 },
          { what: "spread of nine pairs", ns: 31_000 },
        ],
        tscKhz: 2_445_000,
        rejected: [{ method: "x86-tsc", reason: "the old boot was traced on local" }],
      },
      blackout: {
        basis: "vm-marks",
        beginNs: 0,
        endNs: resume,
        durationNs: resume,
        uncertaintyNs: 92_300,
        evidence: {
          begin: { event: "marker vm_pause", confidence: "marker", file: "ring/trace", place: 3530 },
          end: { event: "marker vm_resume", confidence: "marker", file: "new/trace", place: 10500 },
        },
      },
      phases,
      vms: [],
      sessions: [...sessions].map(([name, tokens]) => ({
        name,
        phases: [],
        files: [...tokens].map((token) => perFile(token)),
      })),
      seam,
      sources: [],
      defects: [
        {
          code: "text-undecoded",
          severity: "warning",
          file: "new/trace",
          line: 71,
          byte: null,
          message: "A line is not an event: `<script>alert(1)</script>`.",
          advice: "Record with trace_pipe_raw, which needs no guessing.",
          boot: "new",
          count: 3,
          atNs: 3_100_000_000,
        },
        {
          code: "printk-unplaced",
          severity: "note",
          file: "old/dmesg",
          line: 12,
          byte: null,
          message: "A kernel log line carries no time stamp.",
          advice: "Boot with printk.time=1.",
          boot: "old",
          count: 1,
          atNs: null,
        },
      ],
    },
    spans: builder.build(),
    printk,
  };
}

const pick = ({ beginNs, endNs }) => ({ beginNs, endNs });

/** `update` with every duration of its document scaled, as another update of the same kind might have. */
export function scaledUpdate(update, name, factor) {
  const scale = (ns) => (ns === null ? null : Math.round(ns * factor));
  const { document } = update;
  return {
    ...update,
    document: {
      ...document,
      capture: { ...document.capture, name },
      blackout: {
        ...document.blackout,
        endNs: scale(document.blackout.endNs),
        durationNs: scale(document.blackout.durationNs),
      },
      phases: document.phases.map((phase) => ({ ...phase, durationNs: scale(phase.durationNs) })),
    },
  };
}

/** `update` with no clock link: each boot on its own axis, no duration across, kexec and the blackout unknown. */
export function unlinkedUpdate(update) {
  const { document } = update;
  const unseen = { axis: null, durationNs: null, uncertaintyNs: null };
  return {
    ...update,
    document: {
      ...document,
      capture: { ...document.capture, name: "unlinked" },
      outcome: "incomplete",
      outcomeReason: "The boots could not be placed on one axis.",
      clock: { ...document.clock, method: "none", uncertaintyNs: null, parts: [] },
      blackout: {
        basis: null,
        beginNs: null,
        endNs: null,
        durationNs: null,
        uncertaintyNs: null,
        evidence: { begin: null, end: null },
      },
      seam: { beginNs: null, endNs: null, durationNs: null, uncertaintyNs: null },
      phases: document.phases.map((phase) =>
        phase.name === "kexec"
          ? { ...phase, ...unseen, beginNs: null, endNs: null, beginRangeNs: [1000, null], endRangeNs: [null, null] }
          : { ...phase, axis: phase.name === "prepare" || phase.name === "freeze" ? "old" : "new" },
      ),
    },
  };
}
