import { runConsumerHere } from "@heliograph/runtime";
import { relayConsumer } from "../src/index.ts";

/** A relay in a process of its own, which a failpoint may kill. */
await runConsumerHere(relayConsumer);
