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
  } catch {
    throw new InvalidConnectionString();
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

/** gRPC wraps what the network said: `14 UNAVAILABLE: No connection established. Last error: Error: connect ECONNREFUSED ::1:2113. Resolution note: `. */
const plain = (text: string): string =>
  /Last error: (?:Error: )?(.*?)\. Resolution note:/s.exec(text)?.[1] ?? text;

/** An error as callers hear of it. One that comes from a read says nothing of the append that it was to confirm: `outcomeUnknown` is kept, or added. */
export function unavailable(error: unknown, outcomeUnknown = false): LogUnavailable {
  if (!(error instanceof LogUnavailable)) {
    const text = error instanceof Error ? error.message || error.name : String(error);
    return new LogUnavailable(`EventStoreDB: ${plain(text)}`, { outcomeUnknown, cause: error });
  }
  if (error.outcomeUnknown || !outcomeUnknown) return error;
  const { message, retryAfterMs } = error;
  return new LogUnavailable(message, { retryAfterMs, outcomeUnknown, cause: error });
}
