import type { Instance } from "@heliograph/testkit";
import pg from "pg";
import { exampleBody } from "./http.ts";
import { drive, postRequest, type LoadResult } from "./load.ts";

/** Posts the example from 64 connections: as fast as they are answered, or at a rate. */
export const postMessages = (
  instance: Instance,
  durationMs: number,
  ratePerSecond?: number,
): Promise<LoadResult> =>
  drive(
    {
      host: "127.0.0.1",
      port: instance.port,
      connections: 64,
      request: () =>
        postRequest(
          "127.0.0.1",
          "/api/v1/messages",
          { authorization: `Bearer ${instance.sandboxKey}` },
          exampleBody,
        ),
    },
    { durationMs, ...(ratePerSecond === undefined ? {} : { ratePerSecond }) },
  );

/** The database of an environment on the server that an instance uses. */
export async function connectTo(
  databaseUrl: string,
  environment: "live" | "sandbox",
): Promise<pg.Client> {
  const client = new pg.Client({
    connectionString: databaseUrl.replace(/\/[^/]*$/, `/heliograph_${environment}`),
  });
  await client.connect();
  return client;
}

export async function headOf(database: pg.Client): Promise<string> {
  const { rows } = await database.query(
    "select coalesce(max(position), 0)::text as position from log.events",
  );
  return rows[0].position as string;
}

/** From the record of the request to the record of the sending, the provider's call included, of what was sent after a position; ms. */
export async function acceptToCall(
  database: pg.Client,
  after: string,
): Promise<{ readonly p50: number; readonly p99: number; readonly messages: number }> {
  const { rows } = await database.query(
    `select percentile_cont(array[0.5, 0.99]) within group (order by sent.recorded_at - requested.recorded_at) as ms, count(*)::int as messages from log.events sent
     join log.events requested on requested.stream = sent.stream and requested.revision = 0 where sent.type = 'MessageSent' and sent.position > $1`,
    [after],
  );
  const [p50, p99] = rows[0].ms as [number, number];
  return { p50, p99, messages: rows[0].messages as number };
}

/** How many events of a type there are after a position. */
export async function countOf(database: pg.Client, type: string, after: string): Promise<number> {
  const { rows } = await database.query(
    "select count(*)::int as count from log.events where type = $1 and position > $2",
    [type, after],
  );
  return rows[0].count as number;
}

export type Sent = { readonly requestedAt: number; readonly sentAt: number };

/** When each message that was requested after a position was stored, and its sending; epoch ms. */
export async function requestedAndSent(database: pg.Client, after: string): Promise<Sent[]> {
  const { rows } = await database.query(
    `select requested.recorded_at::float8 as "requestedAt", sent.recorded_at::float8 as "sentAt" from log.events requested join log.events sent on sent.stream = requested.stream and sent.type = 'MessageSent'
     where requested.type = 'MessageRequested' and requested.position > $1`,
    [after],
  );
  return rows;
}

/** The same of each message, ms, of what was requested after a position. */
export async function acceptTimes(database: pg.Client, after: string): Promise<number[]> {
  const messages = await requestedAndSent(database, after);
  return messages.map(({ requestedAt, sentAt }) => sentAt - requestedAt);
}
