import { runConsumerHere } from "@heliograph/testkit";
import { topicsReactor } from "../src/topics/reactor.ts";

/** The reactor in a process of its own, which a test may kill. */
await runConsumerHere(topicsReactor);
