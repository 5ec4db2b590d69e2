import {
  apiClient,
  freePort,
  networkLink,
  newDataDir,
  removeDataDir,
  smtpSink,
  startInstance,
  startKafka,
  until,
  webhookSink,
  type ApiClient,
  type Instance,
  type KafkaBroker,
  type KafkaCluster,
  type NetworkLink,
  type SmtpSink,
  type WebhookSink,
} from "@heliograph/testkit";
import { eventStoreDouble, type EventStoreDouble } from "@heliograph/testkit/eventstore";
import { newJournal, type Journal } from "./journal.ts";
import type { Random } from "./random.ts";

/** One partner in one environment, and where its webhooks go. */
export type Tenant = {
  readonly partner: string;
  readonly environment: "live" | "sandbox";
  readonly key: string;
  readonly endpoints: readonly Endpoint[];
};
export type Endpoint = {
  readonly name: string;
  readonly id: string;
  readonly secret: string;
  readonly types: readonly string[] | undefined;
};

/** The product, what surrounds it, and the journals. `instance` is replaced at every start. */
export type World = {
  instance: Instance;
  readonly dataDir: string;
  readonly tenants: readonly Tenant[];
  readonly journal: Journal;
  readonly smtp: SmtpSink;
  readonly sink: WebhookSink;
  /** The broker that brings events to this world's consumers; undefined where the log does. */
  readonly kafka: KafkaBroker | undefined;
  /** How clients find the broker, or those of a cluster. */
  readonly brokers: readonly string[] | undefined;
  /** Another way to that broker, whose weather can be changed. */
  readonly kafkaLink: NetworkLink | undefined;
  /** The server of this world's log, in this process so that no kill of the product takes it; undefined where PostgreSQL is the log. */
  readonly eventStore: EventStoreDouble | undefined;
  /** How the sinks behave from now on: well, or with refusals, resets and lost answers. */
  weather(kind: "fair" | "foul"): void;
  /** The settings that every copy is started with. */
  readonly env: Readonly<Record<string, string>>;
  /** The checkout whose product is started from now on: its standalone `main.ts`, undefined for this one's. */
  entry: string | undefined;
  start(env?: Readonly<Record<string, string>>): Promise<Instance>;
  admin(): ApiClient;
  close(): Promise<void>;
};

/** Hours of back-off become seconds. */
const retryScale = "0.002";
const funds = "1000000";
const someTypes = ["message.sent", "message.failed", "message.delivered"];

export type Engines = {
  readonly log?: "postgres" | "eventstoredb";
  readonly feed?: "log" | "kafka";
  /** In place of a broker of this world's own; whoever gives it ends it. */
  readonly cluster?: KafkaCluster;
  readonly entry?: string;
  /** Where its data folder is made; without it in memory where there is room. */
  readonly folder?: string;
  /** How long each start may take; default a minute. */
  readonly readyTimeoutMs?: number;
  /** Settings on top of the usual ones. */
  readonly env?: Readonly<Record<string, string>>;
};

export async function openWorld(random: Random, engines: Engines = {}): Promise<World> {
  const ownBroker = engines.feed === "kafka" && engines.cluster === undefined;
  const { kafka, kafkaLink } = ownBroker ? await linkedKafka(random) : noKafka;
  const brokers = engines.cluster?.brokers ?? kafka?.brokers;
  const eventStore = engines.log === "eventstoredb" ? await eventStoreDouble() : undefined;
  const dataDir = newDataDir(engines.folder);
  const port = await freePort();
  const journal = newJournal();
  const chance = random.fork("sinks");
  let foul = false;
  const [smtp, sink] = [await smtpSink(), await webhookSink()];
  sink.behave((request) => {
    const refused = foul && request.path.endsWith("-some") && chance.chance(0.15);
    const lost = foul && !refused && chance.chance(0.02);
    journal.arrivals.push({
      endpoint: request.path.slice(1),
      id: String(request.headers["webhook-id"]),
      body: request.body,
      headers: request.headers as Record<string, string>,
      accepted: !refused && !lost,
    });
    if (lost) return { type: "reset" };
    return { type: "answer", status: refused ? 503 : 204 };
  });
  const env = settingsOf(smtp, brokers, eventStore, engines);
  const start = (
    entry: string | undefined,
    extra: Readonly<Record<string, string>> = {},
  ): Promise<Instance> =>
    startInstance({
      dataDir,
      port,
      env: { ...env, ...extra },
      ...(entry && { entry }),
      ...(engines.readyTimeoutMs && { readyTimeoutMs: engines.readyTimeoutMs }),
    });
  const instance = await start(engines.entry);
  const tenants: Tenant[] = [];
  const world: World = {
    instance,
    dataDir,
    tenants,
    journal,
    smtp,
    sink,
    kafka,
    brokers,
    kafkaLink,
    eventStore,
    env,
    entry: engines.entry,
    weather(kind) {
      foul = kind === "foul";
      smtp.behave({ type: "accept" });
    },
    async start(extra) {
      world.instance = await start(world.entry, extra);
      return world.instance;
    },
    admin: () => apiClient(world.instance.baseUrl, world.instance.adminKey, { checked: false }),
    async close() {
      await world.instance.stop();
      await Promise.all([smtp.close(), sink.close(), kafka?.remove(), eventStore?.close()]);
      await kafkaLink?.close();
      await removeDataDir(dataDir);
    },
  };
  for (const name of ["North", "South", "East"]) tenants.push(...(await newTenants(world, name)));
  return world;
}

const settingsOf = (
  smtp: SmtpSink,
  brokers: readonly string[] | undefined,
  eventStore: EventStoreDouble | undefined,
  engines: Engines,
): Readonly<Record<string, string>> => ({
  HELIOGRAPH_RETRY_SCALE: retryScale,
  HELIOGRAPH_WEBHOOK_ALLOW_CIDRS: "127.0.0.0/8",
  HELIOGRAPH_SMTP_URL: `smtp://127.0.0.1:${smtp.port}`,
  HELIOGRAPH_LOG_GATEWAY_CHANNELS: "whatsapp",
  ...(eventStore && {
    HELIOGRAPH_LOG: "eventstoredb",
    HELIOGRAPH_EVENTSTORE_URL: eventStore.connectionString,
  }),
  ...(brokers && {
    HELIOGRAPH_FEED: "kafka",
    HELIOGRAPH_KAFKA_BROKERS: brokers.join(),
    HELIOGRAPH_KAFKA_SHARDS: "4",
  }),
  ...engines.env,
});

const noKafka = { kafka: undefined, kafkaLink: undefined };

/** Brokers tell clients where to go on, so the way through a link is one of the broker's own. */
async function linkedKafka(
  random: Random,
): Promise<{ readonly kafka: KafkaBroker; readonly kafkaLink: NetworkLink }> {
  const port = await freePort();
  const kafkaLink = await networkLink({ target: port, random: random.fork("kafka link").next });
  const kafka = await startKafka({ behindLink: { port, advertised: kafkaLink.port } });
  return { kafka, kafkaLink };
}

/** A partner with funds, and two endpoints in each environment: one for everything, one for some types. */
async function newTenants(world: World, name: string): Promise<readonly Tenant[]> {
  const made = await world
    .admin()
    .post("/admin/partners", { name, rate_limit: { requests: 100_000, window_seconds: 1 } });
  if (made.status !== 201) throw new Error(`partner: ${made.status} ${made.text}`);
  const { id, keys } = made.body as { id: string; keys: { live: string; sandbox: string } };
  const tenants: Tenant[] = [];
  for (const environment of ["sandbox", "live"] as const) {
    const client = apiClient(world.instance.baseUrl, keys[environment], { checked: false });
    const payer = environment === "live" ? world.admin() : client;
    // On a busy machine the wallet may not be there within the call's time; the key books it once.
    await until(
      async () => {
        const topup = await payer.post(
          "/wallet/topups",
          { amount: funds, ...(environment === "live" && { partner_id: id }) },
          { "idempotency-key": `funds-${id}-${environment}` },
        );
        if (topup.status !== 201) throw new Error(`${topup.status} ${topup.text}`);
        return true;
      },
      { timeoutMs: 60_000, what: "the wallet is topped up" },
    );
    await until(async () => Number((await client.get("/balance")).body.available) > 0, {
      what: "the top-up is booked",
    });
    const endpoints: Endpoint[] = [];
    for (const kind of ["all", "some"]) {
      const path = `${name}-${environment}-${kind}`.toLowerCase();
      const types = kind === "some" ? someTypes : undefined;
      const endpoint = await client.post("/webhook-endpoints", {
        url: `${world.sink.url}/${path}`,
        ...(types && { event_types: types }),
      });
      if (endpoint.status !== 201) throw new Error(`endpoint: ${endpoint.status} ${endpoint.text}`);
      endpoints.push({ name: path, id: endpoint.body.id, secret: endpoint.body.secret, types });
    }
    tenants.push({ partner: id, environment, key: keys[environment], endpoints });
  }
  return tenants;
}
