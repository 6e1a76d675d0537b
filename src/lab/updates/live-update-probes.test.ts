import { testLiveUpdate } from "../../testing/samples/live-updates.js";

testLiveUpdate("probes");
