import { openPostgresLog, type EventLog } from "@heliograph/log";
import { randomUUID } from "node:crypto";
import pg from "pg";
import { printRows, ratioRow, type Row } from "./row.ts";

/** Log and baseline take turns in slices this long, so that a busy moment of the machine hits both alike. */
const SLICE_MS = 400;
const ROUNDS = 8;

// 330 bytes of payload and 150 of metadata: an ordinary message.
const data = {
  to: "+41791234567",
  from: "Heliograph",
  channel: "sms",
  body: "Your parcel arrives today between 14:00 and 16:00. Track it: https://example.com/t/8f3k2 ".padEnd(
    200,
    ".",
  ),
  segments: 2,
  price: { currency: "EUR", micros: 79_000 },
};
const metadata = {
  partner: "prt_0123456789ABCDEFGHJKMNPQRS",
  actor: "key_live_2",
  request_id: randomUUID(),
  traceparent: `00-${"a".repeat(32)}-${"b".repeat(16)}-01`,
};
const dataText = JSON.stringify(data);
const metadataText = JSON.stringify(metadata);

const TABLE = `create table bare (position bigint primary key, stream text not null, revision integer not null,
  id uuid not null, type text not null, version smallint not null, recorded_at bigint not null, data text not null,
  metadata text not null, unique (stream, revision))`;
const INSERT_ONE = {
  name: "bench_one",
  text: "insert into bare values (nextval('bare_position'), $1, 0, $2, $3, 1, 0, $4, $5)",
};
const INSERT_MANY = {
  name: "bench_many",
  text: `insert into bare select nextval('bare_position'), stream, 0, id, 'MessageRequested', 1, 0, data, metadata
    from unnest($1::text[], $2::uuid[], $3::text[], $4::text[]) as x (stream, id, data, metadata)`,
};

/**
 * The three figures of the event log, each against bare SQL on the same database in the same run: what the log adds to
 * a commit for one caller, what group commit gains for 64, and what remains of a bulk insert for 1,024.
 * Makes a database beside the given one, on the same server, and drops it again.
 */
export async function benchLog(databaseUrl: string): Promise<Row[]> {
  const admin = new pg.Client({ connectionString: databaseUrl });
  await admin.connect();
  const name = `bench_log_${process.pid}`;
  await admin.query(`drop database if exists ${name} with (force)`);
  await admin.query(`create database ${name}`);
  const url = new URL(databaseUrl);
  url.pathname = `/${name}`;
  const connection = { connectionString: url.href };
  const pool = new pg.Pool({ ...connection, max: 16 });
  // The pool's end does not wait for its sockets, and dropping the database ends those.
  pool.on("error", () => {});
  const log = await openPostgresLog({ connection, namespace: "bench" });
  try {
    await pool.query("create sequence bare_position cache 1000");
    await pool.query(TABLE);
    const bareOne = () =>
      pool.query({
        ...INSERT_ONE,
        values: [newStream(), randomUUID(), "MessageRequested", dataText, metadataText],
      });
    const bareMany = () => {
      const many = Array.from({ length: 500 });
      return pool.query({
        ...INSERT_MANY,
        values: [
          many.map(newStream),
          many.map(() => randomUUID()),
          many.map(() => dataText),
          many.map(() => metadataText),
        ],
      });
    };
    const appendOne = () => append(log);
    return [
      await compare(
        "log: 1 caller",
        [appendOne, 1, 1],
        [bareOne, 1, 1],
        0.8,
        "one connection committing one row",
      ),
      await compare(
        "log: 64 callers",
        [appendOne, 64, 1],
        [bareOne, 16, 1],
        2.5,
        "16 connections committing one row each",
      ),
      await compare(
        "log: 1,024 callers",
        [appendOne, 1024, 1],
        [bareMany, 1, 500],
        0.7,
        "bare inserts of 500 rows",
      ),
    ];
  } finally {
    await log.close();
    await pool.end();
    await admin.query(`drop database if exists ${name} with (force)`);
    await admin.end();
  }
}

/** Events a second that 1,024 callers append to a log for a moment, each its own: what the log's one writer takes. */
export async function appendRate(log: EventLog): Promise<number> {
  let sum = 0;
  for (let round = 0; round < 3; round++) sum += await slice([() => append(log), 1024, 1]);
  return sum / 3;
}

type Work = readonly [call: () => Promise<unknown>, callers: number, eventsPerCall: number];

async function compare(
  figure: string,
  log: Work,
  bare: Work,
  atLeast: number,
  of: string,
): Promise<Row> {
  await slice(log);
  await slice(bare);
  const totals = { log: 0, bare: 0 };
  for (let round = 0; round < ROUNDS; round++) {
    totals.log += await slice(log);
    totals.bare += await slice(bare);
  }
  const baseline = { value: totals.bare / ROUNDS, of };
  return ratioRow(figure, "events/s", totals.log / ROUNDS, baseline, atLeast);
}

/** Callers in a closed loop for one slice; gives events a second. */
async function slice([call, callers, eventsPerCall]: Work): Promise<number> {
  const start = performance.now();
  let done = 0;
  await Promise.all(
    Array.from({ length: callers }, async () => {
      while (performance.now() - start < SLICE_MS) {
        await call();
        done++;
      }
    }),
  );
  return (done * eventsPerCall * 1_000) / (performance.now() - start);
}

function newStream(): string {
  return `message-${randomUUID()}`;
}

async function append(log: EventLog): Promise<void> {
  const events = [{ id: randomUUID(), type: "MessageRequested", data, metadata }];
  const [outcome] = await log.append([{ stream: newStream(), expected: "no_stream", events }]);
  if (outcome?.kind !== "appended") throw new Error(`append came to ${JSON.stringify(outcome)}`);
}

if (import.meta.main) {
  const url = process.argv[2] ?? process.env["HELIOGRAPH_BENCH_DATABASE_URL"];
  if (url === undefined) {
    console.error(
      "usage: node scripts/bench/log.ts postgresql://user@host:port/postgres (fsync on)",
    );
    process.exitCode = 2;
  } else {
    printRows(await benchLog(url));
  }
}
