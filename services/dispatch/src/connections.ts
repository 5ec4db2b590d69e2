import type { Environment } from "@heliograph/contracts";
import {
  createGateway,
  kindOf,
  meansOf,
  needsNewConnection,
  paced,
  throughOf,
  type Carrier,
  type Gateway,
  type GatewayConfig,
  type GatewayTools,
} from "@heliograph/gateways";
import { FairQueue } from "@heliograph/log";
import type { RoutingRules, SenderRules } from "@heliograph/runtime";
import { activeTracing, tracedGateway } from "@heliograph/tracing";
import { alwaysClosed, createBreaker, type Breaker } from "./breaker.ts";
import { bucketOfBoth, type Bucket } from "./bucket.ts";
import type { Candidate } from "./choose.ts";
import { callMetrics } from "./metrics.ts";
import {
  type ChannelRules,
  type Routed,
  type RouteTo,
  routeOf,
  rulesByChannel,
  senderRefusal,
  takenThere,
} from "./routing.ts";
import { slowWords } from "./pace.ts";
import { createRest, type Rest, restWords } from "./rest.ts";
import { createStats, type Stats } from "./stats.ts";

/** Admitted calls of one gateway that have no outcome yet: what a crash may leave uncertain at most. */
const LARGEST_WINDOW = 1_024;
/** Calls are admitted ahead for about this long, so that the next group is ready when this one is done. */
const AHEAD_MS = 50;

/** A lane that waits for a place at a gateway, and where its dispatcher hears that it has one. */
export type Waiter = { readonly lane: string; readonly inbox: { put(place: Place): void } };
/** A place at the gateway is the lane's. */
export type Place = {
  readonly type: "place";
  readonly lane: string;
  readonly connection: Connection;
};

/** A gateway with everything that decides whether it may be used now. */
export type Connection = Candidate & {
  /** As it is here and now: of `max_concurrent` this process may have a part. */
  config: GatewayConfig;
  /** As it was given. */
  given: GatewayConfig;
  readonly gateway: Gateway;
  readonly breaker: Breaker;
  /** Whether its provider takes no more for now. */
  readonly rest: Rest;
  bucket: Bucket;
  readonly stats: Stats;
  readonly count: ReturnType<typeof callMetrics>;
  /** Admitted and without a recorded outcome. */
  open: number;
  /** Calls in flight, at most `max_concurrent`. */
  active: number;
  /** Lanes, of any dispatcher that uses it, whose next call waits for one of these to end; their partners share. */
  readonly blocked: FairQueue<Waiter>;
  /** When it will have room or health again, epoch ms; undefined when only a finished call makes room. */
  nextAt(): number | undefined;
};

export type Connections = {
  forChannel(channel: string): readonly Connection[];
  /** Where a message may go by the rules that are in force. */
  routeOf(message: Routed): RouteTo<Connection>;
  /** Why no gateway, connected or switched off, may carry a message with its sender to the recipient's country; undefined where one may. */
  senderRefusal(message: Routed): string | undefined;
  byName(name: string): Connection | undefined;
  /** What is done about a call whose outcome is not known: the careful choice when the gateway is gone. */
  policyOf(name: string): GatewayConfig["on_uncertain"];
  readonly all: readonly Connection[];
  /** Brings the connections in line with the configuration; what is no longer wanted closes once its calls are done. */
  reconcile(
    configs: readonly GatewayConfig[],
    rules: RoutingRules,
    senderRules?: SenderRules,
  ): void;
  /** A call of this connection has ended. */
  released(connection: Connection): void;
  close(): Promise<void>;
};

type Options = {
  readonly environment: Environment;
  readonly tools: GatewayTools;
  readonly retryScale: number;
  readonly now: () => number;
  /** What keeps a gateway's rate. */
  readonly bucketOf: (config: GatewayConfig) => Bucket;
  /** How many of so many calls at once are this process's now. */
  readonly partOf: (calls: number) => number;
  /** A gateway could not be opened, or not be closed. */
  readonly refused: (config: GatewayConfig, error: unknown) => void;
};

/** In force. */
type Rules = {
  readonly routing: ChannelRules;
  readonly senders: SenderRules;
  /** All gateways of a channel, be they switched on or not. */
  readonly configured: ReadonlyMap<string, readonly { readonly config: GatewayConfig }[]>;
};

const rulesInForce = (
  configs: readonly GatewayConfig[],
  routing: RoutingRules,
  senders: SenderRules,
): Rules => ({
  routing: rulesByChannel(routing, configs),
  senders,
  configured: Map.groupBy(
    configs.map((config) => ({ config })),
    ({ config }) => config.channel,
  ),
});

const refused = ({ routing, senders, configured }: Rules, message: Routed): string | undefined =>
  senderRefusal(routing, configured.get(message.channel) ?? [], message, senders);

const routed = (
  { routing, senders }: Rules,
  ofChannel: readonly Connection[],
  message: Routed,
): RouteTo<Connection> =>
  takenThere(routeOf(routing, ofChannel, message), message, senders, meansOf);

export function createConnections(given: Options): Connections {
  let all: Connection[] = [];
  let byChannel = new Map<string, Connection[]>();
  let rules = rulesInForce([], [], []);
  const retired = new Set<Connection>();
  const options = throughOthers(given, () => all, released);

  function open(config: GatewayConfig): Connection | undefined {
    try {
      const made = createGateway(options.environment, config, options.tools);
      const gateway = activeTracing() === undefined ? made : tracedGateway(made);
      gateway.listen?.();
      return newConnection(config, gateway, options);
    } catch (error) {
      options.refused(config, error);
      return undefined;
    }
  }
  function retire(connection: Connection): void {
    connection.bucket.close();
    if (connection.open > 0) retired.add(connection);
    else close(connection);
  }
  function close({ config, gateway }: Connection): void {
    gateway.close().catch((error: unknown) => options.refused(config, error));
  }
  function released(connection: Connection): void {
    if (connection.open === 0 && retired.delete(connection)) close(connection);
  }

  const byName = (name: string): Connection | undefined => all.find((each) => each.name === name);

  return {
    forChannel: (channel) => byChannel.get(channel) ?? [],
    byName,
    policyOf: (name) => byName(name)?.config.on_uncertain ?? "at_most_once",
    get all() {
      return all;
    },
    routeOf: (message) => routed(rules, byChannel.get(message.channel) ?? [], message),
    senderRefusal: (message) => refused(rules, message),
    reconcile(configs, routing, senders = []) {
      rules = rulesInForce(configs, routing, senders);
      const before = new Map(all.map((connection) => [connection.name, connection]));
      all = [];
      for (const config of configs.map(paced)) {
        if (!config.enabled) continue;
        const known = before.get(config.name);
        if (known !== undefined && !needsNewConnection(known.given, config)) {
          reconfigure(known, config, options);
          before.delete(config.name);
          all.push(known);
          continue;
        }
        const connection = open(config);
        if (connection !== undefined) all.push(connection);
      }
      for (const connection of before.values()) retire(connection);
      byChannel = Map.groupBy(all, ({ config }) => config.channel);
    },
    released,
    async close() {
      for (const { bucket } of all) bucket.close();
      await Promise.all([...all, ...retired].map(({ gateway }) => gateway.close()));
      all = [];
      byChannel.clear();
      retired.clear();
    },
  };
}

/** With the ways through other gateways: a permit is taken there too, and what goes through one counts as its own call, so that it closes after it. */
const throughOthers = (
  options: Options,
  all: () => readonly Connection[],
  released: (connection: Connection) => void,
): Options => ({
  ...options,
  tools: {
    ...options.tools,
    carrier(id) {
      const connection = withId(all(), id);
      return connection && carrierOver(connection, released);
    },
  },
  bucketOf(config) {
    const own = options.bucketOf(config);
    const through = throughOf(config);
    return through === undefined
      ? own
      : bucketOfBoth(own, () => withId(all(), through.gateway)?.bucket);
  },
});

const withId = (all: readonly Connection[], id: string): Connection | undefined =>
  all.find(({ given }) => given.gateway_id === id);

const carrierOver = (
  connection: Connection,
  released: (connection: Connection) => void,
): Carrier => ({
  async send(attempt, signal) {
    connection.open++;
    try {
      return await connection.gateway.send(attempt, signal);
    } finally {
      connection.open--;
      released(connection);
    }
  },
});

/** What can change without a new connection does. */
function reconfigure(known: Connection, config: GatewayConfig, options: Options): void {
  if (known.given.max_per_second !== config.max_per_second) {
    known.bucket.close();
    known.bucket = options.bucketOf(config);
  }
  known.given = config;
  known.config = configHere(config, options);
}

const configHere = (config: GatewayConfig, { partOf }: Options): GatewayConfig => ({
  ...config,
  get max_concurrent() {
    return partOf(config.max_concurrent);
  },
});

/** As many calls are admitted and not ended as there may be. */
function hasNoPlace({ config, stats, open }: Connection): boolean {
  const ahead = Math.min(64, Math.max(1, AHEAD_MS / stats.medianMs));
  return open >= Math.min(LARGEST_WINDOW, config.max_concurrent * ahead);
}

function newConnection(config: GatewayConfig, gateway: Gateway, options: Options): Connection {
  const { environment, retryScale, now, bucketOf } = options;
  const stats = createStats();
  const breaker = kindOf(config).hasBreaker ? createBreaker(retryScale) : alwaysClosed;
  const connection: Connection = {
    config: configHere(config, options),
    given: config,
    gateway,
    stats,
    count: callMetrics(environment, config.name),
    breaker,
    rest: createRest(retryScale),
    bucket: bucketOf(config),
    open: 0,
    active: 0,
    blocked: new FairQueue(),
    name: config.name,
    get weight() {
      return connection.config.weight;
    },
    get cost() {
      return connection.config.cost;
    },
    get unhealthy() {
      const until = connection.rest.until(now());
      if (until !== undefined) return restWords(until);
      return breaker.admits(now())
        ? undefined
        : `its circuit breaker is ${breaker.state(now()).replace("_", " ")}`;
    },
    get slow() {
      const slow = breaker.slow(now());
      return slow && slowWords(slow);
    },
    get full() {
      return hasNoPlace(connection) || !connection.bucket.has(now());
    },
    get asking() {
      return !hasNoPlace(connection) && connection.bucket.asking;
    },
    nextAt() {
      const at = now();
      const restsUntil = connection.rest.until(at);
      if (restsUntil !== undefined) return Math.max(restsUntil, breaker.opensAt);
      if (!breaker.admits(at)) return breaker.opensAt > at ? breaker.opensAt : undefined;
      const token = connection.bucket.nextAt(at);
      return token > at ? token : undefined;
    },
  };
  return connection;
}
