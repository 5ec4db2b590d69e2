import { readFileSync } from "node:fs";
import type { KafkaSettings } from "@heliograph/runtime";
import type { Kafka, KafkaConfig, LogEntry, SASLOptions } from "kafkajs";
import type { Logger } from "pino";
import { kafkaLibrary } from "./library.ts";

// Partitions are chosen here, never by the library.
process.env["KAFKAJS_NO_PARTITIONER_WARNING"] = "1";

/** What a cluster says while it starts, elects or rebalances: the client tries again by itself. */
const passing =
  /coordinator is (loading|not)|not the correct coordinator|rebalanc|leader|not aware of this member|Connection error|Connection timeout|Request Produce|Request Fetch|The replica is not available|does not host this topic-partition|Broker not connected|Closed connection|Topic creation errors|Limiting retries for the idempotent producer/i;

const connectionTimeoutMs = 3_000;
/** Longer than the longest poll of a fetch, which is 5 s. */
const requestTimeoutMs = 15_000;

/**
 * A client of the cluster that the settings name. Its own retries are few: who uses it decides how long to go on. Its log goes to ours, with what passes by
 * itself at level debug.
 *
 * @throws Error when the authority's file cannot be read.
 */
export function kafkaClient(settings: KafkaSettings, clientId: string, logger: Logger): Kafka {
  const { Kafka, logLevel } = kafkaLibrary();
  const config: KafkaConfig = {
    clientId,
    brokers: [...settings.brokers],
    connectionTimeout: connectionTimeoutMs,
    requestTimeout: requestTimeoutMs,
    enforceRequestTimeout: true,
    retry: { initialRetryTime: 100, maxRetryTime: 2_000, retries: 4 },
    logLevel: logLevel.WARN,
    logCreator: () => (entry) => write(logger, entry),
    ...(settings.tls && {
      ssl: settings.caFile === undefined ? true : { ca: readFileSync(settings.caFile, "utf8") },
    }),
    // The library's type has a member per mechanism, ours one for all three.
    ...(settings.sasl && { sasl: settings.sasl as SASLOptions }),
  };
  return new Kafka(config);
}

function write(logger: Logger, { level, log }: LogEntry): void {
  const text = [log.message, log["error"]].filter((part) => typeof part === "string").join(": ");
  const rest = { client: "kafka", broker: log["broker"], group: log["groupId"] };
  if (level > kafkaLibrary().logLevel.WARN || passing.test(text)) logger.debug(rest, text);
  else logger.warn(rest, text);
}
