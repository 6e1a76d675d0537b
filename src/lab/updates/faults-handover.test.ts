import { testFault } from "../../testing/fakes/faults.js";

testFault("kho-off");
testFault("cpus");
