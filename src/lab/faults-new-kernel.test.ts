import { testFault } from "../testing/faults.js";

testFault("panic");
testFault("hang");
