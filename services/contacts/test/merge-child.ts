import { runConsumerHere } from "@heliograph/testkit";
import { mergeReactor } from "../src/merge/reactor.ts";

/** The reactor in a process of its own, which a test may kill. */
await runConsumerHere(() => mergeReactor);
