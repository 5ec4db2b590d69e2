import { deterministicId, newId, uuid7 } from "@heliograph/contracts";
import { service as delivery } from "@heliograph/delivery";
import { runConsumer, type Projector, type ServiceContext } from "@heliograph/runtime";
import { life } from "./consumers.ts";
import { openBenchEnvironment } from "./environment.ts";
import { limitRow, ratioRow, type Row } from "./row.ts";

/** A message of another partner every so often. */
const everyMs = 50;
const quietMessages = 100;

/**
 * What it takes to clear the space of a sandbox that was reset, in the list of messages, and what another partner's messages wait meanwhile until they are in the list; against the same with nothing
 * to clear, and with the same rows taken away by one statement.
 */
export async function benchClearing(databaseUrl: string): Promise<Row[]> {
  const rows = Number(process.env["HELIOGRAPH_BENCH_CLEARING"] ?? 1_000_000);
  const { context, close } = await openBenchEnvironment(databaseUrl, "bench_clearing");
  try {
    const projector = delivery.consumers!(context).find(
      (consumer): consumer is Projector => consumer.kind === "projector",
    )!;
    const consumer = await runConsumer(projector, context);
    const other = makeOther(context, consumer);
    await other.waits((count) => count === quietMessages);
    const quiet = await other.waits((count) => count === quietMessages);

    const space = await fill(context, rows);
    let ended = false;
    const startedAt = performance.now();
    const deleting = context.pool
      .query("delete from messages.messages where partner = $1", [space])
      .finally(() => (ended = true));
    const beside = await other.waits(() => ended);
    await deleting;
    const deleteMs = performance.now() - startedAt;

    const reset = await fill(context, rows);
    const clearedAt = performance.now();
    await end(context, reset);
    const clearing = await other.waits((count) => count % 10 === 0 && isCleared(context, reset));
    const clearMs = performance.now() - clearedAt;
    const left = await rowsOf(context, reset);
    if (left > 0) throw new Error(`${left} rows are left`);
    await consumer.stop();
    const note = `p50 ${clearing.median} ms over ${clearing.count} messages; nothing to clear ${quiet.median} and ${quiet.high}, beside one statement ${beside.median} and ${beside.high}`;
    return [
      ratioRow(
        `clearing a space of ${rows} messages`,
        "rows/s",
        (rows * 1_000) / clearMs,
        { value: (rows * 1_000) / deleteMs, of: "one statement that deletes them" },
        0.1,
      ),
      limitRow(
        "another partner's message until it is listed meanwhile, p95",
        "ms",
        clearing.high,
        Math.round(2 * quiet.high + everyMs),
        note,
      ),
    ];
  } finally {
    await close();
  }
}

/** A space with so many messages in the list, as they are once it has seen them: made by SQL, since the log of a million takes minutes. */
async function fill({ pool }: ServiceContext, rows: number): Promise<string> {
  const space = newId("ptn");

  for (let from = 0; from < rows; from += 100_000)
    await pool.query(
      `insert into messages.messages (position, created_at, status, reply, partner, id, channel, "to")
         select -n, 1767225600000 + n, 3, false, $1, 'msg_' || lpad(n::text, 26, '0'), 'sms', '+1555' || lpad((n % 10000000)::text, 7, '0')
           from generate_series($2::int + 1, $2 + $3::int) n`,
      [space, from, Math.min(100_000, rows - from)],
    );
  await pool.query("vacuum analyze messages.messages");
  return space;
}

async function end({ log }: ServiceContext, space: string): Promise<void> {
  const event = { id: uuid7(), type: "SpaceEnded", data: { space }, metadata: { partner: space } };
  const stream = `sandbox-${space}`;
  const [outcome] = await log.append([{ stream, expected: "any", events: [event] }]);
  if (outcome?.kind !== "appended") throw new Error(`the end of the space: ${outcome?.kind}`);
}

async function isCleared({ pool }: ServiceContext, space: string): Promise<boolean> {
  const { rows } = await pool.query(
    "select cleared from messages.ended_spaces where space = $1 and cleared",
    [space],
  );
  return rows.length > 0;
}

async function rowsOf({ pool }: ServiceContext, space: string): Promise<number> {
  const { rows } = await pool.query(
    "select count(*)::int as count from messages.messages where partner = $1",
    [space],
  );
  return rows[0].count;
}

type Waits = { readonly count: number; readonly median: number; readonly high: number };

/** Another partner, who goes on sending. */
function makeOther(
  { log }: ServiceContext,
  consumer: { caughtUp(position: bigint): Promise<void> },
) {
  const partner = deterministicId("ptn", "bench");
  let sent = 0;
  return {
    /** One message after the other until it is enough: how long each is on its way, from the log's answer to its row, in milliseconds. */
    async waits(isEnough: (count: number) => boolean | Promise<boolean>): Promise<Waits> {
      const taken: number[] = [];
      while (!(await isEnough(taken.length))) {
        const [outcome] = await log.append([life(partner, sent++)]);
        if (outcome?.kind !== "appended") throw new Error(`a message: ${outcome?.kind}`);
        const startedAt = performance.now();
        await consumer.caughtUp(outcome.position);
        taken.push(performance.now() - startedAt);
        await new Promise((resolve) => setTimeout(resolve, everyMs));
      }
      taken.sort((left, right) => left - right);
      const at = (share: number): number => Math.round(taken[Math.floor(taken.length * share)]!);
      return { count: taken.length, median: at(0.5), high: at(0.95) };
    },
  };
}
