import { runConsumerHere } from "@heliograph/testkit";
import { spacedProjector } from "./spaced.ts";

/** A projector with rows of spaces in a process of its own, which a failpoint may kill. */
await runConsumerHere(() => spacedProjector);
