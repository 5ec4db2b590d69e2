import { service as delivery } from "@heliograph/delivery";
import { openPostgresLog, type EventLog } from "@heliograph/log";
import { startConsumers, type Projector, type ServiceContext } from "@heliograph/runtime";
import { service as wallet } from "@heliograph/wallet";
import { setTimeout as pause } from "node:timers/promises";
import { service as lifecycle } from "../../services/lifecycle/src/index.ts";
import { service as usage } from "../../services/usage/src/index.ts";
import { openBenchEnvironment } from "./environment.ts";
import { fillLog } from "./fill-messages.ts";
import { appendRate } from "./log.ts";
import { ratioRow, type Row } from "./row.ts";

const messages = 20_000;
const longestMs = 600_000;

/**
 * How many messages a second one copy of each read model takes that grows with messages, and all of them in one process, against how many the log's one writer stores in the same minute: a copy that takes more
 * is never what an installation is short of.
 */
export async function benchProjectors(databaseUrl: string): Promise<Row[]> {
  const filled = await openBenchEnvironment(databaseUrl, "bench_projectors");
  const other = await openBenchEnvironment(databaseUrl, "bench_writer");
  const { context } = filled;
  const { connection } = context;
  const writer = await openPostgresLog({
    connection: other.context.connection,
    namespace: "bench",
  });
  // A log of its own: what was just appended must be read, not handed over from memory.
  const log = await openPostgresLog({ connection, namespace: "bench" });
  try {
    await fillLog(context.log, 0, messages);
    await context.pool.query("vacuum analyze log.events");
    const head = await log.head();
    const eventsPerMessage = Number(head) / messages;
    const projectors = [delivery, lifecycle, usage, wallet]
      .flatMap((service) => service.consumers!(context))
      .filter((consumer): consumer is Projector => consumer.kind === "projector");
    await appendRate(writer);
    const rows: Row[] = [];
    for (const some of [...projectors.map((each) => [each]), projectors]) {
      const before = await appendRate(writer);
      const seconds = await projected({ ...context, log }, some, head);
      const stored = (before + (await appendRate(writer))) / 2 / eventsPerMessage;
      const [first, second] = some;
      const what = second === undefined ? `one copy of ${first!.name}` : "all of them, one process";
      const of = { value: stored, of: "what the log's one writer stores" };
      rows.push(ratioRow(`read models: ${what}`, "messages/s", messages / seconds, of, 1));
    }
    return rows;
  } finally {
    await Promise.all([log.close(), writer.close()]);
    await Promise.all([filled.close(), other.close()]);
  }
}

/** Seconds from the start of the projectors, which have no tables yet, until all have passed the head. */
async function projected(
  context: ServiceContext & { readonly log: EventLog },
  projectors: readonly Projector[],
  head: bigint,
): Promise<number> {
  for (const { schema } of projectors)
    await context.pool.query(`drop schema if exists "${schema}" cascade`);
  const startedAt = performance.now();
  const running = await startConsumers(context, projectors);
  try {
    while (running.statuses.some(({ position }) => position < head)) {
      const failed = running.statuses.find(({ lastError }) => lastError !== undefined);
      if (failed !== undefined) throw new Error(`${failed.name}: ${failed.lastError}`);
      if (performance.now() - startedAt > longestMs) throw new Error("it takes too long");
      await pause(5);
    }
    return (performance.now() - startedAt) / 1_000;
  } finally {
    await running.stop();
  }
}
