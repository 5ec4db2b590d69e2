import { runConsumerHere } from "@heliograph/testkit";
import { erasureReactor } from "../src/erasure/reactor.ts";

/** The reactor in a process of its own, which a test may kill. */
await runConsumerHere(() => erasureReactor);
