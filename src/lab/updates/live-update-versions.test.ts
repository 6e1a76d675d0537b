/** From one kernel version to another, as every real live update is; made with LAB=all. */
import { labWanted } from "../../testing/lab.js";
import { testLiveUpdate } from "../../testing/samples/live-updates.js";

if (labWanted) {
  testLiveUpdate("probes", "7.2.13", "7.3.4");
  testLiveUpdate("probes", "7.3.4", "7.2.13");
}
