// A process that places messages in the threads of the parent's database, until it is killed at a failpoint.
import { runConsumerHere } from "@heliograph/testkit";
import { threadsReactor } from "../src/reactor.ts";

await runConsumerHere(() => threadsReactor);
