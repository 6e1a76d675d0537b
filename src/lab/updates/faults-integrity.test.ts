import { testFault } from "../../testing/fakes/faults.js";

testFault("agent-killed");
testFault("abi");
testFault("retrieve");
