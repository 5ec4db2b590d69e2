import {
  consumersReady,
  onShutdown,
  openPlatform,
  refuseToStart,
  startServices,
} from "@heliograph/process";
import { SettingsError, newLogger, readSettings, serverOf } from "@heliograph/runtime";
import { service, startIngress } from "./index.ts";

/** The REST API alone, against the PostgreSQL server of `HELIOGRAPH_DATABASE_URL`, until SIGTERM. Any number may run side by side. */
try {
  const settings = { ...readSettings(), services: ["ingress"] };
  if (settings.databaseUrl === undefined)
    throw new SettingsError(
      "HELIOGRAPH_DATABASE_URL: a service that runs alone needs the PostgreSQL server's URL",
    );
  const logger = newLogger(settings.logLevel, { service: "ingress" });
  const platform = await openPlatform(settings, serverOf(settings.databaseUrl), "given", logger);
  const consumers = await startServices(platform, [service]);
  const ingress = await startIngress({
    ...platform,
    environments: platform.contexts,
    ready: () => consumersReady(consumers.running),
  });
  onShutdown(logger, settings.shutdownMs + 5_000, async () => {
    await ingress.stop();
    await consumers.stop();
    await platform.close();
  });
  logger.info({ port: ingress.port }, "listening");
} catch (error) {
  refuseToStart(error);
}
