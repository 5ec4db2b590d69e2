import { maskSecrets } from "@heliograph/contracts";
import type { RecordedEvent } from "@heliograph/log";
import type pg from "pg";

export type DeadLetter = {
  readonly id: string;
  readonly consumer: string;
  readonly position: string;
  readonly event_id: string;
  readonly event_type: string;
  readonly reason: string;
  readonly status: "open" | "retry" | "resolved";
  readonly attempts: number;
  readonly created_at: string;
};

/** A reason is for people; a stack or a dump would be none. */
const maxReasonChars = 2_000;
const shownReason = (reason: string): string => maskSecrets(reason).slice(0, maxReasonChars);

/** Sets an event aside that a consumer cannot handle; the consumer moves on. */
export async function quarantine(
  pool: pg.Pool,
  consumer: string,
  event: RecordedEvent,
  reason: string,
): Promise<void> {
  await pool.query(
    `insert into runtime.dead_letters (consumer, position, event_id, event_type, reason) values ($1, $2, $3, $4, $5)
     on conflict (consumer, position) do update set reason = excluded.reason, status = 'open', attempts = dead_letters.attempts + 1, updated_at = now()`,
    [consumer, event.position, event.id, event.type, shownReason(reason)],
  );
}

const columns = `id::text, consumer, position::text, event_id::text, event_type, reason, status, attempts, to_char(created_at at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') as created_at`;

/** Newest first; `before` is the id of the last one seen. */
export async function listDeadLetters(
  pool: pg.Pool,
  options: { limit: number; before?: string; status?: string },
): Promise<readonly DeadLetter[]> {
  const { rows } = await pool.query(
    `select ${columns} from runtime.dead_letters where ($1::bigint is null or id < $1) and ($2::text is null or status = $2) order by dead_letters.id desc limit $3`,
    [options.before ?? null, options.status ?? null, options.limit],
  );
  return rows as DeadLetter[];
}

/** Asks the consumer to handle it again; false when there is no such open dead letter. */
export async function retryDeadLetter(pool: pg.Pool, id: string): Promise<boolean> {
  const { rowCount } = await pool.query(
    "update runtime.dead_letters set status = 'retry', updated_at = now() where id = $1 and status <> 'resolved'",
    [id],
  );
  return rowCount === 1;
}

export async function dueDeadLetters(
  pool: pg.Pool,
): Promise<readonly { id: string; consumer: string; position: bigint }[]> {
  const { rows } = await pool.query(
    "select id::text, consumer, position::text from runtime.dead_letters where status = 'retry' order by dead_letters.position limit 100",
  );
  return rows.map((row) => ({
    id: row.id as string,
    consumer: row.consumer as string,
    position: BigInt(row.position as string),
  }));
}

/** How many events each consumer has set aside and not handled since. */
export async function countDeadLetters(
  pool: pg.Pool,
): Promise<readonly { readonly consumer: string; readonly open: number }[]> {
  const { rows } = await pool.query<{ consumer: string; open: number }>(
    "select consumer, count(*)::float8 as open from runtime.dead_letters where status <> 'resolved' group by consumer",
  );
  return rows;
}

/** Positions of the events that a consumer has set aside and not handled since. */
export async function openDeadLetters(
  pool: pg.Pool,
  consumer: string,
): Promise<ReadonlySet<bigint>> {
  const { rows } = await pool.query(
    "select position::text from runtime.dead_letters where consumer = $1 and status <> 'resolved'",
    [consumer],
  );
  return new Set(rows.map((row) => BigInt(row.position as string)));
}

export async function resolveDeadLetter(pool: pg.Pool, id: string): Promise<void> {
  await pool.query(
    "update runtime.dead_letters set status = 'resolved', updated_at = now() where id = $1",
    [id],
  );
}

/** A retry that failed again: open, with its newest reason. */
export async function reopenDeadLetter(pool: pg.Pool, id: string, reason: string): Promise<void> {
  await pool.query(
    "update runtime.dead_letters set status = 'open', attempts = attempts + 1, reason = $2, updated_at = now() where id = $1",
    [id, shownReason(reason)],
  );
}
