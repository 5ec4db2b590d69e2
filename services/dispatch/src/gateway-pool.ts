import { openSuppressed, type Suppressed } from "@heliograph/acceptance";
import { originOfLinks } from "@heliograph/api";
import type { Shard } from "@heliograph/contracts";
import {
  recordCallback,
  recordReceipts,
  type GatewayConfig,
  type GatewayTools,
  type Receipt,
} from "@heliograph/gateways";
import { type Alarm, createAlarm, messageOf, type ServiceContext } from "@heliograph/runtime";
import { announceTrouble } from "./announce.ts";
import { type Bucket, createBucket, noBucket } from "./bucket.ts";
import { createConnections, type Connections } from "./connections.ts";
import { publishHealth } from "./health.ts";
import { moverOf } from "./moves.ts";
import { createSharedBucket } from "./shared-bucket.ts";
import { openSharedRates } from "./shared-rates.ts";

/** What one dispatcher has of the gateways. */
export type GatewayUse = {
  readonly connections: Connections;
  /** A gateway will have room at this time, epoch ms. */
  roomAt(time: number): void;
  /** It has taken room: the others are told before it of the next. */
  took(): void;
  /** Early receipts of any dispatcher that are being recorded. */
  readonly receiptsInFlight: number;
  /** Gives them back; the last one out closes them. */
  release(): Promise<void>;
};

export type GatewayPool = {
  /**
   * `room` is told, users in turns, when a gateway may have become free, or its configuration changed. With `sharesRates`, copies of dispatch in other processes take from the same
   * rates: the tables of limits must be there.
   */
  use(
    context: ServiceContext,
    room: () => void,
    user?: { readonly shard?: Shard | undefined; readonly sharesRates?: boolean },
  ): GatewayUse;
};

type Shared = {
  readonly connections: Connections;
  readonly rooms: Set<() => void>;
  /** Of the users in this process. */
  readonly shards: Set<Shard>;
  readonly alarm: Alarm;
  receiptsInFlight: number;
  close(): Promise<void>;
};

/** Stores a receipt on the send path; rejects when it cannot be stored. */
const storeOf =
  ({ log, logger, clock }: ServiceContext) =>
  async (receipt: Receipt, partner: string): Promise<void> => {
    const stamp = clock.stamp(partner);
    const told = stamp?.at === undefined ? receipt : { ...receipt, occurred_at: stamp.at };
    try {
      await recordReceipts(log, [{ receipt: told, partner, ...stamp }]);
    } catch (error) {
      const { message_id: message } = receipt;
      logger.warn(
        { message, error: messageOf(error) },
        "a receipt on the send path was not recorded",
      );
      throw error;
    }
  };

/** Keeps what a provider tells over a gateway's own connection. */
const receiverOf =
  ({ log, vault }: ServiceContext): NonNullable<GatewayTools["received"]> =>
  ({ gateway, contentType, body }) => {
    const receivedAt = new Date().toISOString();
    const callback = { gateway, url: "", headers: {}, contentType, body, receivedAt };
    return recordCallback({ log, vault }, { ...callback, alwaysNew: true });
  };

const toolsOf = (
  context: ServiceContext,
  onReceipt: GatewayTools["onReceipt"],
  suppressed: Pick<Suppressed, "find">,
): GatewayTools => ({
  logger: context.logger,
  masterKey: context.masterKey,
  declaring: context.settings,
  onReceipt,
  onMoved: moverOf(context, suppressed),
  origin: originOfLinks(context.settings),
  received: receiverOf(context),
});

function open(context: ServiceContext, now: () => number, sharesRates: boolean): Shared {
  const { environment, settings, directory, logger } = context;
  const rooms = new Set<() => void>();
  const shards = new Set<Shard>();
  /** Who is told first may take all there is, so whoever took is told last. Turns by the count of tellings fell in step with calls that ended and left nothing to take. */
  const all = (): void => {
    for (const room of rooms) room();
  };
  const alarm = createAlarm(all, now);
  const store = storeOf(context);
  const onReceipt = async (receipt: Receipt, partner: string): Promise<void> => {
    opened.receiptsInFlight++;
    try {
      await store(receipt, partner);
    } finally {
      opened.receiptsInFlight--;
    }
  };
  const suppressed = openSuppressed(context, (error) =>
    logger.error({ err: error }, "the subscription to suppressions broke; it starts again"),
  );
  const rates = sharesRates ? openSharedRates(context) : undefined;
  const connections = createConnections({
    environment,
    bucketOf: (config) => bucketOf(config, rates, all, now),
    partOf: (calls) => partOf(calls, shards),
    retryScale: settings.retryScale,
    now,
    tools: toolsOf(context, onReceipt, suppressed),
    refused: (config, error) =>
      logger.error({ gateway: config.name, err: error }, "a gateway could not be opened or closed"),
  });
  const reconcile = (): void => reconciled(connections, context);
  reconcile();
  const unsubscribe = directory.onChange(() => {
    reconcile();
    all();
  });
  const health = tellHealth(context, connections, now);
  const opened: Shared = {
    connections: {
      ...connections,
      get all() {
        return connections.all;
      },
      released(connection) {
        connections.released(connection);
        // With one dispatcher it is the one that has just finished, and looks for itself.
        if (rooms.size > 1) all();
      },
    },
    rooms,
    shards,
    alarm,
    receiptsInFlight: 0,
    async close() {
      alarm.cancel();
      health.close();
      unsubscribe();
      await connections.close();
      await suppressed.release();
      await rates?.close();
    },
  };
  return opened;
}

/** Gateways and rules as they are now. */
const reconciled = (connections: Connections, { directory, environment }: ServiceContext): void =>
  connections.reconcile(
    directory.gateways(environment),
    directory.routing(environment),
    directory.senderRules(environment),
  );

/** In numbers that may be lost, and in the log where it changes. */
function tellHealth(
  context: ServiceContext,
  connections: Connections,
  now: () => number,
): { close(): void } {
  const { environment, projectionPool } = context;
  const numbers = publishHealth(connections, environment, projectionPool, now);
  const notices = announceTrouble(context, connections, now);
  return {
    close() {
      numbers.close();
      notices.close();
    },
  };
}

/** What keeps a gateway's rate: with other processes where rates are shared, else here. */
function bucketOf(
  { gateway_id, max_per_second: perSecond }: GatewayConfig,
  rates: ReturnType<typeof openSharedRates> | undefined,
  arrived: () => void,
  now: () => number,
): Bucket {
  if (perSecond === undefined) return noBucket;
  if (rates === undefined) return createBucket(perSecond, now());
  const name = `gateway ${gateway_id}`;
  const monotonic = (): number => performance.now();
  return createSharedBucket({ name, perSecond, limiter: rates.limiter, arrived, monotonic });
}

/**
 * Of so many calls at once those that are of these shards: every shard has its own, so that all processes together have as many as there are, and one that is gone leaves its part to
 * whoever takes its shards. At least one: with fewer calls than processes each may still make one.
 */
export function partOf(calls: number, shards: ReadonlySet<Shard>): number {
  if (shards.size === 0) return calls;
  let part = 0;
  for (const { index, count } of shards)
    part += Math.floor(((index + 1) * calls) / count) - Math.floor((index * calls) / count);
  return Math.max(1, part);
}

/**
 * The gateways of one environment in this process. The shards of the dispatcher share them: limits, breakers and statistics are a gateway's, not a shard's.
 * Where other processes have shards too, all of them share a gateway's rate, and each has the calls at once of its shards; breakers and statistics are each process's own.
 */
export function createGatewayPool(now: () => number = Date.now): GatewayPool {
  let shared: Shared | undefined;
  let users = 0;

  return {
    use(context, room, { shard, sharesRates = false } = {}) {
      shared ??= open(context, now, sharesRates);
      const mine = shared;
      users++;
      mine.rooms.add(room);
      if (shard !== undefined) mine.shards.add(shard);
      let released = false;
      return {
        connections: mine.connections,
        roomAt: (time) => mine.alarm.at(time),
        took() {
          if (mine.rooms.delete(room)) mine.rooms.add(room);
        },
        get receiptsInFlight() {
          return mine.receiptsInFlight;
        },
        async release() {
          if (released) return;
          released = true;
          mine.rooms.delete(room);
          if (shard !== undefined) mine.shards.delete(shard);
          if (--users > 0) return;
          shared = undefined;
          await mine.close();
        },
      };
    },
  };
}
