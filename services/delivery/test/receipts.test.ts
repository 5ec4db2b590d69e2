import { deterministicId, newId, type EventData } from "@heliograph/contracts";
import {
  runConsumer,
  startConsumers,
  type Checkpoint,
  type ReactorTools,
} from "@heliograph/runtime";
import { partnerIn, until } from "@heliograph/testkit";
import { afterAll, afterEach, beforeAll, beforeEach, expect, it, vi } from "vitest";
import { messageContext } from "@heliograph/domain";
import { receiptsReactor } from "../src/index.ts";
import { readParked } from "../src/store.ts";
import {
  exhausted,
  fact,
  failure,
  onMessage,
  onReceipts,
  onWallet,
  partReceipt,
  receiptOf,
  requestOf,
  requested,
  sent,
} from "./facts.ts";
import { openSetting, type Setting } from "./setting.ts";

let setting: Setting;
let consumer: Awaited<ReturnType<typeof runConsumer>>;
beforeAll(async () => {
  setting = await openSetting();
});
afterAll(() => setting.close());
beforeEach(async () => {
  consumer = await runConsumer(receiptsReactor, setting.context);
});
afterEach(() => consumer.stop());

async function accept(...more: Parameters<typeof onMessage>[2][]) {
  const request = requestOf(newId("msg"));
  await setting.append(onMessage(request.message_id, "no_stream", requested(request), ...more));
  return request;
}

const settled = async (): Promise<void> => consumer.caughtUp(await setting.log.head());

it("A receipt makes a sent message delivered, with who caused it", async () => {
  const request = requestOf(newId("msg"));
  await setting.append(
    onMessage(request.message_id, "no_stream", requested(request), sent(request)),
  );
  const receipt = receiptOf(request.message_id, "delivered");
  const append = vi.spyOn(setting.log, "append");
  await setting.append(onReceipts(request.message_id, receipt));
  await until(async () => (await setting.state(request.message_id)).status === "delivered");
  // Nobody waits for it.
  expect(append.mock.lastCall![0][0]).toMatchObject({ patient: true });
  append.mockRestore();
  const events = await setting.log.readStream(`message-${request.message_id.slice(4)}`);
  expect(events.at(-1)).toMatchObject({
    type: "MessageDelivered",
    data: {
      message: messageContext(request),
      gateway: "sim-sms",
      provider_message_id: "p-1",
      provider: { name: "simulator", status: "delivered" },
    },
    metadata: {
      causation: receipt.id,
      correlation: request.message_id,
      partner: events[0]!.metadata.partner,
    },
  });
});

it("Ten copies of each receipt, shuffled, some before the send, give one fact each", async () => {
  const request = await accept();
  const id = request.message_id;
  const receipts = Array.from({ length: 10 }, (_, copy) => [
    receiptOf(id, "read", String(copy)),
    receiptOf(id, "sent", String(copy)),
    receiptOf(id, "delivered", String(copy)),
  ]).flat();
  await setting.append(onReceipts(id, ...receipts.slice(0, 7)));
  await settled();
  await setting.append(onMessage(id, 0, sent(request)), onReceipts(id, ...receipts.slice(7)));
  await until(async () => (await setting.state(id)).status === "read");
  await settled();
  expect(await setting.types(id)).toEqual([
    "MessageRequested",
    "MessageSent",
    "MessageDelivered",
    "MessageRead",
  ]);
});

it("A message in three parts is lost with one of them, once, and there once all are, in any order", async () => {
  const cases = [
    [["delivered", "undelivered", "delivered"], "DeliveryFailed"],
    [["undelivered", "delivered", "delivered"], "DeliveryFailed"],
    [["delivered", "delivered", "undelivered"], "DeliveryFailed"],
    [["undelivered", "undelivered", "undelivered"], "DeliveryFailed"],
    [["delivered", "delivered", "delivered"], "MessageDelivered"],
  ] as const;
  const ids = await Promise.all(
    cases.map(async () => {
      const request = await accept();
      await setting.append(onMessage(request.message_id, 0, sent(request)));
      return request.message_id;
    }),
  );
  const factsOf = () => Promise.all(ids.map(async (id) => (await setting.types(id)).slice(2)));
  // Each part in a batch of its own, and twice.
  for (const index of [0, 1, 2]) {
    expect((await factsOf()).at(-1)).toEqual([]);
    for (const copy of ["", "again"]) {
      await setting.append(
        ...cases.map(([statuses], which) =>
          onReceipts(ids[which]!, partReceipt(ids[which]!, statuses[index]!, index + 1, copy)),
        ),
      );
      await settled();
    }
  }
  expect(await factsOf()).toEqual(cases.map(([, fact]) => [fact]));
});

it("Receipts of the parts wait for their message, also over a restart", async () => {
  const request = requestOf(newId("msg"));
  const id = request.message_id;
  for (const number of [3, 1])
    await setting.append(onReceipts(id, partReceipt(id, "delivered", number)));
  await settled();
  await consumer.stop();
  consumer = await runConsumer(receiptsReactor, setting.context);
  await setting.append(onMessage(id, "no_stream", requested(request), sent(request)));
  await settled();
  expect(await setting.types(id)).toEqual(["MessageRequested", "MessageSent"]);
  await setting.append(onReceipts(id, partReceipt(id, "delivered", 2)));
  await until(async () => (await setting.state(id)).status === "delivered");
});

it("Receipts of an unknown message wait over a restart and match when the message was sent", async () => {
  const request = requestOf(newId("msg"));
  const id = request.message_id;
  await setting.append(onReceipts(id, receiptOf(id, "delivered")));
  await settled();
  await consumer.stop();
  const { rows } = await setting.pool.query(
    "select message_id from delivery.parked where message_id = $1",
    [id],
  );
  expect(rows).toHaveLength(1);
  consumer = await runConsumer(receiptsReactor, setting.context);
  await setting.append(onMessage(id, "no_stream", requested(request), sent(request)));
  await until(async () => (await setting.state(id)).status === "delivered");
  await settled();
  expect(
    (await setting.pool.query("select 1 from delivery.parked where message_id = $1", [id])).rows,
  ).toHaveLength(0);
});

it("An undelivered message fails after its refund, once, and a later delivery outranks that", async () => {
  const request = await accept();
  const id = request.message_id;
  await setting.append(
    onMessage(id, 0, sent(request)),
    onReceipts(id, receiptOf(id, "undelivered")),
  );
  await until(async () => (await setting.types(id)).includes("DeliveryFailed"));
  expect((await setting.state(id)).status).toBe("sent");
  await setting.append(onWallet("FundsRefunded", id));
  await until(async () => (await setting.state(id)).status === "failed");
  expect(await setting.state(id)).toMatchObject({
    refund: {
      amount: "0.0079",
      currency: "USD",
      transaction_id: deterministicId("wtx", id, "refund"),
    },
  });
  await setting.append(
    onReceipts(id, receiptOf(id, "delivered"), receiptOf(id, "undelivered", "again")),
  );
  await until(async () => (await setting.state(id)).status === "delivered");
  expect(await setting.types(id)).toEqual([
    "MessageRequested",
    "MessageSent",
    "DeliveryFailed",
    "MessageFailed",
    "MessageDelivered",
  ]);
});

it("A complaint is told once, before or after the delivery, and leaves the status as it is", async () => {
  const request = await accept();
  const id = request.message_id;
  await setting.append(
    onReceipts(id, receiptOf(id, "complained", "early"), receiptOf(id, "complained", "again")),
  );
  await settled();
  expect(await setting.types(id), "until the provider's answer it waits").toEqual([
    "MessageRequested",
  ]);
  await setting.append(onMessage(id, 0, sent(request)));
  await until(async () => (await setting.types(id)).includes("MessageComplained"));
  expect((await setting.state(id)).status).toBe("sent");
  await setting.append(
    onReceipts(id, receiptOf(id, "delivered"), receiptOf(id, "complained", "late")),
  );
  await until(async () => (await setting.state(id)).status === "delivered");
  await settled();
  expect(await setting.types(id)).toEqual([
    "MessageRequested",
    "MessageSent",
    "MessageComplained",
    "MessageDelivered",
  ]);
});

it("A complaint that comes beside a refund keeps no message from failing", async () => {
  const request = await accept();
  const id = request.message_id;
  await setting.append(onMessage(id, 0, exhausted(request, 3)));
  await settled();
  // One append is one batch.
  await setting.append(onReceipts(id, receiptOf(id, "complained")), onWallet("FundsReleased", id));
  await until(async () => (await setting.state(id)).status === "failed");
  expect((await setting.types(id)).toSorted()).toEqual([
    "DispatchExhausted",
    "MessageComplained",
    "MessageFailed",
    "MessageRequested",
  ]);
});

it("A message whose attempts are exhausted fails when the hold is released, with its retries", async () => {
  const request = await accept();
  const id = request.message_id;
  await setting.append(onMessage(id, 0, exhausted(request, 3)));
  await settled();
  expect((await setting.state(id)).status).toBe("queued");
  await setting.append(onWallet("FundsReleased", id));
  await until(async () => (await setting.state(id)).status === "failed");
  const events = await setting.log.readStream(`message-${id.slice(4)}`);
  expect(events.at(-1)!.data).toMatchObject({
    retry_count: 2,
    error: failure,
    refund: { transaction_id: deterministicId("wtx", id, "release") },
  });
});

it("A decline rejects the queued message; a release after an expiry fails nothing", async () => {
  const declined = await accept();
  const expired = await accept();
  const ended = fact("MessageExpired", {
    message_id: expired.message_id,
    message: messageContext(expired),
    attempts: 0,
    cost: expired.cost,
    currency: "USD",
    expires_at: expired.expires_at,
  });
  await setting.append(
    onMessage(expired.message_id, 0, ended),
    onWallet("FundsDeclined", declined.message_id),
  );
  await until(async () => (await setting.state(declined.message_id)).status === "rejected");
  expect(await setting.state(declined.message_id)).toMatchObject({
    error: { code: "insufficient_funds" },
  });
  await setting.append(onWallet("FundsReleased", expired.message_id, declined.message_id));
  await settled();
  expect(await setting.types(expired.message_id)).toEqual(["MessageRequested", "MessageExpired"]);
  expect(await setting.types(declined.message_id)).toEqual(["MessageRequested", "MessageRejected"]);
});

/** The reactor without its runtime, so that a test decides what becomes of the checkpoint. */
async function bareReactor(commit: Checkpoint["commit"]) {
  const tools = {
    context: setting.context,
    schema: "delivery",
    checkpoint: { position: 0n, commit, dealt: () => undefined },
    fail() {},
    logger: setting.context.logger,
  };
  return receiptsReactor.start(tools as unknown as ReactorTools);
}

it("A crash between append and checkpoint, and a zombie at work beside it, leave each fact once", async () => {
  await settled();
  await consumer.stop();
  const before = await setting.log.head();
  const ids: string[] = [];
  for (let index = 0; index < 20; index++) {
    const request = requestOf(newId("msg"));
    const id = request.message_id;
    ids.push(id);
    await setting.append(
      onReceipts(id, receiptOf(id, "delivered")),
      onMessage(id, "no_stream", requested(request), sent(request)),
      onReceipts(id, receiptOf(id, "read")),
    );
  }
  const page = await setting.log.readAll({
    after: before,
    limit: 1000,
    types: receiptsReactor.types,
  });
  const batch = { ...page, caughtUp: true };
  const crashed = await bareReactor(() => Promise.reject(new Error("killed")));
  await crashed.handle(batch);
  await expect(crashed.stop(0)).rejects.toThrow("killed");
  const [one, other] = [await bareReactor(async () => {}), await bareReactor(async () => {})];
  await Promise.all([one.handle(batch), other.handle(batch)]);
  await Promise.all([one.stop(0), other.stop(0)]);
  for (const id of ids)
    expect(await setting.types(id)).toEqual([
      "MessageRequested",
      "MessageSent",
      "MessageDelivered",
      "MessageRead",
    ]);
  consumer = await runConsumer(receiptsReactor, setting.context);
  await settled();
  expect(await setting.log.head()).toBe(before + BigInt(20 * 6));
});

it("Two owners that decide the same batch at once settle by conflict and duplicate", async () => {
  await settled();
  await consumer.stop();
  const before = await setting.log.head();
  const requests = Array.from({ length: 50 }, () => requestOf(newId("msg")));
  for (const request of requests) {
    const id = request.message_id;
    await setting.append(
      onMessage(id, "no_stream", requested(request), sent(request)),
      onReceipts(id, receiptOf(id, "delivered")),
    );
  }
  const page = await setting.log.readAll({
    after: before,
    limit: 1000,
    types: receiptsReactor.types,
  });
  const batch = { ...page, caughtUp: true };
  const owners = await Promise.all([1, 2, 3].map(() => bareReactor(async () => {})));
  await Promise.all(owners.map((owner) => owner.handle(batch)));
  await Promise.all(owners.map((owner) => owner.stop(0)));
  for (const { message_id } of requests)
    expect(await setting.types(message_id)).toEqual([
      "MessageRequested",
      "MessageSent",
      "MessageDelivered",
    ]);
  consumer = await runConsumer(receiptsReactor, setting.context);
  await settled();
});

it("Divided, each shard goes on with what waits of its partners and with nothing else", async () => {
  const shards = 2;
  const [first, second] = [0, 1].map((shard) => partnerIn(shard, shards)) as [string, string];
  const requests = [first, second].map((partner) => ({
    partner,
    request: requestOf(newId("msg")),
  }));
  const early = requests.map(({ partner, request }) => {
    const receipt = { ...receiptOf(request.message_id, "delivered"), metadata: { partner } };
    return onReceipts(request.message_id, receipt);
  });
  await setting.append(...early);
  await settled();
  await consumer.stop();
  const waiting = (index: number) =>
    readParked(setting.pool, "delivery", 100_000, { index, count: shards });
  for (const [shard, { request }] of requests.entries()) {
    expect([...(await waiting(shard)).keys()]).toContain(request.message_id);
    expect([...(await waiting(1 - shard)).keys()]).not.toContain(request.message_id);
  }

  const { context } = setting;
  const divided = { ...context, settings: { ...context.settings, shards } };
  const copies = [
    await startConsumers(divided, [receiptsReactor]),
    await startConsumers(divided, [receiptsReactor]),
  ];
  await setting.append(
    ...requests.map(({ partner, request }) =>
      onMessage(request.message_id, "no_stream", requested(request, partner), {
        ...sent(request),
        metadata: { partner },
      }),
    ),
  );
  for (const { request } of requests)
    await until(async () => (await setting.state(request.message_id)).status === "delivered");
  await until(() =>
    copies.every(({ statuses }) => statuses.some(({ state }) => state === "running")),
  );
  await Promise.all(copies.map((copy) => copy.stop()));
  for (const [shard, { request }] of requests.entries()) {
    expect([...(await waiting(shard)).keys()]).not.toContain(request.message_id);
    expect((await setting.types(request.message_id)).at(-1)).toBe("MessageDelivered");
  }
});

it("What is kept for a failure comes back once where a reading by which it costs nothing came before the wallet's word, in one batch with it or not", async () => {
  const asked = [await accept(), await accept()];
  for (const [index, request] of asked.entries()) {
    const id = request.message_id;
    const error = { code: "content_rejected", class: "content", permanent: true } as const;
    const receipt = receiptOf(id, "undelivered").data as EventData<"ReceiptReceived">;
    const billed = { ...receipt, error: { ...error, billable: true as const } };
    await setting.append(
      onMessage(id, 0, sent(request)),
      onReceipts(id, fact("ReceiptReceived", billed)),
    );
    await until(async () => (await setting.types(id)).includes("DeliveryFailed"));
    const again = { ...receipt, error, before: "undelivered", callback_id: newId("cbk") } as const;
    if (index === 1) await consumer.stop();
    await setting.append(onReceipts(id, fact("ReceiptReread", again)));
    if (index === 0) await settled();
    await setting.append(onWallet("FundsKept", id));
    if (index === 1) consumer = await runConsumer(receiptsReactor, setting.context);
    await until(async () => (await setting.types(id)).includes("MessageCorrected"));
    await settled();
    expect((await setting.types(id)).slice(2)).toEqual([
      "DeliveryFailed",
      "MessageFailed",
      "MessageCorrected",
    ]);
    await setting.append(onWallet("FundsRefunded", id));
    await until(async () => (await setting.state(id)).refund?.amount === "0.0079");
    expect(await setting.state(id)).toMatchObject({ status: "failed", charge: undefined });
  }
});
