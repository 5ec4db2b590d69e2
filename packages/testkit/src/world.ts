import { randomBytes } from "node:crypto";
import { serveApi, type ApiDeps, type Service } from "@heliograph/api";
import { environments, streamOf, validateEvent, type EventData } from "@heliograph/contracts";
import { openMemoryLog } from "@heliograph/log";
import { openPlatform, platformContext, startServices, type Platform } from "@heliograph/platform";
import { newLogger, prepareConsumer, readSettings } from "@heliograph/runtime";
import { testServer } from "./database.ts";
import { watchLeaks } from "./leaks.ts";
import { accountsOf, type PartnerOptions, type TestPartner } from "./world-accounts.ts";
import { makeWorldDatabases } from "./world-databases.ts";
import { checkedCalls } from "./world-client.ts";

export { serveAlone } from "./serve-alone.ts";
export { turnKey } from "./turned-key.ts";

type Gateway = EventData<"GatewayConfigured">;

export type WorldOptions = {
  /** Whose front doors are served, at a port of 127.0.0.1. With none there is no port and no call. */
  readonly services?: readonly Service[];
  /** `tables`: made, so that the test writes what the consumers would. `run`: they run. */
  readonly consumers?: "tables" | "run";
  /** Where the events of both environments are: `eventstoredb` is the double. The platform's are in PostgreSQL unless they are there too. */
  readonly driver?: "postgres" | "memory" | "eventstoredb";
  /** In place of those that are seeded. */
  readonly gateways?: readonly Gateway[];
  readonly partners?: readonly PartnerOptions[];
  /** `HELIOGRAPH_…` variables. */
  readonly env?: Readonly<Record<string, string>>;
};

export type World = Awaited<ReturnType<typeof openWorld>>;

/**
 * A platform on databases of its own, on the run's server, with what the test asks for. `close` ends it all, removes the databases, and rejects when the test has left
 * something open that this world knows nothing of: a pool, a consumer, a timer.
 */
export async function openWorld(options: WorldOptions = {}) {
  const { services = [], partners: wanted = [] } = options;
  const server = await testServer();
  const leaks = watchLeaks(server.baseConfig, server.namePrefix);
  const closing: (() => Promise<unknown>)[] = [];
  const prefix = `${server.namePrefix}w`;
  const platform = await openPlatformOn({ config: server.baseConfig, prefix }, options, closing);
  const accounts = accountsOf(platform);
  if (options.gateways) await configure(platform, accounts, options.gateways);
  if (options.consumers === "run") {
    const started = await startServices(platform, services);
    closing.push(() => started.stop());
  } else await makeTables(platform, services);

  const deps: ApiDeps = { ...platform, environments: platform.contexts };
  const serving = services.length === 0 ? undefined : { now: await serveApi(deps, services) };
  closing.push(async () => serving?.now.stop());
  const port = (): number => {
    if (serving === undefined) throw new Error("this world serves nothing: it has no services");
    return serving.now.port;
  };
  const partners: TestPartner[] = [];
  for (const partner of wanted) partners.push(await accounts.addPartner(partner));
  const databaseUrl = new URL(server.baseUrl);
  databaseUrl.pathname = `/${prefix}`;

  return {
    ...accounts,
    platform,
    /** Those asked for, in that order. */
    partners,
    /** For a process of its own on the same databases. */
    databaseUrl: databaseUrl.href,
    serverConfig: server.baseConfig,
    get port() {
      return port();
    },
    call: checkedCalls(services, port),
    heads: async (): Promise<string> =>
      (await Promise.all(environments.map((name) => platform.contexts[name].log.head()))).join(),
    /** The API stops and is served again, at another port. */
    async restart(): Promise<void> {
      if (serving === undefined) return;
      await serving.now.stop();
      serving.now = await serveApi(deps, services);
    },
    async close(): Promise<void> {
      for (const close of closing.toReversed()) await close();
      try {
        await leaks.nothing();
      } finally {
        await server.dropAll();
      }
    },
  };
}

async function openPlatformOn(
  server: Platform["server"],
  { services = [], driver = "postgres", env }: WorldOptions,
  closing: (() => Promise<unknown>)[],
): Promise<Platform> {
  // What it speaks by takes a fifth of what a test process loads, and most have none.
  const double =
    driver === "eventstoredb"
      ? await import("./eventstore/index.ts").then((double) => double.eventStoreDouble())
      : undefined;
  if (double) closing.push(() => double.close());
  const names = services.map(({ name }) => name);
  const settings = readSettings(
    {
      HELIOGRAPH_PORT: "0",
      HELIOGRAPH_SHUTDOWN_SECONDS: "5",
      HELIOGRAPH_MASTER_KEY: randomBytes(32).toString("hex"),
      ...(double && {
        HELIOGRAPH_LOG: "eventstoredb",
        HELIOGRAPH_EVENTSTORE_URL: double.connectionString,
      }),
      ...env,
    },
    names,
  );
  const logger = newLogger(process.env["TEST_LOG"] ?? "silent");
  if (!double) await makeWorldDatabases(server.config, server.prefix, services);
  const platform = await openPlatform(settings, server, "given", logger);
  closing.push(platform.close);
  if (driver !== "memory") return platform;
  const { live, sandbox } = platform.contexts;
  const inMemory = () => {
    const log = openMemoryLog({ validate: validateEvent });
    closing.push(() => log.close());
    return log;
  };
  return {
    ...platform,
    contexts: { live: { ...live, log: inMemory() }, sandbox: { ...sandbox, log: inMemory() } },
  };
}

async function makeTables(platform: Platform, services: readonly Service[]): Promise<void> {
  for (const environment of environments) {
    const context = platform.contexts[environment];
    const consumers = services.flatMap((service) => service.consumers?.(context) ?? []);
    for (const consumer of consumers) await prepareConsumer(context.pool, consumer);
  }
  const context = platformContext(platform);
  for (const service of services)
    for (const consumer of service.platformConsumers?.(context) ?? [])
      await prepareConsumer(context.pool, consumer);
}

/** These are the gateways from now on: any other is switched off. */
async function configure(
  { directory }: Platform,
  { appendPlatform }: ReturnType<typeof accountsOf>,
  gateways: readonly Gateway[],
): Promise<void> {
  const ids = new Set(gateways.map(({ gateway_id }) => gateway_id));
  const others = environments
    .flatMap((environment) => directory.gateways(environment))
    .filter(({ gateway_id, enabled }) => enabled && !ids.has(gateway_id));
  for (const gateway of [...gateways, ...others.map((other) => ({ ...other, enabled: false }))])
    await appendPlatform(
      streamOf("gateway", gateway.gateway_id),
      "any",
      "GatewayConfigured",
      gateway,
    );
}
