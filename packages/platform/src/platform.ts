import { hash } from "node:crypto";
import { environments, type Environment, type MasterKey } from "@heliograph/contracts";
import { openDirectory, type Directory } from "./directory/directory.ts";
import { openKafkaFeed, relayConsumer } from "@heliograph/kafka";
import type { EventLog } from "@heliograph/log";
import {
  collectProcessMetrics,
  createDatabases,
  databaseConfig,
  openLog,
  openPool,
  prepareTables,
  realClock,
  startConsumers,
  type Consumer,
  type PlatformContext,
  type RunningConsumers,
  type Server,
  type Service,
  type ServiceContext,
  type Settings,
  untilItAnswers,
  virtualClock,
  watchClock,
} from "@heliograph/runtime";
import { activeTracing, startTracing, tracedHandler, tracedLog } from "@heliograph/tracing";
import { openVault, vaultTables } from "@heliograph/vault";
import type pg from "pg";
import type { Logger } from "pino";
import { demoPartnerId, derivedKey } from "./accounts.ts";
import { openMasterKey, type KeyRule } from "./master-key.ts";
import { seedPlatform } from "./seed.ts";
import { showProcess } from "./shown-process.ts";
import { credentialTables } from "./credentials/tables/schema.ts";
import { addKeySample, readKeySamples } from "./store.ts";

/** Everything that the services of one process share. */
export type Platform = {
  readonly settings: Settings;
  readonly server: Server;
  readonly masterKey: MasterKey;
  readonly logger: Logger;
  readonly platformLog: EventLog;
  /** Durable commits in the platform's database: what sign-in needs to keep outside the log. */
  readonly platformPool: pg.Pool;
  readonly directory: Directory;
  readonly contexts: Readonly<Record<Environment, ServiceContext>>;
  close(): Promise<void>;
};

/** Durable commits of one environment in flight at once; more only wait for the same disk. */
const durablePool = 6;
const projectionPool = 8;
/** Passwords take the processor before the database: two are verified at once. */
const credentialPool = 4;

/** The control plane: what is known of partners, keys, gateways and prices, and the key that seals. */
export type ControlPlane = {
  readonly log: EventLog;
  readonly directory: Directory;
  readonly masterKey: MasterKey;
  close(): Promise<void>;
};

/** Opens the platform database and its log, folds the directory and compares the master key. Throws SettingsError or StartError. */
export async function openControlPlane(
  settings: Settings,
  server: Server,
  keyRule: KeyRule,
  logger: Logger,
): Promise<ControlPlane> {
  const start = { settings, logger };
  for (const line of settings.unknown) logger.warn(line);
  await untilItAnswers("the database", start, () => createDatabases(server));
  const opened: (() => Promise<void>)[] = [];
  const close = async (): Promise<void> => {
    for (const end of opened.toReversed()) await end();
  };
  try {
    const log = await untilItAnswers("the event log", start, () =>
      openLog(settings, server, "platform", logger),
    );
    opened.push(() => log.close());
    const directory = await untilItAnswers("the event log", start, () =>
      openDirectory(log, ({ position, type }, flaw) =>
        logger.error(
          { position: String(position), type, error: flaw },
          "a damaged event of the platform log is passed over",
        ),
      ),
    );
    opened.push(() => directory.close());
    const config = databaseConfig(server, "platform");
    const asked = <T>(ask: () => Promise<T>): Promise<T> =>
      untilItAnswers("the database", start, ask);
    const masterKey = await openMasterKey(settings, keyRule, {
      // Whatever runs a service publishes the prices first.
      hasRun: directory.prices() !== undefined,
      readSamples: () => asked(() => readKeySamples(config)),
      addSample: (sealed) => asked(() => addKeySample(config, sealed)),
      mayBe: (key) =>
        directory.partner(demoPartnerId) === undefined ||
        directory.key(hash("sha256", derivedKey(key, "sandbox", "demo"), "hex")) !== undefined,
    });
    return { log, directory, masterKey, close };
  } catch (error) {
    await close();
    throw error;
  }
}

const projectionsOf = (environment: Environment) => ({
  name: `${environment} projections`,
  max: projectionPool,
  durable: false,
});

const openPlatformPool = (server: Server, logger: Logger): pg.Pool => {
  const config = databaseConfig(server, "platform");
  return openPool(config, { name: "platform", max: credentialPool, durable: true }, logger);
};

/** A tool that seals nothing is not waited for, and not shown. */
async function shownUnder(
  keyRule: KeyRule,
  server: Server,
  masterKey: MasterKey,
  start: Pick<Platform, "settings" | "logger">,
) {
  const config = databaseConfig(server, "platform");
  return keyRule === "unused"
    ? undefined
    : untilItAnswers("the database", start, () => showProcess(config, masterKey, start.settings));
}

/** Opens the three databases and their logs, folds the directory and seeds what every installation has. Throws SettingsError or StartError. */
export async function openPlatform(
  settings: Settings,
  server: Server,
  keyRule: KeyRule,
  logger: Logger,
): Promise<Platform> {
  collectProcessMetrics();
  const start = { settings, logger };
  const control = await openControlPlane(settings, server, keyRule, logger);
  const opened: (() => Promise<unknown>)[] = [control.close];
  const close = async (): Promise<void> => {
    for (const end of opened.toReversed()) await end();
  };
  try {
    opened.push(await beginTraces(settings));
    const { log: platformLog, directory, masterKey } = control;
    const shown = await shownUnder(keyRule, server, masterKey, start);
    if (settings.services.includes("ingress") || settings.services.includes("dispatch"))
      await untilItAnswers("the event log", start, () =>
        seedPlatform(platformLog, directory, settings, masterKey),
      );
    const platformPool = openPlatformPool(server, logger);
    opened.push(() => platformPool.end());
    if (shown !== undefined) opened.push(shown.keep(platformPool, logger));
    await untilItAnswers("the database", start, () =>
      prepareTables(platformPool, [credentialTables]),
    );
    const open = async (environment: Environment): Promise<ServiceContext> => {
      const config = databaseConfig(server, environment);
      const pool = openPool(config, { name: environment, max: durablePool, durable: true }, logger);
      const projections = openPool(config, projectionsOf(environment), logger);
      opened.push(() => Promise.all([pool.end(), projections.end()]));
      const log = await untilItAnswers("the event log", start, () =>
        openLog(settings, server, environment, logger),
      );
      opened.push(() => log.close());
      const vault = await untilItAnswers("the database", start, async () => {
        await prepareTables(pool, [vaultTables]);
        return openVault(pool, masterKey, environment);
      });
      const kafka = settings.feed === "kafka" ? settings.kafka : undefined;
      const feed = kafka && openKafkaFeed({ settings: kafka, environment, log, pool, logger });
      if (feed) opened.push(() => feed.close());
      return {
        environment,
        log: activeTracing() === undefined ? log : tracedLog(log, environment),
        feed,
        connection: config,
        pool,
        projectionPool: projections,
        settings,
        directory,
        clock: environment === "sandbox" ? virtualClock(directory) : realClock,
        masterKey,
        vault,
        logger: logger.child({ environment }),
      };
    };
    const contexts = { live: await open("live"), sandbox: await open("sandbox") };
    const clock = watchClock(contexts.live.projectionPool, logger);
    opened.push(async () => clock.close());
    await untilItAnswers("the database", start, () => clock.look());
    const shared = { settings, server, masterKey, logger, platformLog, platformPool, directory };
    return { ...shared, contexts, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Tells of traces where a collector is configured; gives what ends it. */
async function beginTraces(settings: Settings): Promise<() => Promise<void>> {
  const { otlpEndpoint: endpoint, traceRatio: ratio, services } = settings;
  if (endpoint === undefined) return () => Promise.resolve();
  const service = services.length === 1 ? `heliograph-${services[0]}` : "heliograph";
  return (await startTracing({ endpoint, ratio, service })).stop;
}

/** A reactor whose batches are told as parts of the traces that they belong to; projectors only write down what is there, and are not. */
function traced(consumer: Consumer, environment: Environment): Consumer {
  if (consumer.kind === "projector" || activeTracing() === undefined) return consumer;
  const { name, start } = consumer;
  return {
    ...consumer,
    start: async (tools) => tracedHandler(await start(tools), name, environment),
  };
}

/** What consumers of the platform's log are given. Its durable commits are few: one pool does for all. */
export const platformContext = (platform: Platform): PlatformContext => ({
  ...platform.contexts.live,
  shownAs: "platform",
  log: platform.platformLog,
  feed: undefined,
  connection: databaseConfig(platform.server, "platform"),
  pool: platform.platformPool,
  projectionPool: platform.platformPool,
  logger: platform.logger.child({ environment: "platform" }),
  environments: platform.contexts,
});

/** Makes the tables of the services and starts their consumers, in both environments and, last, of the platform's log. */
export async function startServices(
  platform: Platform,
  services: readonly Service[],
): Promise<{ readonly running: readonly RunningConsumers[]; stop(): Promise<void> }> {
  const running = await Promise.all(
    environments.map((environment) => {
      const context = platform.contexts[environment];
      const consumers = services.flatMap((service) => service.consumers?.(context) ?? []);
      const tables = services.flatMap((service) => service.tables ?? []);
      const { feed, kafka } = platform.settings;
      // The relay goes with the service that tells the outside; its lease keeps one active.
      if (feed === "kafka" && kafka && services.some(({ name }) => name === "lifecycle"))
        consumers.push(relayConsumer(kafka));
      return untilItAnswers("the database", platform, async () => {
        await prepareTables(context.pool, tables);
        return startConsumers(
          context,
          consumers.map((each) => traced(each, environment)),
        );
      });
    }),
  );
  const context = platformContext(platform);
  const own = services.flatMap((service) => service.platformConsumers?.(context) ?? []);
  if (own.length > 0)
    running.push(
      await untilItAnswers("the database", platform, () => startConsumers(context, own)),
    );
  return {
    running,
    async stop() {
      await Promise.all(running.map((consumers) => consumers.stop()));
    },
  };
}
