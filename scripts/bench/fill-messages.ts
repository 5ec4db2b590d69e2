import {
  deterministicId,
  formatMoney,
  streamOf,
  uuid5,
  uuid7,
  validateEvent,
  type EventData,
} from "@heliograph/contracts";
import { openPostgresLog, type Append, type EventLog } from "@heliograph/log";
import pg from "pg";
import { life } from "./consumers.ts";

/** A partner's messages of one round: the wallet's events have as many entries. */
const messagesAtOnce = 200;
const partners = 100;
const cost = 7_900n;
const funds = 1_000_000_000_000n;

/** What is known of a partner's wallet while it is filled. */
type Wallet = { revision: number; available: bigint; covers: bigint };

/** Stores messages in a database on which no process runs. Reactors are told that all of it is done; projectors make their rows of it when they start. */
export async function fillMessages(
  connectionString: string,
  namespace: string,
  first: number,
  count: number,
): Promise<void> {
  const log = await openPostgresLog({
    connection: { connectionString },
    namespace,
    validate: validateEvent,
  });
  try {
    await fillLog(log, first, count);
    await skipReactors(connectionString, await log.head());
  } finally {
    await log.close();
  }
}

/**
 * Stores so many messages that were delivered, with what their wallets and providers told of them: the events that the consumers would have appended, checked as any other, in as few appends as they are causes
 * of each other.
 */
export async function fillLog(log: EventLog, first: number, count: number): Promise<void> {
  const wallets = new Map<string, Wallet>();
  for (let from = first; from < first + count; from += messagesAtOnce) {
    const partner = deterministicId("ptn", "fill", String((from / messagesAtOnce) % partners));
    const wallet = wallets.get(partner) ?? (await openWallet(log, partner));
    wallets.set(partner, wallet);
    await round(log, partner, wallet, from, Math.min(messagesAtOnce, first + count - from));
  }
}

async function openWallet(log: EventLog, partner: string): Promise<Wallet> {
  const [last] = await log.readStream(streamOf("wallet", partner), { backwards: true, limit: 1 });
  if (last !== undefined) {
    const { available, covers } = last.data as EventData<"FundsHeld">;
    const [units = "0", micros = ""] = available.split(".");
    return {
      revision: last.revision,
      available: BigInt(units + micros.padEnd(6, "0")),
      covers: BigInt(covers),
    };
  }
  const wallet = { revision: -1, available: 0n, covers: 0n };
  const transaction = deterministicId("wtx", "fill", partner);
  const entries = [{ transaction_id: transaction, amount: formatMoney(funds) }];
  await append(log, [tell(partner, wallet, "FundsToppedUp", funds, 0n, entries)]);
  return wallet;
}

async function round(
  log: EventLog,
  partner: string,
  wallet: Wallet,
  from: number,
  count: number,
): Promise<void> {
  const lives = Array.from({ length: count }, (_, index) => life(partner, from + index));
  const sum = cost * BigInt(count);
  const entries = lives.map(({ events: [requested] }) => ({
    message_id: (requested!.data as EventData<"MessageRequested">).message_id,
    amount: formatMoney(cost),
  }));
  const part = (at: number): readonly Append[] =>
    lives.map(({ stream, events }) => ({
      stream,
      expected: at === 0 ? "no_stream" : at - 1,
      events: [events[at]!],
    }));
  wallet.covers = await append(log, part(0));
  await append(log, [tell(partner, wallet, "FundsHeld", -sum, sum, entries)]);
  wallet.covers = await append(log, part(1));
  await append(log, [
    tell(partner, wallet, "FundsCaptured", 0n, 0n, entries),
    ...lives.map((each) => receiptOf(partner, each)),
  ]);
  await append(log, part(2));
}

/** The wallet's next event: what it adds to what is available, and what is held after it. */
function tell(
  partner: string,
  wallet: Wallet,
  type: "FundsToppedUp" | "FundsHeld" | "FundsCaptured",
  change: bigint,
  held: bigint,
  entries: readonly object[],
): Append {
  wallet.available += change;
  const data = {
    covers: String(wallet.covers),
    available: formatMoney(wallet.available),
    held: formatMoney(held),
    currency: "USD",
    entries,
  };
  return {
    stream: streamOf("wallet", partner),
    expected: wallet.revision === -1 ? "no_stream" : wallet.revision,
    events: [{ id: uuid5(partner, String(++wallet.revision)), type, data, metadata: { partner } }],
  } as Append;
}

function receiptOf(partner: string, { events }: Append): Append {
  const { message_id, provider } = events[1]!.data as EventData<"MessageSent">;
  const data: EventData<"ReceiptReceived"> = {
    message_id,
    gateway: "sim-sms",
    provider_message_id: provider.message_id!,
    provider_event_id: "delivered",
    status: "delivered",
    occurred_at: "2026-01-01T00:00:01Z",
  };
  return {
    stream: streamOf("receipts", message_id),
    expected: "no_stream",
    events: [{ id: uuid7(), type: "ReceiptReceived", data, metadata: { partner } }],
  } as Append;
}

/** Gives the last position. */
async function append(log: EventLog, appends: readonly Append[]): Promise<bigint> {
  let last = 0n;
  for (const outcome of await log.append(appends)) {
    if (outcome.kind !== "appended") throw new Error(`fill: ${outcome.kind}`);
    if (outcome.position > last) last = outcome.position;
  }
  return last;
}

async function skipReactors(connectionString: string, head: bigint): Promise<void> {
  const client = new pg.Client({ connectionString });
  await client.connect();
  try {
    const { rows } = await client.query(
      "select distinct schema from runtime.consumers where kind = 'reactor'",
    );
    for (const { schema } of rows)
      await client.query(`update ${client.escapeIdentifier(schema)}.checkpoint set position = $1`, [
        head,
      ]);
  } finally {
    await client.end();
  }
}
