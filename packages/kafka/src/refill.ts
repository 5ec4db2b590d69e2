import type { Environment } from "@heliograph/contracts";
import type { EventLog } from "@heliograph/log";
import { fixedShards, type KafkaSettings } from "@heliograph/runtime";
import type pg from "pg";
import type { Logger } from "pino";
import { readChain } from "./tables/chain.ts";
import { kafkaClient } from "./client.ts";
import { openPublisher, recordParts } from "./publisher.ts";
import { encodeRecord, placeOf, type Chain } from "./record.ts";
import { ensureTopics, logTopic, logTopics, withAdmin } from "./topics.ts";

const readAtOnce = 2_000;

export type RefillOptions = {
  readonly settings: KafkaSettings;
  readonly environment: Environment;
  readonly log: EventLog;
  /** The environment's database, where the relay notes what it has published. */
  readonly pool: pg.Pool;
  readonly logger: Logger;
  /** Events after this position are published; 0n is before all. */
  readonly after: bigint;
  /** Up to and including this one; left out, or beyond the relay, up to what the relay has published. */
  readonly to?: bigint | undefined;
  /** Ends the work between two requests. */
  readonly signal: AbortSignal;
  /** Called after each request: events published and how many there are, an estimate where positions are not dense. */
  readonly onProgress?: (published: number, total: number) => void;
};

/** How many events were published, and the position of the last one. */
export type Refilled = { readonly events: number; readonly position: bigint };

/**
 * Publishes a part of the log to its topic again: for an operator's own readers of the topic, internal though it is, which have nothing else when records were lost. Our own
 * consumers read what is missing from the log and pass over what comes again. The relay goes on meanwhile.
 *
 * @throws Error when no relay has run in the environment, what the client throws when the brokers are away, and the signal's reason.
 */
export async function refillTopic(options: RefillOptions): Promise<Refilled> {
  const { settings, environment, log, pool, logger, signal } = options;
  const shards = await fixedShards(pool);
  if (shards === undefined)
    throw new Error(`no relay has run in ${environment}: there is nothing to publish again`);
  const { last } = await readChain(pool);
  const to = options.to === undefined || options.to > last ? last : options.to;
  const total = log.span(options.after, to);
  // What comes before the first records is not known here. A predecessor that is too late is safe: a reader finds a hole where there may be none.
  const chain: Chain = {
    last: options.after,
    shards: new Map(Array.from({ length: shards }, (_, shard) => [shard, options.after])),
  };
  const topic = logTopic(environment);
  const kafka = kafkaClient(settings, `heliograph.${environment}.refill`, logger);
  await withAdmin(kafka, (admin) => ensureTopics(admin, logTopics(settings, environment)));
  const publisher = await openPublisher(kafka, placeOf, "zstd");
  let events = 0;
  let read = options.after;
  try {
    while (read < to) {
      const page = await log.readAll({ after: read, limit: readAtOnce });
      if (page.position <= read) break;
      read = page.position;
      const wanted = page.events.filter(({ position }) => position <= to);
      const messages = wanted.map((event) => encodeRecord(event, shards, chain));
      for (const part of recordParts(messages)) {
        signal.throwIfAborted();
        await publisher.send([{ topic, messages: [...part] }]);
        events += part.length;
        options.onProgress?.(events, total);
      }
    }
    return { events, position: chain.last };
  } finally {
    await publisher.close();
  }
}
