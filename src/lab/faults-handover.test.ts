import { testFault } from "../testing/faults.js";

testFault("kho-off");
testFault("cpus");
