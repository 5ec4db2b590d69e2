// A process that runs the imports of the parent's sandbox, until it is killed at a failpoint.
import { runConsumerHere } from "@heliograph/testkit";
import { importsReactor } from "../src/imports/importer.ts";

await runConsumerHere(() => importsReactor);
