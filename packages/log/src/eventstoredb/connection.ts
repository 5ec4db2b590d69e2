import { EventStoreDBClient } from "@eventstore/db-client";
import { LogUnavailable } from "../types.ts";
import { InvalidConnectionString } from "./invalid-connection-string.ts";

/** A question that takes longer is asked again, of another node perhaps. */
export const callTimeoutMs = 3_000;

/**
 * Connects (when first used) to the node or cluster of a connection string; credentials, TLS and discovery are told there.
 *
 * @throws InvalidConnectionString when the client cannot read it.
 */
export function connectEventStore(connectionString: string): EventStoreDBClient {
  try {
    return EventStoreDBClient.connectionString(connectionString);
  } catch (error) {
    // What the client says may quote the password.
    throw new InvalidConnectionString(error);
  }
}

/** Ends what is under way and the connection, which the client itself would leave open. */
export async function disconnect(client: EventStoreDBClient): Promise<void> {
  const inner = client as unknown as { getChannel(): Promise<{ close(): void }> };
  const closed = inner.getChannel().then((channel) => channel.close());
  // A cluster that does not answer is looked for so long that nobody waits for it.
  await within(closed, callTimeoutMs).catch(() => undefined);
}

/** Rejects when the work takes longer. The client's own deadline is for the server to keep as well, and begins only when a node has been found; this one is ours alone. */
export function within<T>(work: Promise<T>, ms: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${ms} ms`)), ms);
  });
  return Promise.race([work, late]).finally(() => clearTimeout(timer));
}

export const unavailable = (error: unknown, outcomeUnknown = false): LogUnavailable =>
  error instanceof LogUnavailable
    ? error
    : new LogUnavailable(
        `EventStoreDB: ${error instanceof Error ? error.message || error.name : String(error)}`,
        { outcomeUnknown, cause: error },
      );
