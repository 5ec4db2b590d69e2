import { serveApi, type Service } from "@heliograph/api";
import { openPlatform } from "@heliograph/platform";
import { newLogger, readSettings, serverOf } from "@heliograph/runtime";

/** What a test's child process does, on the databases that `HELIOGRAPH_DATABASE_URL` names: serves the services' routes and says where, until it is killed. */
export async function serveAlone(services: readonly Service[]): Promise<void> {
  const settings = readSettings(
    process.env,
    services.map(({ name }) => name),
  );
  const server = serverOf(settings.databaseUrl!);
  const platform = await openPlatform(settings, server, "given", newLogger("silent"));
  const { port } = await serveApi({ ...platform, environments: platform.contexts }, services);
  process.stdout.write(`listening on ${port}\n`);
}
