import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import type { VcpuSeen } from "../../model/collected.js";
import {
  callLine,
  madeCapture,
  markLine,
  memoryCapture,
  returnLine,
  traceLine,
} from "../../testing/fakes/capture-memory.js";
import { updateOfCapture } from "../../testing/samples/captures.js";
import { guestDocument } from "../guest/guest.js";
import { vcpuBlackout, vcpuVms } from "./vcpus.js";

function seen(boot: "old" | "new", pid: number, task: string, firstNs: number, lastNs: number): VcpuSeen {
  return {
    boot,
    pid,
    task,
    vcpu: null,
    firstNs,
    lastNs,
    firstEvent: "kvm_entry",
    lastEvent: "kvm_exit",
    firstFile: "trace",
    lastFile: "trace",
    firstPlace: 1,
    lastPlace: 2,
  };
}

const entry = (at: number, pid: number, vcpu: number): string =>
  traceLine(at, `kvm_entry: vcpu ${vcpu}, rip 0xffffffff81000000`, `CPU ${vcpu}/KVM-${pid}`, vcpu);
const exited = (at: number, pid: number, vcpu: number): string =>
  traceLine(at, "kvm_exit: vcpu 0 reason HLT rip 0xffffffff81000000 info1 0x0", `CPU ${vcpu}/KVM-${pid}`, vcpu);
const clock = (second: number): string =>
  markLine(1, `clock: realtime=17954317${second}.000000000 monotonic=1.000000000`);

const oldTrace = (marks: boolean): string =>
  clock(40) +
  entry(2, 71, 0) +
  entry(2.1, 72, 1) +
  exited(2.5, 72, 1) +
  (marks ? markLine(2.9, "luo: vm_pause") : "") +
  exited(3, 71, 0) +
  callLine(4, "kernel_kexec") +
  callLine(5, "machine_kexec");
const newTrace = (marks: boolean): string =>
  clock(50) +
  callLine(2, "luo_retrieve_file") +
  returnLine(2.5, "luo_retrieve_file", 0) +
  (marks ? markLine(3, "luo: vm_resume") : "") +
  entry(3.2, 31, 0) +
  entry(3.7, 32, 1);

const madeUpdate = (marks: boolean, named = true) =>
  updateOfCapture(
    memoryCapture(
      madeCapture(
        { old: { trace: oldTrace(marks) }, new: { trace: newTrace(marks) } },
        named ? { "old/saved_cmdlines": "71 CPU 0/KVM\n72 CPU 1/KVM\n" } : {},
      ),
    ),
  );

test("where the old kernel's names are lost, the only threads without a counterpart are joined by number", () => {
  const { update } = madeUpdate(false, false);
  assert.deepEqual(
    update.vcpus.map(({ id, joinedBy, vcpus }) => [
      id,
      joinedBy,
      vcpus.map((gap) => [gap.vcpu, gap.old?.task, gap.new?.task]),
    ]),
    [
      [
        "CPU #/KVM",
        "vcpu-numbers",
        [
          [0, "<...>", "CPU 0/KVM"],
          [1, "<...>", "CPU 1/KVM"],
        ],
      ],
    ],
  );
  assert.equal(update.document.blackout.basis, "vcpu");
});

test("without marks the vCPUs show how long the host's VM stood still, and the document states it", () => {
  const { blackout, vms } = madeUpdate(false).update.document;
  assert.equal(blackout.basis, "vcpu");
  // Realtime 40 s is at 1 s of the old clock, 50 s at 1 s of the new one: 3.2 s there is 10.2 s after 3 s here.
  assert.equal(Math.round((blackout.durationNs ?? 0) / 1e6), 10_200);
  assert.deepEqual(
    [blackout.evidence.begin?.event, blackout.evidence.end?.event],
    ["last kvm_exit of vCPU 0 (CPU 0/KVM)", "first kvm_entry of vCPU 0 (CPU 0/KVM)"],
  );
  assert.deepEqual(
    vms.map(({ id, durationNs }) => [id, Math.round((durationNs ?? 0) / 1e6)]),
    [["CPU #/KVM", 10_200]],
  );
});

test("marks are the better evidence; the vCPUs explain what lies between", () => {
  const { update, collected } = madeUpdate(true);
  assert.equal(update.document.blackout.basis, "vm-marks");
  const { views, differences, vcpuVms: vms } = guestDocument(update, collected.collected.link, []);
  const ms = (ns: number | null): number => Math.round((ns ?? Number.NaN) / 1e6);
  assert.deepEqual(
    views.map(({ view, vm, durationNs }) => [view, vm, ms(durationNs)]),
    [
      ["kernel", null, 8_500],
      ["marks", "vm", 10_100],
      ["vcpus", "CPU #/KVM", 10_200],
    ],
  );
  assert.deepEqual(
    differences.map(({ what, vm, ns }) => [what, vm, ms(ns)]),
    [
      ["pause-to-freeze", null, 1_100],
      ["restore-to-resume", null, 500],
      ["pause-to-last-vcpu", "CPU #/KVM", 100],
      ["resume-to-first-vcpu", "CPU #/KVM", 200],
    ],
  );
  assert.deepEqual(
    vms[0]?.vcpus.map((each) => [each.vcpu, each.oldTask, each.newTask, ms(each.gapNs), ms(each.sinceResumeNs)]),
    [
      [0, "CPU 0/KVM", "CPU 0/KVM", 10_200, 200],
      [1, "CPU 1/KVM", "CPU 1/KVM", 11_200, 700],
    ],
  );
});

test("threads of several VMs with the same names are not distinguished, and no VM is made of them", () => {
  const threads = [
    seen("old", 1, "CPU 0/KVM", 0, 10),
    seen("old", 2, "CPU 0/KVM", 0, 20),
    seen("new", 3, "CPU 0/KVM", 100, 200),
    seen("new", 4, "CPU 0/KVM", 150, 200),
  ];
  const [vm] = vcpuVms(threads, []);
  assert.equal(vm?.joinedBy, "not-told-apart");
  assert.ok(
    vm?.vcpus.every((gap) => gap.old === null || gap.new === null),
    "no thread is paired by a guess",
  );
  const mark = (boot: "old" | "new", pid: number, id: string) => ({
    at: { boot, ns: 5 },
    what: "marker" as const,
    name: "luo: vm_pause",
    fields: new Map([["vm", id]]),
    source: "marker" as const,
    cpu: 0,
    pid,
    task: "",
    file: "",
    place: 1,
  });
  const marks = [mark("old", 1, "a"), mark("old", 2, "b"), mark("new", 3, "a"), mark("new", 4, "b")];
  const told = vcpuVms(threads, marks);
  assert.deepEqual(
    told.map(({ id, joinedBy, last, first }) => [id, joinedBy, last?.lastNs, first?.firstNs]),
    [
      ["a", "vm-mark", 10, 100],
      ["b", "vm-mark", 20, 150],
    ],
  );
  const host = vcpuBlackout(told);
  assert.deepEqual([host?.begin.ns, host?.end.ns], [10, 150], "from the first to stand still to the last to run");
});

test("a VM that is seen in only one kernel does not bound the blackout", () => {
  assert.equal(vcpuBlackout(vcpuVms([seen("old", 1, "vcpu0", 0, 10)], [])), null);
  const ended = [
    seen("old", 1, "vcpu0", 0, 10),
    seen("old", 2, "fc_vcpu 0", 0, 99),
    seen("new", 3, "fc_vcpu 0", 200, 300),
  ];
  const host = vcpuBlackout(vcpuVms(ended, []));
  assert.deepEqual([host?.begin.ns, host?.end.ns], [99, 200]);
});

test("whatever the threads: none is lost, and a VM's blackout lies inside each of its vCPUs' gaps", () => {
  const thread = fc
    .record({
      boot: fc.constantFrom("old" as const, "new" as const),
      n: fc.integer({ min: 0, max: 3 }),
      name: fc.constantFrom("CPU #/KVM", "vcpu#"),
      at: fc.integer({ min: 0, max: 99 }),
    })
    .map(({ boot, n, name, at }) => ({ boot, task: name.replace("#", String(n)), at }));
  fc.assert(
    fc.property(fc.array(thread, { maxLength: 12 }), (list) => {
      const threads = list.map(({ boot, task, at }, pid) =>
        boot === "old" ? seen(boot, pid, task, 0, at) : seen(boot, pid, task, 100 + at, 300),
      );
      const vms = vcpuVms(threads, []);
      assert.equal(
        vms.reduce((sum, { vcpus }) => sum + vcpus.reduce((n, gap) => n + (gap.old ? 1 : 0) + (gap.new ? 1 : 0), 0), 0),
        threads.length,
      );
      for (const { vcpus, last, first } of vms) {
        for (const gap of vcpus) {
          if (gap.old !== null) assert.ok((last?.lastNs ?? -1) >= gap.old.lastNs);
          if (gap.new !== null) assert.ok((first?.firstNs ?? 999) <= gap.new.firstNs);
        }
      }
    }),
  );
});

const markBy = (boot: "old" | "new", pid: number, id: string) => ({
  at: { boot, ns: 5 },
  what: "marker" as const,
  name: "luo: vm_pause",
  fields: new Map([["vm", id]]),
  source: "marker" as const,
  cpu: 0,
  pid,
  task: "",
  file: "",
  place: 1,
});
/** Two QEMUs of two vCPUs each: processes 70 and 80 in the old kernel, 170 and 180 in the new one. */
const twoQemus = [
  seen("old", 71, "CPU 0/KVM", 0, 10),
  seen("old", 72, "CPU 1/KVM", 0, 12),
  seen("old", 81, "CPU 0/KVM", 0, 30),
  seen("old", 82, "CPU 1/KVM", 0, 25),
  seen("new", 171, "CPU 0/KVM", 100, 300),
  seen("new", 172, "CPU 1/KVM", 105, 300),
  seen("new", 181, "CPU 0/KVM", 150, 300),
  seen("new", 182, "CPU 1/KVM", 140, 300),
];
const processes = {
  old: new Map([70, 71, 72, 80, 81, 82].map((pid) => [pid, pid < 80 ? 70 : 80])),
  new: new Map([170, 171, 172, 180, 181, 182].map((pid) => [pid, pid < 180 ? 170 : 180])),
};

test("two VMMs with the same thread names are two VMs by their processes, joined by a mark of any of their threads", () => {
  const marks = [markBy("old", 70, "a"), markBy("old", 80, "b"), markBy("new", 170, "a"), markBy("new", 180, "b")];
  const vms = vcpuVms(twoQemus, marks, processes);
  assert.deepEqual(
    vms.map(({ id, joinedBy, last, first, vcpus }) => [id, joinedBy, last?.lastNs, first?.firstNs, vcpus.length]),
    [
      ["a", "vm-mark", 12, 100, 2],
      ["b", "vm-mark", 30, 140, 2],
    ],
  );
  const host = vcpuBlackout(vms);
  assert.deepEqual([host?.begin.ns, host?.end.ns], [12, 140]);
});

test("two VMMs that nothing joins over the kexec still bound the host's blackout: first to stop, last to run", () => {
  const vms = vcpuVms(twoQemus, [], processes);
  assert.equal(vms.length, 4);
  assert.ok(vms.every(({ last, first }) => (last === null) !== (first === null)));
  const host = vcpuBlackout(vms);
  assert.deepEqual([host?.begin.ns, host?.end.ns], [12, 140]);
  const oneLost = vcpuVms(
    twoQemus.filter(({ pid }) => pid < 180),
    [],
    processes,
  );
  assert.equal(vcpuBlackout(oneLost), null, "one of two came back: which one is not known");
});

test("one VMM is one VM, whether its process is known or not", () => {
  const one = twoQemus.filter(({ pid }) => pid === 71 || pid === 72 || pid === 171 || pid === 172);
  assert.deepEqual(
    vcpuVms(one, [], processes).map(({ id, joinedBy }) => [id, joinedBy]),
    vcpuVms(one, []).map(({ id, joinedBy }) => [id, joinedBy]),
  );
});
