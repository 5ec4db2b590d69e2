import { environments } from "@heliograph/contracts";
import { limitTables, prepareTables, untilItAnswers } from "@heliograph/runtime";
import { buildApp } from "./app.ts";
import type { ApiContext, ApiDeps } from "./context.ts";
import { buildDocument } from "./openapi.ts";
import { openCounters } from "./limits/counters.ts";
import { listen } from "./server.ts";
import { routesOf, type Hosted, type Service } from "./service.ts";
import { hostService } from "./service-routes.ts";
import { idempotencyTables, purge } from "./tables/idempotency.ts";
import type { Web } from "./web.ts";

const purgeEveryMs = 3_600_000;

export type Serving = {
  readonly port: number;
  /** Takes no new request, finishes those in flight within `settings.shutdownMs`, then closes what the services opened. What it was given stays open. */
  stop(): Promise<void>;
};

/**
 * Serves the front doors of the services on `settings.host` and `settings.port` (0: any free one). Makes their tables first, and waits for a log or a database
 * that is away; throws when the port is taken.
 */
export async function serveApi(deps: ApiDeps, hosting: readonly Service[]): Promise<Serving> {
  const { settings } = deps;
  const services = [...hosting, hostService];
  const stopping = new AbortController();
  const opened: Hosted[] = [];
  const webs: Web[] = [];
  let document: object | undefined;
  await makeTables(deps, hosting);
  const counting = openCounters(deps);
  const closeAll = async (): Promise<void> => {
    for (const state of [...opened, ...webs]) await state.close();
    await counting.close();
  };
  const context: ApiContext = {
    ...deps,
    counters: counting.counters,
    scopes: new Set(routesOf(services).flatMap(({ scope }) => (scope === "public" ? [] : scope))),
    document: () => (document ??= buildDocument(services)),
    stopping: stopping.signal,
    get session() {
      return opened.find(({ session }) => session !== undefined)?.session;
    },
    used: (key, now) => {
      for (const state of opened) state.used?.(key, now);
    },
    audit: async (entry, first) => {
      await Promise.all([
        ...opened.map(({ audited }) => audited?.(entry, first)),
        deps.audit?.(entry, first),
      ]);
    },
  };
  try {
    for (const { api } of services) if (api?.open) opened.push(await api.open(context));
    let port = settings.port;
    const apiUrl = (): string => settings.apiUrl ?? `http://${reachable(settings.host)}:${port}`;
    for (const { web } of services) if (web) webs.push(await web({ ...context, apiUrl }));
    const app = buildApp(context, routesOf(services), webs);
    const listening = await listen(app, settings.host, settings.port);
    port = listening.port;
    const purging = setInterval(() => dropOldAnswers(deps), purgeEveryMs);
    purging.unref();
    return {
      port: listening.port,
      async stop() {
        clearInterval(purging);
        stopping.abort();
        await listening.stop(settings.shutdownMs);
        await closeAll();
      },
    };
  } catch (error) {
    await closeAll();
    throw error;
  }
}

/** How this machine reaches a server that listens there. */
const reachable = (host: string): string =>
  host === "0.0.0.0"
    ? "127.0.0.1"
    : host === "::"
      ? "[::1]"
      : host.includes(":")
        ? `[${host}]`
        : host;

async function makeTables(deps: ApiDeps, services: readonly Service[]): Promise<void> {
  const tables = [
    idempotencyTables,
    limitTables,
    ...services.flatMap((service) => service.tables ?? []),
  ];
  await Promise.all(
    environments.map((environment) =>
      untilItAnswers("the database", deps, () =>
        prepareTables(deps.environments[environment].pool, tables),
      ),
    ),
  );
}

function dropOldAnswers({ environments: all, logger }: ApiDeps): void {
  for (const environment of environments)
    purge(all[environment].pool).catch((error: unknown) =>
      logger.warn({ err: error }, "old idempotency keys were not dropped"),
    );
}
