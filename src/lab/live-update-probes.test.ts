import { testLiveUpdate } from "../testing/live-updates.js";

testLiveUpdate("probes");
