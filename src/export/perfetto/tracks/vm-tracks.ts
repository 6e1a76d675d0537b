/** The tracks of the VMs. */

import type { Boot } from "../../../base/time.js";
import type { VmDocument } from "../../../model/live-update.js";
import type { SliceDrawer } from "./slices.js";
import { Rank, type Roots } from "./track-order.js";

/** One track a VM, from its pause to its resume; none if no VM was seen. */
export function writeVms(drawer: SliceDrawer, vms: readonly VmDocument[], roots: Roots): void {
  if (vms.length === 0) return;
  const group = drawer.writer.track({
    parent: roots.old,
    name: "VMs",
    ordered: true,
    rank: Rank.vms,
    description: "Each VM from its pause to its resume.",
  });
  vms.forEach((vm, rank) => {
    // Without a link, a duration is known only if both marks are of the old boot: the update was aborted.
    const resumed: Boot = drawer.time.joint || vm.durationNs === null ? "new" : "old";
    drawer.draw({ parent: group, name: `VM ${vm.id}`, rank }, (uuid) => [
      drawer.part(
        uuid,
        vm.id,
        "vm",
        ["old", vm.beginNs],
        [resumed, vm.endNs],
        [["duration_ns", vm.durationNs]],
        ["paused", "resumed"],
      ),
    ]);
  });
}
