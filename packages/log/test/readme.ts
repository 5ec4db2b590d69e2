// What the README shows, compiled.
import { openPostgresLog, type Metadata } from "../src/index.ts";

export async function example(
  connectionString: string,
  stream: string,
  id: string,
  data: object,
  metadata: Metadata,
  handle: (keyId: string) => Promise<void>,
  signal: AbortSignal,
) {
  let checkpoint = 0n;
  const log = await openPostgresLog({ connection: { connectionString }, namespace: "live" });

  const event = { id, type: "KeyRevoked", data, metadata };
  const [outcome] = await log.append([{ stream, expected: "no_stream", events: [event] }]);
  // appended | duplicate { revision, position } · conflict { actual } · invalid { message }; throws LogUnavailable

  for await (const batch of log.subscribe({ after: checkpoint, types: ["KeyRevoked"], signal })) {
    for (const { data } of batch.events) await handle(data.key_id); // the types tell what the data are
    checkpoint = batch.position; // the last position looked at, whether or not it matched
  }
  return outcome;
}
