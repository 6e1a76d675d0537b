/**
 * A host to drive, made of files: an `ssh` that runs its command here, on a made-up tracefs, and a `kexec` that gives
 * the host another boot. The recorder is the real one; or, for a series of updates, one that does nothing but hand out
 * recorded captures.
 */
import { chmodSync, cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { HOSTS, type HostKind, type MadeUpHost, madeUpHost } from "../tracefs-tree.js";

export interface DrivenHost {
  readonly on: MadeUpHost;
  /** What --ssh is given. */
  readonly ssh: string;
  /** What --host-folder is given. */
  readonly folder: string;
  /** Number of times that ssh was called. */
  calls(): number;
  /** What `kexec` was called with, a line each. */
  kexecs(): readonly string[];
  /** Kills the driver at this call of ssh, once; 0: never. */
  killAt(call: number): void;
  /** `refuse`: kexec -e fails. `never`: the host does not come back. Null: as it should be. */
  fault(kind: "refuse" | "never" | null): void;
}

/** `recorded`: what is collected, in turn; null: what the real recorder collects. */
export function drivenHost(
  scratch: string,
  recorded: readonly string[] | null = null,
  kind: Partial<HostKind> = {},
): DrivenHost {
  const on = madeUpHost(scratch, { ...(HOSTS["6.19"] as HostKind), commandLine: "quiet", ...kind });
  const bin = join(scratch, "host-bin");
  cpSync(on.tracing, join(scratch, "pristine"), { recursive: true });
  const at = (name: string): string => join(scratch, name);
  mkdirSync(bin);
  const command = (name: string, text: string): string => {
    const path = join(bin, name);
    writeFileSync(path, `#!/bin/sh\n${text}\n`);
    chmodSync(path, 0o755);
    return path;
  };
  const folder = at("root/var/lib/drive");
  const ssh = command(
    "ssh",
    `for command; do :; done
echo call >> ${at("calls")}
calls=$(wc -l < ${at("calls")})
if [ -e ${at("kill")} ] && [ "$calls" -ge "$(cat ${at("kill")})" ]; then rm ${at("kill")}; kill -9 $PPID; exit 255; fi
if [ -e ${at("never")} ] && [ -e ${at("away")} ]; then echo 'ssh: connect to host: No route to host' >&2; exit 255; fi
if [ -e ${at("away")} ]; then rm ${at("away")}; echo 'ssh: connect to host: Connection refused' >&2; exit 255; fi
BLACKOUT_ROOT=${on.root} BLACKOUT_TOOLS=${String(on.env.BLACKOUT_TOOLS)} PATH=${bin}:$PATH
export BLACKOUT_ROOT BLACKOUT_TOOLS PATH
[ ! -e ${at("captures")} ] || command=$(printf '%s\\n' "$command" | sed 's,sh ${folder}/recorder.sh,sh ${at("stand-in")},g')
exec sh -c "$command"`,
  );
  if (recorded !== null) {
    writeFileSync(at("captures"), recorded.map((path) => `${path}\n`).join(""));
    const report = {
      format: "blackout-doctor",
      version: 1,
      kernel: "6.19.2",
      level: "events",
      ready: "graph",
      checks: [],
    };
    writeFileSync(
      at("stand-in"),
      `case $1 in
  doctor) echo '${JSON.stringify(report)}' ;;
  kernel-cmdline) echo 'quiet trace_event=x' ;;
  arm) [ ! -e ${at("armed")} ] && : > ${at("armed")} ;;
  disarm) rm -f ${at("armed")} ;;
  collect)
    [ -e ${at("armed")} ] || exit 3
    boot=$(cat ${on.root}/proc/sys/kernel/random/boot_id)
    [ "$boot" = "$(cat ${at("collected")} 2> /dev/null)" ] || { sed -i 1d ${at("captures")}; echo "$boot" > ${at("collected")}; }
    cp "$(head -n 1 ${at("captures")})" ${folder}/capture.tar.gz ;;
esac
`,
    );
    writeFileSync(at("captures"), `first is dropped\n${readFileSync(at("captures"), "utf8")}`);
  }
  command(
    "kexec",
    `echo "$*" >> ${at("kexecs")}
case $1 in
  -e)
    if [ -e ${at("refuse")} ]; then echo 'kexec: not permitted' >&2; exit 1; fi
    [ -e ${at("loaded")} ] || { echo 'kexec: nothing is loaded' >&2; exit 1; }
    mv ${at("loaded")} ${on.root}/proc/cmdline
    rm -rf ${on.tracing} && cp -r ${at("pristine")} ${on.tracing}
    for name in $(tr ' ' '\\n' < ${on.root}/proc/cmdline | sed -n 's/^trace_instance=\\([a-z_]*\\)^.*/\\1/p'); do
      ring=${on.tracing}/instances/$name
      if [ -d "$ring" ]; then printf 'ffffffff81000000\\t[kernel]\\n' > "$ring/last_boot_info"
      else
        cp -r ${scratch}/template "$ring"
        echo 0 > "$ring/tracing_on"
        echo '# Current' > "$ring/last_boot_info"
      fi
    done
    : > ${at("away")}
    echo "boot-$(wc -l < ${at("kexecs")})" > ${on.root}/proc/sys/kernel/random/boot_id ;;
  *)
    [ -s "$3" ] || exit 1
    for word; do case $word in --command-line=*) printf '%s\\n' "\${word#*=}" > ${at("loaded")} ;; esac; done ;;
esac`,
  );
  const lines = (name: string): readonly string[] =>
    existsSync(at(name)) ? readFileSync(at(name), "utf8").trim().split("\n") : [];
  return {
    on,
    ssh,
    folder,
    calls: () => lines("calls").length,
    kexecs: () => lines("kexecs"),
    killAt: (call) => writeFileSync(at("kill"), `${call}\n`),
    fault: (kind) => {
      for (const name of ["refuse", "never"]) rmSync(at(name), { force: true });
      if (kind !== null) writeFileSync(at(kind), "");
    },
  };
}
