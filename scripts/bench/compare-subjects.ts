import { randomUUID } from "node:crypto";
import { streamOf } from "@heliograph/contracts";
import { projector, reactor, rebuildProjector, runConsumer } from "@heliograph/runtime";
import { compared } from "./compare-install.ts";
import { life } from "./consumers.ts";
import { openBenchEnvironment } from "./environment.ts";

/** Takes jobs, or events, from many callers at once. */
export type Compared = {
  /** One more; resolves when it is durable as far as that subject makes it so. `began` is handed back with the handling. */
  accept(began: number): Promise<unknown>;
  /** Makes a table of everything again and gives how many events it read; of those that have one. */
  rebuild?(): Promise<number>;
  close(): Promise<unknown>;
};
/** Told of each job that was handled, and when it was accepted. */
export type Handled = (began: number) => void;
type Open = (url: string, handled: Handled) => Promise<Compared>;

/** As large as the event that the log is given. */
const text = "Your parcel arrives today between 14:00 and 16:00.".padEnd(500, ".");
const batch = 100;

/** The first event of a message: its acceptance. */
const accepted = () => {
  const { stream, expected, events } = life("ptn_compared", Math.floor(Math.random() * 1e15));
  return { stream, expected, events: events.slice(0, 1) };
};

const heliographJobs: Open = async (url, handled) => {
  const { context, close } = await openBenchEnvironment(url, `compare_${process.pid}`);
  const began = new Map<string, number>();
  const consumer = await runConsumer(
    reactor({
      kind: "reactor",
      name: "compared",
      schema: "compared",
      types: ["MessageRequested"],
      migrations: [],
      start: ({ checkpoint }) => ({
        async handle({ events, position }) {
          for (const { stream } of events) {
            handled(began.get(stream)!);
            began.delete(stream);
          }
          await checkpoint.commit(position);
        },
        stop: () => Promise.resolve(),
      }),
    }),
    context,
  );
  return {
    async accept(at) {
      const append = accepted();
      began.set(append.stream, at);
      const [outcome] = await context.log.append([append]);
      if (outcome?.kind !== "appended") throw new Error(`it came to ${JSON.stringify(outcome)}`);
    },
    async close() {
      await consumer.stop();
      await close();
    },
  };
};

type Boss = {
  on(event: "error", listener: (error: Error) => void): void;
  start(): Promise<unknown>;
  createQueue(name: string): Promise<unknown>;
  send(name: string, data: object): Promise<unknown>;
  work(
    name: string,
    options: object,
    handler: (jobs: readonly { data: { began: number } }[]) => Promise<void>,
  ): Promise<unknown>;
  stop(options: object): Promise<unknown>;
};

const pgBoss: Open = async (url, handled) => {
  const { PgBoss } = compared<{ PgBoss: new (options: object) => Boss }>("pg-boss");
  const boss = new PgBoss({ connectionString: url, max: 16, schema: `boss_${process.pid}` });
  boss.on("error", (error) => console.error(error.message));
  await boss.start();
  await boss.createQueue("jobs");
  // Batches, and another one at once while they are full: one job at a time every two seconds is what it does unasked.
  const options = {
    batchSize: batch,
    burstWhenBatchFull: true,
    pollingIntervalSeconds: 0.5,
    localConcurrency: 2,
  };
  await boss.work("jobs", options, async (jobs) => {
    for (const { data } of jobs) handled(data.began);
  });
  return {
    accept: (began) => boss.send("jobs", { began, text }),
    close: () => boss.stop({ graceful: false }),
  };
};

type Queue = {
  add(name: string, data: object, options: object): Promise<unknown>;
  close(): Promise<unknown>;
};
type Bull = {
  readonly Queue: new (name: string, options: object) => Queue;
  readonly Worker: new (
    name: string,
    handler: (job: { data: { began: number } }) => Promise<void>,
    options: object,
  ) => { close(): Promise<unknown> };
};

const bullmq: Open = async (url, handled) => {
  const { Queue, Worker } = compared<Bull>("bullmq");
  const connection = { host: "127.0.0.1", port: Number(new URL(url).port) };
  const queue = new Queue("jobs", { connection });
  const handler = async ({ data }: { data: { began: number } }) => handled(data.began);
  const worker = new Worker("jobs", handler, { connection, concurrency: 64 });
  return {
    accept: (began) => queue.add("job", { began, text }, { removeOnComplete: true }),
    async close() {
      await worker.close();
      await queue.close();
    },
  };
};

const heliographEvents: Open = async (url) => {
  const { context, close } = await openBenchEnvironment(url, `compare_${process.pid}`);
  const rows = projector({
    kind: "projector",
    name: "compared",
    schema: "compared",
    types: ["MessageRequested"],
    ddl: "create table if not exists {schema}.messages (id text primary key, recipient text not null)",
    create: () => ({
      project: (events) => [
        {
          name: "add",
          sql: "insert into {schema}.messages select * from unnest($1::text[], $2::text[])",
          values: [events.map(({ data }) => data.message_id), events.map(({ data }) => data.to)],
        },
      ],
    }),
  });
  // Its tables; the events come while it does not run.
  await (await runConsumer(rows, context)).stop();
  return {
    async accept() {
      const [outcome] = await context.log.append([accepted()]);
      if (outcome?.kind !== "appended") throw new Error(`it came to ${JSON.stringify(outcome)}`);
    },
    async rebuild() {
      const head = await context.log.head();
      await context.pool.query(`update compared.checkpoint set position = $1`, [head]);
      const options = { verifyOnly: false, signal: AbortSignal.timeout(300_000) };
      return (await rebuildProjector(context, rows, options)).events;
    },
    close,
  };
};

type Store = {
  appendToStream(stream: string, events: readonly object[], options: object): Promise<unknown>;
  readonly schema: { migrate(): Promise<unknown> };
  close(): Promise<unknown>;
};
type Emmett = {
  getPostgreSQLEventStore(url: string): Store;
  postgreSQLRawSQLProjection(definition: object): object;
  rebuildPostgreSQLProjections(options: object): {
    start(): Promise<unknown>;
    close(): Promise<unknown>;
  };
};
type Dumbo = { readonly SQL: (texts: TemplateStringsArray, ...values: unknown[]) => object };

const emmett: Open = async (url) => {
  const { getPostgreSQLEventStore, postgreSQLRawSQLProjection, rebuildPostgreSQLProjections } =
    compared<Emmett>("@event-driven-io/emmett-postgresql");
  const { SQL } = compared<Dumbo>("@event-driven-io/dumbo");
  const store = getPostgreSQLEventStore(url);
  await store.schema.migrate();
  let count = 0;
  const projection = postgreSQLRawSQLProjection({
    name: "compared",
    canHandle: ["MessageRequested"],
    init: () =>
      SQL`create table if not exists compared_messages (id text primary key, recipient text not null)`,
    evolve: ({ data }: { data: { message_id: string; to: string } }) => {
      count++;
      return SQL`insert into compared_messages values (${data.message_id}, ${data.to}) on conflict (id) do nothing`;
    },
  });
  return {
    accept() {
      const [event] = accepted().events;
      const events = [{ type: event!.type, data: event!.data }];
      const options = { expectedStreamVersion: "STREAM_DOES_NOT_EXIST" };
      return store.appendToStream(streamOf("message", randomUUID()), events, options);
    },
    async rebuild() {
      const consumer = rebuildPostgreSQLProjections({
        connectionString: url,
        projections: [projection],
      });
      await consumer.start();
      await consumer.close();
      return count;
    },
    close: () => store.close(),
  };
};

export const subjects = {
  "heliograph-jobs": heliographJobs,
  "pg-boss": pgBoss,
  bullmq,
  "heliograph-events": heliographEvents,
  emmett,
} satisfies Readonly<Record<string, Open>>;
export type SubjectName = keyof typeof subjects;
