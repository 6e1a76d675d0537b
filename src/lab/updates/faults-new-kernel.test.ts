import { testFault } from "../../testing/fakes/faults.js";

testFault("panic");
testFault("hang");
