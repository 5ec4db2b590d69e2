import { runConsumerHere } from "@heliograph/testkit";
import { relayConsumer } from "../src/index.ts";

/** A relay in a process of its own, which a failpoint may kill. */
await runConsumerHere(relayConsumer);
