import type { Kafka, Message, Producer } from "kafkajs";
import { compressionOf, type Packing } from "./compression.ts";

/** A producer that keeps order: idempotent, every copy acknowledged, one request in flight. */
export type Publisher = {
  /**
   * Publishes records in their order per partition; resolves when all are on every copy that is in sync.
   *
   * @throws what the client throws after its own retries; then some may have been published.
   */
  send(
    topicMessages: readonly { readonly topic: string; readonly messages: Message[] }[],
  ): Promise<void>;
  close(): Promise<void>;
};

/** New partitions are noticed after so long. */
const metadataMaxAgeMs = 10_000;

/**
 * Connects a producer. A record goes to the partition that `place` gives, modulo the partitions that the topic has now; every record of one key must get the same
 * number, for its order's sake.
 */
export async function openPublisher(
  kafka: Kafka,
  place: (message: Message) => number,
  packing: Packing,
): Promise<Publisher> {
  const producer: Producer = kafka.producer({
    idempotent: true,
    maxInFlightRequests: 1,
    metadataMaxAge: metadataMaxAgeMs,
    // The library wants to go on for ever with an idempotent producer; the caller starts again with a new one instead.
    retry: { initialRetryTime: 100, maxRetryTime: 2_000, retries: 6 },
    createPartitioner:
      () =>
      ({ partitionMetadata, message }) =>
        place(message) % partitionMetadata.length,
  });
  await producer.connect();
  let last: Promise<unknown> = Promise.resolve();
  return {
    // Requests of an idempotent producer must not overtake each other: their sequence numbers would not join up.
    send(topicMessages) {
      const sent = last.then(() =>
        producer.sendBatch({
          topicMessages: [...topicMessages],
          acks: -1,
          timeout: 10_000,
          compression: compressionOf(packing, topicMessages),
        }),
      );
      last = sent.catch(() => undefined);
      return sent.then(() => undefined);
    },
    close: () => producer.disconnect(),
  };
}

/** What a request carries at most, so that a record batch stays below the topic's largest even when all is of one partition; one event may be 3 MiB in UTF-8. */
const mostBytes = 1_048_576;
/** Ten headers with their names, a key, the framing: 350 bytes for ordinary names. */
const headBytes = 400;

/** Cuts records into requests of at most 1 MiB, or of one record that is larger. */
export function recordParts<Record extends Pick<Message, "value">>(
  messages: readonly Record[],
): readonly (readonly Record[])[] {
  const parts: Record[][] = [];
  let bytes = mostBytes;
  for (const message of messages) {
    const size = Buffer.byteLength(message.value ?? "") + headBytes;
    if (bytes + size > mostBytes) {
      parts.push([]);
      bytes = 0;
    }
    bytes += size;
    parts.at(-1)!.push(message);
  }
  return parts;
}
