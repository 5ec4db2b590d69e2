import pg from "pg";
import { CopyRefused, type CopySide, type CopySource, type CopyTarget } from "../copy/types.ts";
import type { Position, RecordedEvent } from "../types.ts";
import { CHAINED_COLUMNS, linkOfArrays } from "./chain.ts";
import { clientConfig } from "./connection.ts";
import { COPY_APPLICATION, openCopyGuard } from "./copy-guard.ts";
import { makeReader } from "./reader.ts";
import { DEFAULT_READS } from "../stream-reads.ts";
import { migrate } from "./schema.ts";

export type PostgresCopyOptions = {
  /** The database of this namespace. */
  readonly connection: pg.PoolConfig;
  readonly namespace: string;
  /** The folder of archived events, where there are some. */
  readonly archiveDir?: string | undefined;
};

export type PostgresCopySource = CopySide & { readonly log: CopySource };

/** A page of the largest events is read and written in seconds on a slow disk. */
const STATEMENT_TIMEOUT_MS = 120_000;

const arrays: Readonly<Record<(typeof CHAINED_COLUMNS)[number], string>> = {
  position: "$4::bigint[]",
  stream: "$5::text[]",
  revision: "$6::integer[]",
  id: "$7::uuid[]",
  type: "$8::text[]",
  version: "$9::smallint[]",
  recorded_at: "$10::bigint[]",
  data: "$11::text[]",
  metadata: "$12::text[]",
};

/** The end of the target and its events move together: a copy that is cut off leaves a log that is whole up to its head. A page is a link of the target's own chain. */
const WRITE = `with moved as (
    update log.head h set position = $2, sealed = $2, copied = case when $3::boolean then $2::bigint else h.copied end,
      chain = ${linkOfArrays("h.chain", (name) => arrays[name])}
     where h.position = $1 and h.sealed = h.position returning h.position, h.chain
  )
  insert into log.events (${CHAINED_COLUMNS.join(", ")}, chain)
  select e.*, case when e.position = moved.position then moved.chain end
    from moved cross join unnest(${CHAINED_COLUMNS.map((name) => arrays[name]).join(", ")}) as e (${CHAINED_COLUMNS.join(", ")})`;

const FINISH =
  "update log.head set position = $2, copied = $2, sealed = $2 where position = $1 and sealed = position";
const TAIL = `select e.position from log.events e order by e.position desc offset $1 limit 1`;

/**
 * Opens a log to copy from. Throws CopyRefused when there is none, another copy is at work, or services use it and
 * `servicesMayRun` is not set: reading does them no harm, but what they append is not in the copy.
 */
export async function openPostgresCopySource(
  options: PostgresCopyOptions & { readonly servicesMayRun?: boolean },
): Promise<PostgresCopySource> {
  return open(options, async (client) => {
    const { rows } = await client.query("select to_regclass('log.head') as head");
    if (rows[0].head === null)
      throw new CopyRefused(`${options.namespace}: there is no log in ${client.database}`);
  });
}

/** Opens a log to copy to, and makes it when there is none. Throws CopyRefused when services use it or another copy is at work. */
export async function openPostgresCopyTarget(
  options: PostgresCopyOptions,
): Promise<CopyTarget & CopySide> {
  const side = await open(options, async () => undefined);
  const { client } = side;
  let head = await side.log.head();

  async function moveHead(text: string, values: readonly unknown[], to: Position): Promise<void> {
    const { rowCount } = await client.query(text, [head.toString(), to.toString(), ...values]);
    if (rowCount === 0)
      throw new CopyRefused(
        `${options.namespace}: something else appended to ${client.database} during the copy`,
      );
    head = to;
  }

  return {
    log: side.log,
    assertQuiet: side.assertQuiet,
    close: side.close,
    async tail(limit) {
      const { rows } = await client.query(TAIL, [limit]);
      const after = BigInt(rows[0]?.position ?? 0);
      const events: RecordedEvent[] = [];
      // What is large comes in several pages.
      for (let from = after; from < head;) {
        const page = await side.log.readAll({ after: from, limit });
        events.push(...page.events);
        from = page.position;
      }
      return { after, events, end: head };
    },
    async write(events) {
      const last = events.at(-1)!.position;
      const holes = last - head !== BigInt(events.length);
      await moveHead(WRITE, [holes, ...columnsOf(events)], last);
    },
    async finish(position) {
      // Some drivers' heads lie beyond their last event, and checkpoints with them: nothing may be appended below.
      if (position > head) await moveHead(FINISH, [], position);
    },
  };
}

async function open(
  {
    connection,
    namespace,
    archiveDir,
    servicesMayRun = false,
  }: PostgresCopyOptions & { readonly servicesMayRun?: boolean },
  prepare: (client: pg.Client) => Promise<void>,
): Promise<PostgresCopySource & { readonly client: pg.Client }> {
  const config = { ...connection, statement_timeout: STATEMENT_TIMEOUT_MS };
  const guard = await openCopyGuard(config, namespace);
  try {
    if (!servicesMayRun) await guard.assertQuiet();
    await prepare(guard.client);
    await migrate(guard.client);
  } catch (error) {
    await guard.close();
    throw error;
  }
  const pool = new pg.Pool({
    ...config,
    ...clientConfig(config, `${COPY_APPLICATION} ${namespace}`),
    max: 2,
  });
  // An idle connection that ends is replaced by the next read.
  pool.on("error", () => {});
  pool.on("connect", (client) => client.on("error", () => {}));
  const { readAll, head } = makeReader(pool, undefined, DEFAULT_READS, archiveDir);
  return {
    log: { readAll, head },
    client: guard.client,
    assertQuiet: guard.assertQuiet,
    async close() {
      await pool.end();
      await guard.close();
    },
  };
}

function columnsOf(events: readonly RecordedEvent[]): unknown[] {
  return [
    events.map((event) => event.position.toString()),
    events.map((event) => event.stream),
    events.map((event) => event.revision),
    events.map((event) => event.id),
    events.map((event) => event.type),
    events.map((event) => event.version),
    events.map((event) => event.recordedAt),
    events.map((event) => JSON.stringify(event.data)),
    events.map((event) => JSON.stringify(event.metadata)),
  ];
}
