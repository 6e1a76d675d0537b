/** File handlers of any name are armed by one template. */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import test, { after } from "node:test";
import { seededRandom } from "../base/numbers/random.js";
import { makeBtf } from "../testing/fakes/btf.js";
import { HOSTS, type HostKind, type MadeUpHost, madeUpHost } from "../testing/fakes/tracefs-tree.js";
import { runRecord, shells } from "../testing/recorder-runs.js";

const scratch = mkdtempSync(join(tmpdir(), "blackout-handlers-"));
after(() => rmSync(scratch, { recursive: true, force: true }));
const linux = { ...(HOSTS["6.19"] as HostKind), release: "7.3.4" };
let made = 0;

/** A host whose kernel has these handlers beside memfd's. */
function hostWith(functions: readonly string[]): MadeUpHost {
  const own = linux.functions.filter((name) => !name.startsWith("memfd_"));
  return madeUpHost(mkdtempSync(join(scratch, `${made++}-`)), { ...linux, functions: [...own, ...functions] });
}
const callbacks = (prefix: string, ...suffixes: readonly string[]): readonly string[] =>
  (suffixes.length === 0 ? ["preserve", "freeze", "retrieve", "finish"] : suffixes).map((each) => `${prefix}_${each}`);

/** Handlers' callbacks that a plan probes, with their arguments. */
const planned = (on: MadeUpHost, half: string, by: readonly string[]): readonly string[] =>
  runRecord(on, ["plan", "--half", half, "--level", "graph"], by)
    .stdout.split("\n")
    .flatMap((line) => /append \S+ {2}p:blackout\/(\S*_(?:preserve|freeze|retrieve|finish) .*)/.exec(line)?.[1] ?? [])
    .filter((line) => !line.startsWith("luo_"))
    .map((line) => line.replace(/^(\S+) \1/, "$1"));
const COMPAT = "compat=+8(+0($arg1)):string";
const DATA = "data=+24($arg1):x64";

test("handlers of any prefix are armed with one template, those of modules too", () => {
  for (const by of shells) {
    for (const prefix of ["memfd_luo", "vfio_pci_liveupdate", "hugemfd", "kvm_gmem_luo", "cpu_fh", "x"]) {
      const on = hostWith(callbacks(prefix));
      assert.deepEqual(planned(on, "old", by), [`${prefix}_preserve ${COMPAT}`, `${prefix}_freeze ${COMPAT} ${DATA}`]);
    }
    const modules = callbacks("vfio_pci_liveupdate").map((name) => `${name} [vfio_pci_core]`);
    assert.deepEqual(
      planned(hostWith([...callbacks("memfd_luo", "preserve", "retrieve"), ...modules]), "old", by),
      [
        `memfd_luo_preserve ${COMPAT}`,
        `vfio_pci_liveupdate_preserve ${COMPAT}`,
        `vfio_pci_liveupdate_freeze ${COMPAT} ${DATA}`,
      ],
      "a handler need not freeze",
    );
  }
});

test("the function graph has them, and the next kernel's command line", () => {
  const on = hostWith([...callbacks("memfd_luo"), ...callbacks("hugemfd")]);
  const plan = runRecord(on, ["plan", "--level", "graph"]).stdout;
  assert.match(plan, /set_ftrace_filter {2}.*hugemfd_preserve.*hugemfd_freeze/);
  const words = runRecord(on, ["kernel-cmdline", "--level", "graph"]).stdout;
  assert.match(words, /ftrace_filter=\S*hugemfd_retrieve,hugemfd_finish/);
  const config = runRecord(on, ["bootconfig", "--level", "probes", "--same-build"]).stdout;
  assert.match(config, /ftrace\.event\.kprobes\.hugemfd_retrieve \{ probes = "hugemfd_retrieve compat=/);
});

test("the new half arms the handlers that the old half found, in another build too, and searches nothing", () => {
  for (const release of ["7.3.4", "7.3.5"]) {
    const on = hostWith([...callbacks("memfd_luo"), ...callbacks("vfio_pci_liveupdate")]);
    assert.equal(runRecord(on, ["arm", "--level", "probes"]).code, 0);
    on.reboot();
    writeFileSync(join(on.root, "proc/sys/kernel/osrelease"), `${release}\n`);
    writeFileSync(join(on.tracing, "available_filter_functions"), "");
    assert.deepEqual(planned(on, "new", shells[0] as readonly string[]), [
      `memfd_luo_retrieve ${COMPAT} ${DATA}`,
      `memfd_luo_finish ${COMPAT}`,
      `vfio_pci_liveupdate_retrieve ${COMPAT} ${DATA}`,
      `vfio_pci_liveupdate_finish ${COMPAT}`,
    ]);
  }
});

test("functions that only end like a handler's are left alone", () => {
  const others = ["luo_x", "liveupdate_y", "kho_z", "hugetlb_flb", "pci_liveupdate"].flatMap((each) => callbacks(each));
  const on = hostWith([...callbacks("memfd_luo"), ...others, "half_preserve", "other_retrieve"]);
  for (const by of shells)
    assert.deepEqual(planned(on, "old", by), [`memfd_luo_preserve ${COMPAT}`, `memfd_luo_freeze ${COMPAT} ${DATA}`]);
});

test("a function that BTF shows to take another argument is left alone", () => {
  const random = seededRandom(7);
  for (let round = 0; round < 5; round++) {
    const on = hostWith([...callbacks("memfd_luo"), ...callbacks("lookalike"), ...callbacks("module_luo")]);
    const btf = join(on.root, "sys/kernel/btf/vmlinux");
    mkdirSync(dirname(btf), { recursive: true });
    const members = (...named: readonly (readonly [string, number])[]): readonly (readonly [string, number])[] => named;
    const structs = [
      { name: "luo_session", members: members(["name", 0], ["file_set", 88]) },
      { name: "liveupdate_file_op_args", members: members(["handler", 0], ["serialized_data", 24]) },
      { name: "pci_dev", members: members(["bus", 0]) },
      { name: "liveupdate_file_handler", members: members(["compatible", 8]) },
    ];
    const functions = [
      { name: "memfd_luo_preserve", takes: "liveupdate_file_op_args" },
      { name: "lookalike_preserve", takes: "pci_dev" },
    ];
    writeFileSync(btf, makeBtf(structs, random, functions));
    for (const by of shells) {
      const found = planned(on, "old", by);
      assert.ok(found.includes(`memfd_luo_preserve ${COMPAT}`));
      assert.ok(found.includes(`module_luo_preserve ${COMPAT}`), "a module's functions are not in it");
      assert.ok(!found.some((line) => line.startsWith("lookalike_")), found.join("\n"));
    }
  }
});

test("a kernel without a handler lists what is missing", () => {
  const on = hostWith([]);
  const armed = runRecord(on, ["arm", "--level", "probes"]);
  assert.equal(armed.code, 0, armed.stderr);
  assert.match(readFileSync(join(on.root, "var/lib/blackout/defects"), "utf8"), /not traceable:.*memfd_luo_preserve/);
});
