import { testFault } from "../testing/faults.js";

testFault("refused");
testFault("not-loaded");
