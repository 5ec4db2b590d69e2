import { runConsumerHere } from "@heliograph/testkit";
import { matchingReactor } from "../src/matching/reactor.ts";

/** The reactor in a process of its own, which a test may kill. */
await runConsumerHere(() => matchingReactor);
