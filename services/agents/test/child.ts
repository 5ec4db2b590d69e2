// A process that serves the API of agents on the databases of a test, until it is killed.
import { serveApi } from "@heliograph/api";
import { openPlatform } from "@heliograph/platform";
import { newLogger, readSettings, serverOf } from "@heliograph/runtime";
import { service } from "../src/index.ts";

const settings = readSettings(process.env, [service.name]);
const platform = await openPlatform(
  settings,
  serverOf(settings.databaseUrl!),
  "given",
  newLogger("silent"),
);
const { port } = await serveApi({ ...platform, environments: platform.contexts }, [service]);
process.stdout.write(`listening on ${port}\n`);
