import assert from "node:assert/strict";
import { test } from "node:test";
import {
  callLine,
  madeCapture,
  markLine,
  memoryCapture,
  returnLine,
  traceLine,
} from "../../testing/fakes/capture-memory.js";
import { updateOfCapture } from "../../testing/samples/captures.js";

const entry = (at: number): string => traceLine(at, "kvm_entry: vcpu 0, rip 0xffffffff81000000", "CPU 0/KVM-71");
const clock = (second: number): string =>
  markLine(1, `clock: realtime=17954317${second}.000000000 monotonic=1.000000000`);

/** Marks at `pause` and `resume`; the vCPU is last seen at 2.5 s of the old kernel, first at 3.2 s of the new. */
function notes(pause: number, resume: number): readonly string[] {
  const old: readonly (readonly [number, string])[] = [
    [2, entry(2)],
    [2.5, entry(2.5)],
    [pause, markLine(pause, "luo: vm_pause")],
    [4, callLine(4, "kernel_kexec")],
    [5, callLine(5, "machine_kexec")],
  ];
  const fresh: readonly (readonly [number, string])[] = [
    [2, callLine(2, "luo_retrieve_file")],
    [2.1, returnLine(2.1, "luo_retrieve_file", 0)],
    [3.2, entry(3.2)],
    [resume, markLine(resume, "luo: vm_resume")],
  ];
  const inOrder = (rows: typeof old): string =>
    [...rows]
      .sort(([a], [b]) => a - b)
      .map(([, line]) => line)
      .join("");
  const capture = madeCapture(
    { old: { trace: clock(40) + inOrder(old) }, new: { trace: clock(50) + inOrder(fresh) } },
    { "old/saved_cmdlines": "71 CPU 0/KVM\n", "new/saved_cmdlines": "71 CPU 0/KVM\n" },
  );
  return updateOfCapture(memoryCapture(capture))
    .update.document.defects.filter(({ code }) => code === "marks-contradicted")
    .map(({ message }) => message);
}

test("a vCPU that runs after its VM's pause mark, or before its resume mark, is a note with both distances", () => {
  assert.match(
    notes(2.4, 3.6)[0] ?? "",
    /^The VM CPU #\/KVM ran for 100\.0 ms ± .* after the mark of its pause, and ran again 400\.0 ms ± .* before the mark of its resume\. By its vCPUs it stood still for /,
  );
  assert.match(notes(2.6, 3.6)[0] ?? "", /^The VM CPU #\/KVM ran again 400\.0 ms ± /);
  assert.match(
    notes(2.4, 3.1)[0] ?? "",
    /^The VM CPU #\/KVM ran for 100\.0 ms ± [^,]* after the mark of its pause\. By/,
  );
});

test("a vCPU that stands still before the pause mark and runs after the resume mark contradicts nothing", () => {
  assert.deepEqual(notes(2.6, 3.1), []);
});
