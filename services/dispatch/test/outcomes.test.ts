import { uuid5, streamOf } from "@heliograph/contracts";
import { loosely, until } from "@heliograph/testkit";
import { afterEach, beforeEach, expect, test } from "vitest";
import {
  eventually,
  history,
  openWorld,
  receiptsOf,
  send,
  settled,
  typesOf,
  type World,
} from "./harness.ts";

let world: World;
beforeEach(async () => {
  world = await openWorld();
  await world.dispatch();
  await world.receipts();
});
afterEach(() => world.close());

const one = async (to: string, type: string): Promise<{ id: string; types: string[] }> => {
  const [id] = await send(world.log, [{ to }]);
  const [types] = await eventually(world.log, [id!], type);
  return { id: id!, types: types! };
};

test.each(["+15550000001", "+15550001234", "delivered@example.com"])(
  "%s is sent and delivered",
  async (to) => {
    const { id, types } = await one(to, "MessageSent");
    expect(types).toEqual(["MessageRequested", "MessageSent"]);
    await until(async () => (await receiptsOf(world.log, id)).includes("delivered"));
    const sent = (await history(world.log, id))[1]!;
    expect(sent.data).toMatchObject({
      attempt: 1,
      gateway_kind: "simulator",
      choice: { reason: "the only gateway of the channel" },
      provider: { message_id: `sim_${loosely(sent.data).attempt_id.slice(4)}`, status: "accepted" },
      cost: "0.012",
    });
    expect(sent.metadata).toMatchObject({ actor: "dispatch", correlation: id });
    await settled(world);
  },
);

test("sent-only gets no receipt ever, its neighbour does", async () => {
  const { id } = await one("+15550000002", "MessageSent");
  const other = await one("+15550000001", "MessageSent");
  await until(async () => (await receiptsOf(world.log, other.id)).length === 1);
  expect(await receiptsOf(world.log, id)).toEqual([]);
});

test.each([3_600_000, -3_600_000])(
  "receipts come although the log's clock is %d ms off",
  async (logAheadMs) => {
    await world.close();
    world = await openWorld({ logAheadMs });
    await world.dispatch();
    await world.receipts();
    const { id } = await one("+15550000001", "MessageSent");
    await until(async () => (await receiptsOf(world.log, id)).includes("delivered"));
  },
);

test("unreachable is given up at the first attempt", async () => {
  const { id, types } = await one("+15550000003", "DispatchExhausted");
  expect(types).toEqual(["MessageRequested", "DispatchAttemptFailed", "DispatchExhausted"]);
  expect((await history(world.log, id))[2]!.data).toMatchObject({
    attempts: 1,
    error: { code: "recipient_unreachable", class: "recipient", permanent: true },
  });
});

test("nobody takes an expired one: it waits, with one call, and expires when its validity ends", async () => {
  const [id] = await send(world.log, [
    { to: "+15550000013", expires_at: new Date(Date.now() + 1_500).toISOString() },
  ]);
  const { rows } = await until(
    async () => {
      const found = await world.pool.query(
        "select due_at::float8 as due from dispatch.timers where message_id = $1",
        [id],
      );
      return found.rows.length > 0 && found;
    },
    { what: "it waits" },
  );
  const [types] = await eventually(world.log, [id!], "MessageExpired");
  expect(types).toEqual(["MessageRequested", "MessageExpired"]);
  const [request, end] = await history(world.log, id!);
  expect(rows[0].due).toBe(Date.parse(loosely(request!.data).expires_at));
  expect(loosely(end!.data).attempts).toBe(0);
  await settled(world);
});

test("read is delivered, then read", async () => {
  const { id } = await one("+15550000014", "MessageSent");
  await until(async () => (await receiptsOf(world.log, id)).includes("read"));
  expect(await receiptsOf(world.log, id)).toEqual(["delivered", "read"]);
});

test("flaky fails twice, then is sent at the third attempt", async () => {
  const { id, types } = await one("flaky@example.com", "MessageSent");
  expect(types).toEqual([
    "MessageRequested",
    "DispatchAttemptFailed",
    "DispatchAttemptFailed",
    "MessageSent",
  ]);
  expect(loosely((await history(world.log, id))[3]!.data).attempt).toBe(3);
  await settled(world);
});

test("exhausted fails six times: five retries", async () => {
  const { id, types } = await one("+15550000005", "DispatchExhausted");
  expect(types.filter((type) => type === "DispatchAttemptFailed")).toHaveLength(6);
  const events = await history(world.log, id);
  expect(events.slice(1, 7).map(({ data }) => loosely(data).next)).toEqual([
    "retry",
    "retry",
    "retry",
    "retry",
    "retry",
    "give_up",
  ]);
  expect(events.at(-1)!.data).toMatchObject({
    attempts: 6,
    error: { code: "recipient_unavailable", permanent: false },
  });
  await settled(world);
});

test("bounced is a permanent bounce for e-mail and undelivered for others", async () => {
  const mail = await one("bounced@example.com", "MessageSent");
  const text = await one("+15550000006", "MessageSent");
  await until(async () => (await receiptsOf(world.log, mail.id)).includes("bounced"));
  await until(async () => (await receiptsOf(world.log, text.id)).includes("undelivered"));
});

test("soft-bounced is sent again when delivery has deferred it, and delivered", async () => {
  const { id } = await one("soft-bounced@example.com", "MessageSent");
  await until(async () => (await receiptsOf(world.log, id)).includes("deferred"));
  const data = {
    message_id: id,
    attempt: 1,
    error: { code: "mailbox_full", class: "recipient", permanent: false },
  };
  await world.log.append([
    {
      stream: streamOf("message", id),
      expected: 1,
      events: [
        {
          id: uuid5(id, "BounceDeferred"),
          type: "BounceDeferred",
          data,
          metadata: { partner: "ptn_x" },
        },
      ],
    },
  ]);
  const [types] = await eventually(world.log, [id], "MessageResent");
  expect(types).toEqual(["MessageRequested", "MessageSent", "BounceDeferred", "MessageResent"]);
  await until(async () => (await receiptsOf(world.log, id)).includes("delivered"));
  await settled(world);
});

test("slow answers after five seconds and holds nobody else up", async () => {
  const [slow] = await send(world.log, [{ to: "+15550000008" }]);
  const others = await send(
    world.log,
    Array.from({ length: 200 }, (_, index) => ({ to: `+1555111${1000 + index}` })),
  );
  await eventually(world.log, others, "MessageSent", 4_000);
  expect(await typesOf(world.log, slow!)).toEqual(["MessageRequested"]);
  await eventually(world.log, [slow!], "MessageSent");
});

test("duplicate receipts become one event each, the first before the answer is recorded or after", async () => {
  const { id } = await one("+15550000009", "MessageSent");
  await until(async () => (await receiptsOf(world.log, id)).length === 2);
  expect(await receiptsOf(world.log, id)).toEqual(["delivered", "sent"]);
});

test("contradictory is delivered, then undelivered", async () => {
  const { id } = await one("contradictory@example.com", "MessageSent");
  await until(async () => (await receiptsOf(world.log, id)).length === 2);
  expect(await receiptsOf(world.log, id)).toEqual(["delivered", "undelivered"]);
});

test("uncertain is recorded, the provider is asked, and its yes is recorded for the same attempt", async () => {
  const { id, types } = await one("+15550000012", "MessageSent");
  expect(types).toEqual(["MessageRequested", "DispatchUncertain", "MessageSent"]);
  const [, doubt, sent] = await history(world.log, id);
  expect(doubt!.data).toMatchObject({ attempt: 1, cause: "timeout", policy: "ask_provider" });
  expect(sent!.data).toMatchObject({
    attempt: 1,
    attempt_id: loosely(doubt!.data).attempt_id,
    gateway_kind: "simulator",
  });
  await until(async () => (await receiptsOf(world.log, id)).includes("delivered"));
  await settled(world);
});
