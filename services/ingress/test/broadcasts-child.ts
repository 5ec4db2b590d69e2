// A process that runs the broadcasts of the parent's sandbox, until it is killed at a failpoint.
import { openPlatform } from "@heliograph/platform";
import { newLogger, readSettings, runConsumer, serverOf } from "@heliograph/runtime";
import { broadcastsReactor } from "../src/broadcasts/reactor.ts";

const settings = readSettings(process.env);
const server = serverOf(settings.databaseUrl!);
const platform = await openPlatform(settings, server, "given", newLogger("warn"));
await runConsumer(broadcastsReactor(), platform.contexts.sandbox);
process.stdout.write("running\n");
