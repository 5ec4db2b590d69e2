import { environments } from "@heliograph/contracts";
import { listen } from "@heliograph/http";
import { untilItAnswers, type Service } from "@heliograph/runtime";
import { buildApp } from "./app.ts";
import { AuditTrail } from "./audit.ts";
import { templatesProjector } from "./consumers/templates.ts";
import type { IngressContext, IngressDeps } from "./context.ts";
import { Sending } from "./messages/sending.ts";
import { allRoutes } from "./routes/all.ts";
import { migrate, purge } from "./store.ts";

export type { AuditEntry, EnvironmentDeps, IngressDeps } from "./context.ts";
export { asyncapiDocument } from "./asyncapi.ts";
export { openapiDocument } from "./routes/all.ts";

/** The read models of the API's own things. Of several ingress processes one keeps them. */
export const service: Service = { name: "ingress", consumers: () => [templatesProjector] };

const purgeEveryMs = 3_600_000;

export type Ingress = {
  readonly port: number;
  /** Takes no new request, finishes those in flight within `settings.shutdownMs`, then ends its subscriptions. What it was given stays open. */
  stop(): Promise<void>;
};

/** Serves the REST API on `settings.host` and `settings.port` (0: any free one). Waits for a log or a database that is away; throws when the port is taken. */
export async function startIngress(deps: IngressDeps): Promise<Ingress> {
  const stopping = new AbortController();
  const following = new AbortController();
  const sendingOf = (environment: "live" | "sandbox"): Sending =>
    new Sending(environment, deps.environments[environment], deps.directory);
  const sending = { live: sendingOf("live"), sandbox: sendingOf("sandbox") };
  const { settings, logger } = deps;
  await Promise.all(
    environments.map((environment) =>
      untilItAnswers("the database", deps, () => migrate(deps.environments[environment].pool)),
    ),
  );
  const broken = (error: unknown): void =>
    logger.error({ err: error }, "the ingress's subscription broke; it starts again");
  const feeds = await Promise.all(
    environments.map((environment) =>
      untilItAnswers("the event log", deps, () =>
        sending[environment].follow(following.signal, broken),
      ),
    ),
  );
  const trail = new AuditTrail(deps.environments, logger);
  const context: IngressContext = {
    ...deps,
    sending,
    scopes: new Set(allRoutes.map(({ scope }) => scope).filter((scope) => scope !== "public")),
    stopping: stopping.signal,
    audit: (entry) => {
      trail.record(entry);
      deps.audit?.(entry);
    },
  };
  const listening = await listen(buildApp(context, allRoutes), settings.host, settings.port).catch(
    (error: unknown) => {
      following.abort();
      throw error;
    },
  );
  const purging = setInterval(() => {
    for (const environment of environments)
      purge(deps.environments[environment].pool).catch((error: unknown) =>
        logger.warn({ err: error }, "old idempotency keys were not dropped"),
      );
  }, purgeEveryMs);
  purging.unref();
  return {
    port: listening.port,
    async stop() {
      clearInterval(purging);
      stopping.abort();
      await listening.stop(settings.shutdownMs);
      await trail.close();
      following.abort();
      await Promise.allSettled(feeds.map(({ done }) => done));
    },
  };
}
