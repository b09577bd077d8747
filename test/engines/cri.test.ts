import { criSuite } from "./cri-suite.js";

criSuite("cri");
