import type { EventStoreDouble } from "@heliograph/testkit/eventstore";
import pg from "pg";
import type { World } from "./world.ts";

/** An event as the log has it: the table's row, or the server's record. */
export type Stored = {
  readonly position: number;
  readonly stream: string;
  readonly revision: number;
  readonly id: string;
  readonly type: string;
  // oxlint-disable-next-line typescript/no-explicit-any -- the checker looks at every type
  readonly data: any;
  readonly metadata: { readonly partner?: string; readonly causation?: string };
};

export type Environment = "live" | "sandbox";

export const databaseUrlOf = (databaseUrl: string, environment: Environment): string => {
  const url = new URL(databaseUrl);
  url.pathname = `/heliograph_${environment}`;
  return url.toString();
};

/** Runs a query on a connection of its own: faults cut connections, so none is kept. */
export async function query(
  databaseUrl: string,
  environment: Environment,
  text: string,
  values: unknown[] = [],
): Promise<pg.QueryResult["rows"]> {
  const client = new pg.Client({
    connectionString: databaseUrlOf(databaseUrl, environment),
    connectionTimeoutMillis: 5_000,
  });
  client.on("error", () => undefined);
  await client.connect();
  try {
    return (await client.query(text, values)).rows;
  } finally {
    await client.end().catch(() => undefined);
  }
}

/** What the log and the read models are asked through. */
type Source = Pick<World, "instance" | "eventStore">;

/** The log of an environment, past the product's own reader; whole, or without the events of one partner. */
export async function readLog(
  world: Source,
  environment: Environment,
  but?: string,
): Promise<readonly Stored[]> {
  if (world.eventStore !== undefined)
    return recordsOf(world.eventStore, environment).filter(
      ({ metadata }) => but === undefined || metadata.partner !== but,
    );
  const rows = await query(
    world.instance.databaseUrl,
    environment,
    "select position::int, stream, revision, id::text, type, data, metadata from log.events where $1::text is null or position($1 in metadata) = 0 order by position",
    [but ?? null],
  );
  return rows.map(
    (row) => ({ ...row, data: JSON.parse(row.data), metadata: JSON.parse(row.metadata) }) as Stored,
  );
}

/** Positions there are the places of bytes in the one log of all namespaces: they grow, with gaps. */
function recordsOf(double: EventStoreDouble, environment: Environment): readonly Stored[] {
  const prefix = `${environment}.`;
  const parse = (bytes: Uint8Array) => JSON.parse(Buffer.from(bytes).toString("utf8"));
  return double
    .events()
    .filter(({ stream }) => stream.startsWith(prefix))
    .map(({ position, stream, revision, id, type, data, metadata }) => ({
      position: Number(position),
      stream: stream.slice(prefix.length),
      revision,
      id,
      type,
      data: parse(data),
      metadata: parse(metadata),
    }));
}

/** A partner's events by type. */
export async function countsOf(
  world: Source,
  environment: Environment,
  partner: string,
): Promise<ReadonlyMap<string, number>> {
  const counts = new Map<string, number>();
  if (world.eventStore === undefined) {
    const rows = await query(
      world.instance.databaseUrl,
      environment,
      "select type, count(*)::int as count from log.events where position($1 in metadata) > 0 group by type",
      [partner],
    );
    for (const row of rows) counts.set(row.type as string, row.count as number);
    return counts;
  }
  for (const { stream, type, metadata } of world.eventStore.events())
    if (stream.startsWith(`${environment}.`) && Buffer.from(metadata).includes(partner))
      counts.set(type, (counts.get(type) ?? 0) + 1);
  return counts;
}

/** What an environment still has to do; nothing of it is left when it has come to rest. */
export async function unfinished(
  world: Source,
  environment: Environment,
): Promise<{ readonly head: string; readonly left: string }> {
  const { eventStore, instance } = world;
  const [row] = await query(
    instance.databaseUrl,
    environment,
    `select (select count(*)::int from dispatch.timers) as timers, (select count(*)::int from dispatch.intents) as intents,
    (select count(*)::int from webhooks.deliveries where status = 'pending') as webhooks`,
  );
  const left = Object.entries(row)
    .filter(([, count]) => count !== 0)
    .map(([name, count]) => `${String(count)} ${name}`);
  const head =
    eventStore === undefined
      ? await query(instance.databaseUrl, environment, "select position::text from log.head").then(
          ([{ position }]) => position as string,
        )
      : String(eventStore.records.length);
  return { head, left: left.join(", ") };
}

/** Some deliveries that wait, for the message of a run that does not come to rest. */
export async function pendingSample(
  databaseUrl: string,
  environment: Environment,
): Promise<readonly string[]> {
  const rows = await query(
    databaseUrl,
    environment,
    `select endpoint_id, count(*)::int as count, min(next_attempt_at) as first, max(attempts) as attempts from webhooks.deliveries where status = 'pending' group by 1`,
  );
  return rows.map(
    (row) =>
      `${row.endpoint_id}: ${row.count}, due ${Math.round(Date.now() - Number(row.first))} ms ago, ${String(row.attempts).slice(0, 300)}`,
  );
}
