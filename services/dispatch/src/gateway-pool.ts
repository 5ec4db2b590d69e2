import { recordReceipts, type Receipt } from "@heliograph/gateways";
import { messageOf, type ServiceContext, createAlarm, type Alarm } from "@heliograph/runtime";
import { createConnections, type Connections } from "./connections.ts";
import { publishHealth } from "./health.ts";

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
  /** `room` is told, users in turns, when a gateway may have become free, or its configuration changed. */
  use(context: ServiceContext, room: () => void): GatewayUse;
};

type Shared = {
  readonly connections: Connections;
  readonly rooms: Set<() => void>;
  readonly alarm: Alarm;
  receiptsInFlight: number;
  close(): Promise<void>;
};

function open(context: ServiceContext, now: () => number): Shared {
  const { environment, settings, directory, log, logger, masterKey, projectionPool, clock } =
    context;
  const rooms = new Set<() => void>();
  /** Who is told first may take all there is, so whoever took is told last. Turns by the count of tellings fell in step with calls that ended and left nothing to take. */
  const all = (): void => {
    for (const room of rooms) room();
  };
  const alarm = createAlarm(all, now);
  /** A receipt on the send path; one that is lost here comes again after the answer. */
  const onReceipt = (receipt: Receipt, partner: string): void => {
    opened.receiptsInFlight++;
    const stamp = clock.stamp(partner);
    const told = stamp?.at === undefined ? receipt : { ...receipt, occurred_at: stamp.at };
    recordReceipts(log, [{ receipt: told, partner, ...stamp }])
      .catch((error: unknown) =>
        logger.warn(
          { message: receipt.message_id, error: messageOf(error) },
          "an early receipt was not recorded",
        ),
      )
      .finally(() => opened.receiptsInFlight--);
  };
  const connections = createConnections({
    environment,
    retryScale: settings.retryScale,
    now,
    tools: { logger, masterKey, declaring: settings, onReceipt },
    refused: (config, error) =>
      logger.error({ gateway: config.name, err: error }, "a gateway could not be opened or closed"),
  });
  const reconcile = (): void =>
    connections.reconcile(directory.gateways(environment), directory.routing(environment));
  reconcile();
  const unsubscribe = directory.onChange(() => {
    reconcile();
    all();
  });
  const health = publishHealth(connections, environment, projectionPool, now);
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
    alarm,
    receiptsInFlight: 0,
    async close() {
      alarm.cancel();
      health.close();
      unsubscribe();
      await connections.close();
    },
  };
  return opened;
}

/**
 * The gateways of one environment in this process. The shards of the dispatcher share them: limits, breakers and statistics are a gateway's, not a shard's.
 * Several processes know nothing of each other: each keeps a gateway's limits for itself.
 */
export function createGatewayPool(now: () => number = Date.now): GatewayPool {
  let shared: Shared | undefined;
  let users = 0;

  return {
    use(context, room) {
      shared ??= open(context, now);
      const mine = shared;
      users++;
      mine.rooms.add(room);
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
          if (--users > 0) return;
          shared = undefined;
          await mine.close();
        },
      };
    },
  };
}
