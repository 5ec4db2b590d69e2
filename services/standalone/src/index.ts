import { mkdirSync, statSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { environments, type Environment } from "@heliograph/contracts";
import { startEmbeddedPostgres } from "@heliograph/embedded-postgres";
import { services, startIngress } from "@heliograph/ingress";
import {
  ensureDemoPartner,
  onShutdown,
  openPlatform,
  serveHealth,
  startServices,
  untilReady,
  waitingFor,
  type Platform,
} from "@heliograph/platform";
import {
  easePressure,
  messageOf,
  newLogger,
  pause,
  readSettings,
  serverOf,
  untilItAnswers,
  type Logger,
  type RunningConsumers,
  type Server,
  type ServiceContext,
  type Settings,
} from "@heliograph/runtime";
import { forgetInstance, writeInstance } from "./instance.ts";

/** Starts everything in this process and resolves when `/readyz` answers 200 and `dev.json` is written. */
export async function start(
  env: Readonly<Record<string, string | undefined>> = process.env,
): Promise<void> {
  const settings = readSettings(
    env,
    services.map(({ name }) => name),
  );
  const dataDir = resolve(settings.dataDir);
  makeFolder(dataDir);
  const logger = newLogger(settings.logLevel);
  const opened: (() => Promise<void>)[] = [];
  const stop = async (): Promise<void> => {
    for (const end of opened.toReversed()) await end();
  };
  try {
    const postgres = await databaseServer(settings, dataDir, logger);
    opened.push(postgres.stop);
    // Not before the folder is ours: the file of an instance that is running must stay.
    forgetInstance(dataDir);
    const platform = await openPlatform(settings, postgres.server, "made", logger);
    opened.push(platform.close);
    const keys = settings.demo
      ? await untilItAnswers("the event log", platform, () => ensureDemoPartner(platform))
      : undefined;
    const running = await startServices(
      platform,
      services.filter((service) => settings.services.includes(service.name)),
    );
    opened.push(running.stop);
    const rest = settings.services.includes("ingress")
      ? await startIngress({
          ...ingressDeps(platform, running.running),
          waitingFor: () => waitingFor(running.running),
        })
      : await serveHealth(settings.host, settings.port, running.running);
    opened.push(rest.stop);
    opened.push(async () => forgetInstance(dataDir));
    onShutdown(logger, settings.shutdownMs + 15_000, stop);
    await untilReady(running.running, logger);
    const baseUrl = `http://${settings.host.includes(":") ? `[${settings.host}]` : settings.host}:${rest.port}`;
    writeInstance(dataDir, {
      baseUrl,
      consoleUrl: `${baseUrl}/console`,
      ...keys,
      databaseUrl: postgres.url,
      pid: process.pid,
    });
    process.stdout.write(banner(baseUrl, keys?.sandboxKey, dataDir));
  } catch (error) {
    // PostgreSQL would outlive this process, without an owner.
    await stop().catch(() => undefined);
    throw error;
  }
}

/** Like mkdir's own `recursive`, which never comes back where a file system takes no new folders (`/proc/x`). */
function makeFolder(path: string): void {
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory() === true) return;
  makeFolder(dirname(path));
  mkdirSync(path);
}

/** The ingress sees how far this process' own consumers are behind, and slows down before the lag grows without bound. */
const ingressDeps = (platform: Platform, running: readonly RunningConsumers[]) => ({
  ...platform,
  environments: Object.fromEntries(
    environments.map((environment, index) => [
      environment,
      {
        ...platform.contexts[environment],
        pressure: (early: boolean) =>
          easePressure(platform.contexts[environment].log, running[index]!.statuses, early),
      },
    ]),
  ) as Record<
    Environment,
    ServiceContext & { readonly pressure: (early: boolean) => Promise<void> | undefined }
  >,
});

/** The given server, or an embedded one that is started again when it ends without being asked to. */
async function databaseServer(
  settings: Settings,
  dataDir: string,
  logger: Logger,
): Promise<{ server: Server; url: string; stop(): Promise<void> }> {
  if (settings.databaseUrl !== undefined)
    return {
      server: serverOf(settings.databaseUrl),
      url: settings.databaseUrl,
      stop: async () => undefined,
    };
  const options = { dataDir: `${dataDir}/postgres` };
  let embedded = await startEmbeddedPostgres(options);
  const port = Number(new URL(embedded.url).port);
  let stopping = false;
  const supervised = (async () => {
    for (;;) {
      await embedded.exited;
      if (stopping) return;
      logger.error("PostgreSQL ended; it is started again");
      await embedded.stop();
      while (!stopping) {
        try {
          embedded = await startEmbeddedPostgres({ ...options, port });
          break;
        } catch (error) {
          logger.error({ error: messageOf(error) }, "PostgreSQL did not start");
          await pause(1_000);
        }
      }
      // It came up while it was to end: nobody else knows of it.
      if (stopping) await embedded.stop();
    }
  })();
  return {
    server: { config: embedded.config, prefix: "heliograph" },
    url: embedded.url,
    async stop() {
      stopping = true;
      await embedded.stop();
      // What we wait for keeps no process running, and after a failed start nothing else does.
      const held = setInterval(() => undefined, 60_000);
      await supervised;
      clearInterval(held);
    },
  };
}

const banner = (baseUrl: string, sandboxKey: string | undefined, dataDir: string): string =>
  sandboxKey === undefined
    ? `
Heliograph is ready at ${baseUrl} (${environments.join(" and ")}); its address is in ${dataDir}/dev.json

  npm run ops -- create-partner <name>      makes a partner with its first keys

`
    : `
Heliograph is ready at ${baseUrl} (${environments.join(" and ")}); keys and addresses are in ${dataDir}/dev.json

  curl -s ${baseUrl}/api/v1/messages -H 'Authorization: Bearer ${sandboxKey}' -H 'Content-Type: application/json' \\
    -d '{"channel":"whatsapp","to":"+15551234567","template":"order_confirmation","language":"en","variables":{"name":"Nayeem","order_id":"TR-204821","eta":"15 minutes"}}'

`;
