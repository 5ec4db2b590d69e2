import type pg from "pg";
import { pause } from "../faults.ts";
import { quoteSchema } from "./parts.ts";

/**
 * Fixes into how many shards an environment is divided, at the first start that asks for it. The relay and every divided consumer go by this one number.
 *
 * @throws Error when it has been fixed to another one: a partner's events would change their shard in mid-stream.
 */
export async function fixShards(pool: pg.Pool, shards: number, setting: string): Promise<void> {
  await pool.query("insert into runtime.division (shards) values ($1) on conflict do nothing", [
    shards,
  ]);
  const fixed = await fixedShards(pool);
  if (fixed !== shards)
    throw new Error(
      `this environment has ${fixed} shards for ever; ${setting} must be ${fixed}, not ${shards}`,
    );
}

/** Into how many shards the environment is divided; undefined while it is not. */
export async function fixedShards(pool: pg.Pool): Promise<number | undefined> {
  try {
    const { rows } = await pool.query<{ shards: number }>("select shards from runtime.division");
    return rows[0]?.shards;
  } catch (error) {
    // 42P01, 3F000: no consumer has ever run here.
    if (!["42P01", "3F000"].includes((error as { code?: string }).code ?? "")) throw error;
    return undefined;
  }
}

/** Whether a consumer has been divided: its shards have rows then, and itself has none. */
export async function isDivided(
  client: pg.ClientBase,
  schema: string,
  name: string,
): Promise<boolean> {
  const { rowCount } = await client.query(
    `select 1 from ${quoteSchema(schema)}.checkpoint where starts_with(name, $1) limit 1`,
    [`${name}/`],
  );
  return rowCount === 1;
}

const wholeEndsMs = 10_000;

/**
 * Divides a consumer: every shard goes on where the whole was, whose row goes away, so that an owner of it would be fenced. The shards would take what an undivided
 * copy has under way for the traces of a crash, so that has to have ended. Waits a while for one that is stopping, or was killed and whose session is still there.
 *
 * @throws Error when one is running on.
 */
export async function divide(
  client: pg.ClientBase,
  schema: string,
  name: string,
  shards: number,
): Promise<void> {
  const deadline = performance.now() + wholeEndsMs;
  for (;;) {
    const { rows } = await client.query(
      "select pg_try_advisory_xact_lock(hashtextextended($1, 7041776)) as free",
      [`heliograph/${name}`],
    );
    if (rows[0].free === true) break;
    if (performance.now() > deadline)
      throw new Error(
        `an undivided copy of ${name} is running: stop it before the first start that divides it`,
      );
    await pause(200);
  }
  await client.query(
    `with whole as (delete from ${quoteSchema(schema)}.checkpoint where name = $1 returning position, epoch)
     insert into ${quoteSchema(schema)}.checkpoint (name, position, epoch)
     select $1 || '/' || shard, whole.position, whole.epoch + 1 from whole, generate_series(0, $2::int - 1) as shard`,
    [name, shards],
  );
  // Nobody shows the whole any more.
  await client.query("delete from runtime.consumers where name = $1", [name]);
}
