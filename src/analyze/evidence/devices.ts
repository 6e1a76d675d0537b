/**
 * Which device a shutdown or a probe was for. Shutdown probes carry the device's name; a function-graph
 * `pci_device_probe()` carries none, so that its device comes from what the driver printed during it, else from the
 * order in which a driver is offered its devices (by address: drivers/pci/probe.c adds them in that order), and is then
 * marked inferred.
 */
import { firstIndexWhere } from "../../base/numbers/search.js";
import type { Boot } from "../../base/time.js";
import type { PlacedLine } from "../../model/collected.js";
import { captured } from "../../model/kernel-lines.js";

export interface DeviceFacts {
  /** As the kernel names it: `0000:00:03.0`. */
  readonly id: string;
  readonly bus: string;
  /** null if no line of either kernel shows it. */
  readonly driver: string | null;
  /** `8086:100e`, if the kernel printed it. */
  readonly model: string | null;
}

const IS_PCI_ADDRESS = /^[0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]$/;

/** Print a device's address without driving it. */
const NO_DRIVERS = new Set(["pci", "pci_bus", "vgaarb", "iommu", "DMAR", "AMD-Vi"]);

/** Drivers that claim every device of a vendor, and print nothing: virtio_pci_id_table (virtio_pci_common.c). */
const VENDOR_DRIVERS: ReadonlyMap<string, string> = new Map([["1af4", "virtio-pci"]]);

function driverIn(text: string): { readonly driver: string; readonly id: string } | null {
  const { driver, address } = captured("driver-of-device", text) ?? {};
  if (driver === undefined || address === undefined || NO_DRIVERS.has(driver)) return null;
  return { driver, id: address };
}

/** What both kernels' logs say of devices, by identity. */
export function findDevices(lines: readonly PlacedLine[]): ReadonlyMap<string, DeviceFacts> {
  const models = new Map<string, string>();
  const drivers = new Map<string, string>();
  for (const { line } of lines) {
    const { address, model } = captured("pci-device", line.text) ?? {};
    if (address !== undefined && model !== undefined) models.set(address, model);
    const driven = driverIn(line.text);
    if (driven !== null) drivers.set(driven.id, driven.driver);
  }
  const devices = new Map<string, DeviceFacts>();
  for (const id of [...new Set([...models.keys(), ...drivers.keys()])].sort()) {
    const model = models.get(id) ?? null;
    const driver = drivers.get(id) ?? VENDOR_DRIVERS.get(model?.slice(0, 4) ?? "") ?? null;
    devices.set(id, { id, bus: "pci", driver, model });
  }
  return devices;
}

/** The bus that follows from a device's name, or null. */
export function busOf(id: string): string | null {
  return IS_PCI_ADDRESS.test(id) ? "pci" : null;
}

/** A probe whose device is to be found. */
export interface Probe {
  readonly boot: Boot;
  readonly beginNs: number;
  readonly endNs: number;
  /** The initcall it runs in (`e1000_init_module`); null outside initcalls. */
  readonly initcall: string | null;
}

export interface ProbedDevice {
  readonly id: string;
  /** Its name is not in a record of the probe itself, but follows from the driver's order. */
  readonly inferred: boolean;
}

/** `e1000_init_module` to `e1000`, `virtio_pci_driver_init` to `virtio-pci`. */
function driverOfInitcall(initcall: string): string {
  return initcall.replace(/(?:_driver_init|_init_module|_module_init|_init_driver|_init)$/, "").replaceAll("_", "-");
}

const spelt = (name: string): string => name.replaceAll("_", "-");

/** Drivers' lines inside one probe: more devices than this are not probed at once. */
const MAX_AT_ONCE = 64;

/**
 * Parallel probes see each other's lines: a device that certainly belongs to one of them does not belong to the others.
 */
function byElimination(seen: readonly ReadonlySet<string>[], named: (ProbedDevice | null)[]): void {
  const taken = new Set(named.flatMap((device) => device?.id ?? []));
  for (let found = true; found; ) {
    found = false;
    seen.forEach((ids, i) => {
      if (named[i] !== null || ids.size < 2) return;
      const left = [...ids].filter((id) => !taken.has(id));
      if (left.length !== 1) return;
      named[i] = { id: left[0] as string, inferred: true };
      taken.add(left[0] as string);
      found = true;
    });
  }
}

/**
 * The device of each probe, in the order given; null if neither a line nor the order shows it. `lines` on the probes'
 * axis.
 */
export function nameProbes(
  probes: readonly Probe[],
  devices: ReadonlyMap<string, DeviceFacts>,
  lines: readonly {
    readonly boot: Boot;
    readonly atNs: number | null;
    readonly uncertaintyNs: number | null;
    readonly text: string;
  }[],
): readonly (ProbedDevice | null)[] {
  const driven = lines.flatMap((line) => {
    const found = line.atNs === null ? null : driverIn(line.text);
    return found === null
      ? []
      : [{ ...line, atNs: line.atNs as number, uncertaintyNs: line.uncertaintyNs ?? 0, id: found.id }];
  });
  driven.sort((a, b) => a.atNs - b.atNs);
  const seen: readonly ReadonlySet<string>[] = probes.map((probe) => {
    const sure = new Set<string>();
    for (
      let i = firstIndexWhere(driven, ({ atNs }) => atNs >= probe.beginNs);
      i < driven.length && sure.size < MAX_AT_ONCE;
      i++
    ) {
      const { boot, atNs, uncertaintyNs, id } = driven[i] as (typeof driven)[number];
      if (atNs > probe.endNs) break;
      if (boot === probe.boot && atNs - uncertaintyNs >= probe.beginNs && atNs + uncertaintyNs <= probe.endNs)
        sure.add(id);
    }
    return sure;
  });
  const named: (ProbedDevice | null)[] = seen.map((sure) =>
    sure.size === 1 ? { id: [...sure][0] as string, inferred: false } : null,
  );
  byElimination(seen, named);
  const taken = new Set(named.flatMap((device) => (device === null ? [] : [device.id])));
  const openByInitcall = new Map<string, number[]>();
  probes.forEach(({ initcall }, i) => {
    if (initcall === null || named[i] !== null) return;
    const open = openByInitcall.get(initcall);
    if (open === undefined) openByInitcall.set(initcall, [i]);
    else open.push(i);
  });
  const leftByDriver = new Map<string, string[]>();
  for (const { id, driver } of devices.values()) {
    if (driver === null || taken.has(id)) continue;
    const left = leftByDriver.get(spelt(driver));
    if (left === undefined) leftByDriver.set(spelt(driver), [id]);
    else left.push(id);
  }
  for (const [initcall, open] of openByInitcall) {
    const left = (leftByDriver.get(driverOfInitcall(initcall)) ?? []).sort();
    // One more or one less of either, and the order no longer says which is which.
    if (left.length !== open.length) continue;
    open.forEach((i, k) => {
      named[i] = { id: left[k] as string, inferred: true };
    });
  }
  return named;
}
