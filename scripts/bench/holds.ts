import { deterministicId, streamOf, uuid7, validateEvent } from "@heliograph/contracts";
import { openPostgresLog, type Append, type EventLog } from "@heliograph/log";
import {
  newLogger,
  openPool,
  prepareConsumer,
  readSettings,
  realClock,
  runConsumer,
  type ServiceContext,
} from "@heliograph/runtime";
import { directoryDouble, testVault } from "@heliograph/testkit";
import { service as wallet } from "@heliograph/wallet";
import pg from "pg";
import { ratioRow, type Row } from "./row.ts";

const messages = 20_000;
const atOnce = 200;

/** How many messages a second the ledger holds funds for, on one wallet and on 1,000, against appending their requests. */
export async function benchHolds(databaseUrl: string): Promise<Row[]> {
  const rows: Row[] = [];
  for (const wallets of [1, 1_000]) rows.push(await holdsOn(databaseUrl, wallets));
  return rows;
}

async function holdsOn(databaseUrl: string, wallets: number): Promise<Row> {
  const name = `bench_holds_${wallets}`;
  const admin = new pg.Client({ connectionString: databaseUrl });
  await admin.connect();
  await admin.query(`create database ${name}`);
  const connection = {
    connectionString: Object.assign(new URL(databaseUrl), { pathname: `/${name}` }).href,
  };
  const logger = newLogger("silent");
  const open = () => openPostgresLog({ connection, namespace: "bench", validate: validateEvent });
  const log = await open();
  const pool = openPool(connection, { name: "bench", max: 4, durable: true }, logger);
  // A fresh log instance: what was just appended must be read, not handed over from memory.
  const reader = await open();
  const context: ServiceContext = {
    environment: "sandbox",
    log: reader,
    connection,
    pool,
    projectionPool: pool,
    settings: readSettings({}),
    masterKey: Buffer.alloc(32),
    vault: await testVault(pool),
    logger,
    clock: realClock,
    directory: directoryDouble(),
  };
  try {
    for (const consumer of wallet.consumers!(context)) await prepareConsumer(pool, consumer);
    await fund(log, wallets);
    const appended = await perSecond(() => request(log, wallets));
    const ledger = wallet.consumers!(context).find(({ kind }) => kind === "reactor")!;
    const head = await log.head();
    let consumer: Awaited<ReturnType<typeof runConsumer>> | undefined;
    const held = await perSecond(async () => {
      consumer = await runConsumer(ledger, context);
      await consumer.caughtUp(head);
    });
    await consumer?.stop();
    await requireHeld(log, wallets);
    const bare = { value: appended, of: "appends of their requests" };
    // A thousand wallets are as many appends for each batch of causes, in place of one.
    const atLeast = wallets === 1 ? 0.7 : 0.3;
    return ratioRow(
      `holds on ${wallets} wallet${wallets === 1 ? "" : "s"}`,
      "holds/s",
      held,
      bare,
      atLeast,
    );
  } finally {
    await Promise.all([log.close(), reader.close(), pool.end()]);
    await admin.query(`drop database ${name} with (force)`);
    await admin.end();
  }
}

async function perSecond(work: () => Promise<void>): Promise<number> {
  const start = performance.now();
  await work();
  return (messages * 1_000) / (performance.now() - start);
}

const partnerOf = (number: number): string => deterministicId("ptn", "bench", String(number));
const event = (
  stream: string,
  partner: string,
  type: "TopupRequested" | "MessageRequested",
  data: object,
): Append => ({
  stream,
  expected: "no_stream",
  events: [{ id: uuid7(), type, data, metadata: { partner, actor: "bench" } }],
});

async function fund(log: EventLog, wallets: number): Promise<void> {
  for (let number = 0; number < wallets; number++) {
    const transaction_id = deterministicId("wtx", "bench", String(number));
    const data = { transaction_id, amount: "1000000", currency: "USD" };
    await log.append([
      event(streamOf("topup", transaction_id), partnerOf(number), "TopupRequested", data),
    ]);
  }
}

async function request(log: EventLog, wallets: number): Promise<void> {
  for (let first = 0; first < messages; first += atOnce)
    await log.append(
      Array.from({ length: atOnce }, (_, index) => {
        const message_id = deterministicId("msg", "bench", String(first + index));
        return event(
          streamOf("message", message_id),
          partnerOf((first + index) % wallets),
          "MessageRequested",
          requestOf(message_id),
        );
      }),
    );
}

const requestOf = (message_id: string): object => ({
  message_id,
  channel: "sms",
  to: "+15551230001",
  content: { text: "Your parcel arrives today between 14:00 and 16:00." },
  category: "transactional",
  priority: 1,
  expires_at: "2099-01-01T00:00:00.000Z",
  cost: "0.0079",
  currency: "USD",
  price: { list: "standard", version: 1, country: "US", per_segment: "0.0079" },
  segments: { count: 1, encoding: "GSM-7", characters: 50 },
  created_at: "2026-05-23T14:22:17.000Z",
});

/** A figure of holds that were not made would be a fine one. */
async function requireHeld(log: EventLog, wallets: number): Promise<void> {
  let held = 0;
  for (let number = 0; number < wallets; number++)
    for await (const { type, data } of log.scanStream(streamOf("wallet", partnerOf(number))))
      if (type === "FundsHeld") held += data.entries.length;
  if (held !== messages) throw new Error(`${held} of ${messages} were held`);
}
