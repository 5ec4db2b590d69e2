import {
  newLogger,
  readSettings,
  serverOf,
  SettingsError,
  type RunningConsumers,
  type Service,
} from "@heliograph/runtime";
import { serveHealth } from "./health.ts";
import { openPlatform, startServices, type Platform } from "./platform.ts";
import { closingMs, onShutdown, refuseToStart } from "./shutdown.ts";

/** What a process serves over HTTP. */
export type Served = { readonly port: number; stop(): Promise<void> };
type Serve = (
  platform: Platform,
  running: readonly RunningConsumers[],
) => Promise<Served | undefined>;

/**
 * Runs one service alone against the PostgreSQL server of `HELIOGRAPH_DATABASE_URL`, until SIGTERM. Several copies may run: one is active, the others stand by. Without `serve`
 * it has health and metrics on `HELIOGRAPH_PORT`, where that is set.
 */
export async function runService(service: Service, serve: Serve = serveOwnHealth): Promise<void> {
  const opened: (() => Promise<void>)[] = [];
  const stop = async (): Promise<void> => {
    for (const end of opened.toReversed()) await end();
  };
  try {
    const settings = { ...readSettings(), services: [service.name] };
    if (settings.databaseUrl === undefined)
      throw new SettingsError(
        "HELIOGRAPH_DATABASE_URL: a service that runs alone needs the PostgreSQL server's URL",
      );
    const logger = newLogger(settings.logLevel, { service: service.name });
    const platform = await openPlatform(settings, serverOf(settings.databaseUrl), "given", logger);
    opened.push(platform.close);
    const services = await startServices(platform, [service]);
    opened.push(services.stop);
    const served = await serve(platform, services.running);
    if (served !== undefined) opened.push(served.stop);
    onShutdown(logger, settings.shutdownMs + closingMs, stop);
    logger.info({ port: served?.port }, served === undefined ? "running" : "listening");
  } catch (error) {
    // A lease that is not given back keeps other copies waiting.
    await stop().catch(() => undefined);
    refuseToStart(error);
  }
}

const serveOwnHealth: Serve = async ({ settings }, running) =>
  process.env["HELIOGRAPH_PORT"]
    ? await serveHealth(settings.host, settings.port, running)
    : undefined;
