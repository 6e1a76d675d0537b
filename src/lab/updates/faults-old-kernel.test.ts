import { testFault } from "../../testing/fakes/faults.js";

testFault("refused");
testFault("not-loaded");
