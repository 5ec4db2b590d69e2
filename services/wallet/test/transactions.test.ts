import { newId, streamOf, uuid7 } from "@heliograph/contracts";
import { runConsumer } from "@heliograph/runtime";
import { afterEach, beforeEach, expect, test } from "vitest";
import {
  readTransactions,
  transactionKey,
  type TransactionFilter,
} from "../src/api/transactions.ts";
import { walletProjector } from "../src/projector.ts";
import { openSandbox } from "./harness.ts";

let world: Awaited<ReturnType<typeof openSandbox>>;
const partner = newId("ptn");
const stream = streamOf("wallet", partner);
beforeEach(async () => {
  world = await openSandbox("postgres");
});
afterEach(() => world.close());

const event = (type: string, ...entries: object[]) => ({
  id: uuid7(),
  type,
  data: { covers: "0", available: "5", held: "1", currency: "USD", entries },
  metadata: { partner },
});
const append = async (...events: ReturnType<typeof event>[]): Promise<void> => {
  const [outcome] = await world.log.append([{ stream, expected: "any", events }]);
  expect(outcome?.kind).toBe("appended");
};
const topup = (reference: string) =>
  event("FundsToppedUp", { transaction_id: newId("wtx"), amount: "1", reference });
const held = (...messages: string[]) =>
  event("FundsHeld", ...messages.map((message_id) => ({ message_id, amount: "0.1" })));
const captured = (message_id: string) => event("FundsCaptured", { message_id, amount: "0.1" });

type Cursor = { readonly after?: string | undefined; readonly before?: string | undefined };
async function read(filter: TransactionFilter, cursor: Cursor = {}, limit = 25) {
  const page = { limit, after: cursor.after, before: cursor.before };
  return readTransactions({ log: world.log, stream, pool: world.pool, partner }, page, filter);
}
const kinds = async (filter: TransactionFilter): Promise<readonly string[]> =>
  (await read(filter)).rows.map(({ transaction }) => transaction.kind);

test("Transactions of a message are found whether or not the tables have them", async () => {
  const [one, other] = [newId("msg"), newId("msg")];
  await append(topup("a"), held(other, one));
  const consumer = await runConsumer(walletProjector, world.context);
  await consumer.caughtUp(await world.log.head());
  expect(await kinds({ messageId: one })).toEqual(["hold"]);
  await consumer.stop();
  await append(captured(one), captured(other));
  expect(await kinds({ messageId: one })).toEqual(["capture", "hold"]);
  expect(await kinds({ messageId: one, kinds: ["capture"] })).toEqual(["capture"]);
  expect(await kinds({ messageId: newId("msg") })).toEqual([]);
  const { rows } = await read({ messageId: one }, {}, 1);
  const after = transactionKey(rows[0]!);
  expect((await read({ messageId: one }, { after })).rows).toMatchObject([
    { transaction: { kind: "hold" } },
  ]);
});

test("A filter for something rare stops and goes on by cursor, in both directions", async () => {
  await append(topup("first"));
  for (let round = 0; round < 3; round++)
    await append(...Array.from({ length: 500 }, () => held(newId("msg"))));
  const filter = { reference: "first" };
  const one = await read(filter);
  expect([one.rows.length, one.newer]).toEqual([0, undefined]);
  const two = await read(filter, { after: one.older });
  expect(two.rows).toMatchObject([{ transaction: { kind: "topup", reference: "first" } }]);
  expect(two.older).toBeUndefined();
  // The way back leaves nothing out: what is newest is found again, and the item that a cursor named too.
  await append(topup("first"));
  const back = await read(filter, { before: transactionKey(two.rows[0]!) });
  expect(back.rows).toEqual([]);
  const newest = await read(filter, { before: back.newer });
  expect(newest.rows).toHaveLength(1);
  expect((await read(filter, { after: back.older })).rows).toEqual(two.rows);
});

test("A range of time takes its first moment and not its last, and reads only what lies in it", async () => {
  const times: number[] = [];
  for (const name of ["a", "b", "c"]) {
    await append(topup(name));
    const [last] = await world.log.readStream(stream, { backwards: true, limit: 1 });
    times.push(last!.recordedAt);
    while (Date.now() <= last!.recordedAt) await new Promise(setImmediate);
  }
  const [, second, third] = times;
  const names = async (filter: TransactionFilter) =>
    (await read(filter)).rows.map(({ transaction }) => transaction.reference);
  expect(await names({ createdFrom: second })).toEqual(["c", "b"]);
  expect(await names({ createdBefore: third })).toEqual(["b", "a"]);
  expect(await names({ createdFrom: second, createdBefore: third })).toEqual(["b"]);
  expect(await names({ createdFrom: third! + 600_000 })).toEqual([]);
  expect(await names({ createdBefore: times[0]! - 600_000 })).toEqual([]);
});
