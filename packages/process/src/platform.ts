import { environments, type Environment } from "@heliograph/contracts";
import { openDirectory, type Directory } from "@heliograph/directory";
import { openKafkaFeed, relayConsumer } from "@heliograph/kafka";
import type { EventLog } from "@heliograph/log";
import {
  createDatabases,
  databaseConfig,
  openLog,
  openPool,
  startConsumers,
  type RunningConsumers,
  type Server,
  type Service,
  type ServiceContext,
  type Settings,
  untilItAnswers,
  watchClock,
} from "@heliograph/runtime";
import type pg from "pg";
import type { Logger } from "pino";
import { seedPlatform } from "./seed.ts";

/** Everything that the services of one process share. */
export type Platform = {
  readonly settings: Settings;
  readonly server: Server;
  readonly masterKey: Buffer;
  readonly logger: Logger;
  readonly platformLog: EventLog;
  readonly directory: Directory;
  readonly contexts: Readonly<Record<Environment, ServiceContext>>;
  close(): Promise<void>;
};

/** Durable commits of one environment in flight at once; more only wait for the same disk. */
const durablePool = 6;
const projectionPool = 8;

/** Opens the three databases and their logs, folds the directory and seeds what every installation has. */
export async function openPlatform(
  settings: Settings,
  server: Server,
  masterKey: Buffer,
  logger: Logger,
): Promise<Platform> {
  await untilItAnswers("the database", logger, () => createDatabases(server));
  const platformLog = await untilItAnswers("the event log", logger, () =>
    openLog(settings, server, "platform", logger),
  );
  const directory = await untilItAnswers("the event log", logger, () =>
    openDirectory(platformLog, ({ position, type }, flaw) =>
      logger.error(
        { position: String(position), type, error: flaw },
        "a damaged event of the platform log is passed over",
      ),
    ),
  );
  if (settings.services.includes("ingress") || settings.services.includes("dispatch"))
    await untilItAnswers("the event log", logger, () =>
      seedPlatform(platformLog, directory, settings),
    );
  const pools: pg.Pool[] = [];
  const feeds: { close(): Promise<void> }[] = [];
  const open = async (environment: Environment): Promise<ServiceContext> => {
    const config = databaseConfig(server, environment);
    const pool = openPool(config, { name: environment, max: durablePool, durable: true }, logger);
    const projections = openPool(
      config,
      { name: `${environment} projections`, max: projectionPool, durable: false },
      logger,
    );
    pools.push(pool, projections);
    const log = await untilItAnswers("the event log", logger, () =>
      openLog(settings, server, environment, logger),
    );
    const kafka = settings.feed === "kafka" ? settings.kafka : undefined;
    const feed = kafka && openKafkaFeed({ settings: kafka, environment, log, pool, logger });
    if (feed) feeds.push(feed);
    return {
      environment,
      log,
      feed,
      connection: config,
      pool,
      projectionPool: projections,
      settings,
      directory,
      masterKey,
      logger: logger.child({ environment }),
    };
  };
  const contexts = { live: await open("live"), sandbox: await open("sandbox") };
  const clock = watchClock(contexts.live.projectionPool, logger);
  await untilItAnswers("the database", logger, () => clock.look());
  return {
    settings,
    server,
    masterKey,
    logger,
    platformLog,
    directory,
    contexts,
    async close() {
      clock.close();
      await directory.close();
      await Promise.all(feeds.map((feed) => feed.close()));
      for (const environment of environments) await contexts[environment].log.close();
      await platformLog.close();
      await Promise.all(pools.map((pool) => pool.end()));
    },
  };
}

/** Starts the consumers of the services in both environments. */
export async function startServices(
  platform: Platform,
  services: readonly Service[],
): Promise<{ readonly running: readonly RunningConsumers[]; stop(): Promise<void> }> {
  const running = await Promise.all(
    environments.map((environment) => {
      const context = platform.contexts[environment];
      const consumers = services.flatMap((service) => service.consumers(context));
      const { feed, kafka } = platform.settings;
      // The relay goes with the service that tells the outside; its lease keeps one active.
      if (feed === "kafka" && kafka && services.some(({ name }) => name === "lifecycle"))
        consumers.push(relayConsumer(kafka));
      return untilItAnswers("the database", platform.logger, () =>
        startConsumers(context, consumers),
      );
    }),
  );
  return {
    running,
    async stop() {
      await Promise.all(running.map((consumers) => consumers.stop()));
    },
  };
}
