import {
  newLogger,
  readSettings,
  serverOf,
  SettingsError,
  type Service,
} from "@heliograph/runtime";
import { serveHealth } from "./health.ts";
import { openPlatform, startServices } from "./platform.ts";
import { onShutdown, refuseToStart } from "./shutdown.ts";

/** Runs one service alone against the PostgreSQL server of `HELIOGRAPH_DATABASE_URL`, until SIGTERM. Several copies may run: one is active, the others stand by. */
export async function runService(service: Service): Promise<void> {
  try {
    const settings = { ...readSettings(), services: [service.name] };
    if (settings.databaseUrl === undefined)
      throw new SettingsError(
        "HELIOGRAPH_DATABASE_URL: a service that runs alone needs the PostgreSQL server's URL",
      );
    const logger = newLogger(settings.logLevel, { service: service.name });
    const platform = await openPlatform(settings, serverOf(settings.databaseUrl), "given", logger);
    const services = await startServices(platform, [service]);
    const health = process.env["HELIOGRAPH_PORT"]
      ? await serveHealth(settings.host, settings.port, services.running)
      : undefined;
    onShutdown(logger, settings.shutdownMs, async () => {
      await services.stop();
      await health?.close();
      await platform.close();
    });
    logger.info({ port: health?.port }, "running");
  } catch (error) {
    refuseToStart(error);
  }
}
