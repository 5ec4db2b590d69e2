import { runConsumerHere } from "@heliograph/testkit";
import { callbacksReactor } from "../src/callbacks/reactor.ts";

/** The reactor in a process of its own, which a test may kill. */
await runConsumerHere(() => callbacksReactor);
