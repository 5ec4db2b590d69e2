import { newId, streamOf, uuid7 } from "@heliograph/contracts";
import { until } from "@heliograph/testkit";
import { openWorld, type World } from "@heliograph/testkit/world";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { service } from "../src/index.ts";

let world: World;
beforeAll(async () => {
  world = await openWorld({ services: [service] });
});
afterAll(() => world.close());

const log = (environment: "live" | "sandbox" = "sandbox") =>
  world.platform.contexts[environment].log;
const get = (key: string, path: string) => world.call("GET", `/api/v1${path}`, { key });
const topup = (key: string, body: object, headers: Record<string, string> = {}) =>
  world.call("POST", "/api/v1/wallet/topups", { key, body, headers });

/** An event of a wallet's stream: the test is the wallet service here. */
async function walletEvent(
  partner: string,
  type: string,
  available: string,
  held: string,
  entries: object[],
): Promise<void> {
  const reason = type === "FundsDeclined" ? { reason: "insufficient_funds" } : {};
  const data = { covers: "0", available, held, currency: "USD", entries, ...reason };
  const [outcome] = await log().append([
    {
      stream: streamOf("wallet", partner),
      expected: "any",
      events: [{ id: uuid7(), type, data, metadata: { partner } }],
    },
  ]);
  if (outcome?.kind !== "appended") throw new Error(JSON.stringify(outcome));
}

/** Books the next top-up that is asked for, as the wallet service would. */
async function bookNext(environment: "live" | "sandbox", after: bigint): Promise<string> {
  const found = await until(async () => {
    const page = await log(environment).readAll({ after, limit: 10, types: ["TopupRequested"] });
    return page.events[0];
  });
  const { transaction_id, amount } = found.data;
  await log(environment).append([
    {
      stream: streamOf("wallet", found.metadata.partner!),
      expected: "any",
      events: [
        {
          id: uuid7(),
          type: "FundsToppedUp",
          data: {
            covers: "0",
            available: amount,
            held: "0",
            currency: "USD",
            entries: [{ transaction_id, amount }],
          },
          metadata: { partner: found.metadata.partner! },
        },
      ],
    },
  ]);
  return transaction_id;
}

describe("the balance", () => {
  test("is that after the wallet's last event", async () => {
    const { id, key } = await world.addPartner({ funds: "10" });
    await walletEvent(id, "FundsHeld", "9.5", "0.5", [{ message_id: newId("msg"), amount: "0.5" }]);
    const { status, body } = await get(key, "/balance");
    expect(status).toBe(200);
    expect(body).toMatchObject({ available: "9.5", held: "0.5", currency: "USD" });
    expect(body.as_of_position).toMatch(/^\d{16}$/);
  });

  test("of a wallet that nothing happened to is zero", async () => {
    const { id } = await world.addPartner();
    const live = await world.addKey(id, { environment: "live" });
    expect((await get(live, "/balance")).body).toEqual({
      available: "0",
      held: "0",
      currency: "USD",
      as_of_position: "0".repeat(16),
    });
  });
});

describe("a top-up", () => {
  test("is answered when the wallet has booked it", async () => {
    const { id, key } = await world.addPartner({ funds: "0" });
    const head = await log().head();
    const asked = topup(key, { amount: "25.50", reference: "invoice 7" });
    const transaction = await bookNext("sandbox", head);
    const { status, body, headers } = await asked;
    expect(status).toBe(201);
    expect(body).toEqual({ transaction_id: transaction, available: "25.5" });
    expect(headers.get("log-position")).toMatch(/^\d{16}$/);
    expect((await get(key, "/balance")).body.available).toBe("25.5");
    const [event] = await log().readStream(streamOf("topup", transaction));
    expect(event).toMatchObject({
      data: { amount: "25.5", reference: "invoice 7" },
      metadata: { partner: id },
    });
  });

  test("that the wallet does not book in time is 503, and a retry finds the same one", async () => {
    const { key } = await world.addPartner({ funds: "0" });
    const headers = { "idempotency-key": newId("req") };
    const head = await log().head();
    const late = await topup(key, { amount: "5" }, headers);
    expect(late.status).toBe(503);
    expect(late.body.code).toBe("log_unavailable");
    expect(Number(late.headers.get("retry-after"))).toBeGreaterThan(0);
    const transaction = await bookNext("sandbox", head);
    expect(late.body.transaction_id).toBe(transaction);
    const again = await topup(key, { amount: "5" }, headers);
    expect([again.status, again.body.transaction_id]).toEqual([201, transaction]);
    const { events } = await log().readAll({ after: head, limit: 10, types: ["TopupRequested"] });
    expect(events).toHaveLength(1);
  });

  test("of live funds, of another wallet or of the other environment needs an admin key", async () => {
    const { id, key } = await world.addPartner();
    const other = await world.addPartner();
    const live = await world.addKey(id, { environment: "live" });
    for (const [by, body] of [
      [live, { amount: "1" }],
      [key, { amount: "1", partner_id: other.id }],
      [key, { amount: "1", environment: "live" }],
    ] as const) {
      const answer = await topup(by, body);
      expect([answer.status, answer.body.required_scope]).toEqual([403, "admin"]);
    }
    const sandboxAdmin = await world.addKey(id, { scopes: ["admin"] });
    expect((await topup(sandboxAdmin, { amount: "1", environment: "live" })).status).toBe(403);
    const admin = await world.addKey(id, { environment: "live", scopes: ["admin"] });
    const head = await log("live").head();
    const asked = topup(admin, { amount: "3", partner_id: other.id });
    await bookNext("live", head);
    expect((await asked).status).toBe(201);
    const [booked] = await log("live").readStream(streamOf("wallet", other.id));
    expect(booked!.data.available).toBe("3");
    expect((await topup(admin, { amount: "3", partner_id: newId("ptn") })).status).toBe(404);
  });

  test.each([
    [{ amount: "0" }, "amount"],
    [{ amount: "-1" }, "amount"],
    [{ amount: "1e3" }, "amount"],
    [{ amount: "0.0000001" }, "amount"],
    [{ amount: "1000000001" }, "amount"],
    [{ amount: 5 }, "amount"],
    [{ amount: "1", currency: "EUR" }, "currency"],
    [{ amount: "1", reference: "" }, "reference"],
  ])("of %j is refused", async (body, path) => {
    const { key } = await world.addPartner();
    const answer = await topup(key, body);
    expect([answer.status, answer.body.errors[0].path]).toEqual([422, path]);
  });
});

describe("the transactions and their proof", () => {
  async function history(): Promise<{ id: string; key: string; middle: string }> {
    const { id, key } = await world.addPartner({ funds: "10" });
    const messages = Array.from({ length: 60 }, () => newId("msg"));
    await walletEvent(
      id,
      "FundsHeld",
      "4",
      "6",
      messages.map((message_id) => ({ message_id, amount: "0.1" })),
    );
    const middle = (await get(key, "/balance")).body.as_of_position;
    for (let index = 0; index < 60; index++)
      await walletEvent(
        id,
        index % 2 === 0 ? "FundsCaptured" : "FundsReleased",
        String((40 + Math.floor((index + 1) / 2)) / 10),
        String((59 - index) / 10),
        [{ message_id: messages[index]!, amount: "0.1" }],
      );
    return { id, key, middle };
  }

  test("are listed newest first, and pages join without a gap in both directions", async () => {
    const { key } = await history();
    const ids: string[] = [];
    let cursor: string | null = null;
    let previous: string | null = null;
    let pages = 0;
    do {
      const query: string = cursor === null ? "" : `&after=${cursor}`;
      const { body } = await get(key, `/wallet/transactions?limit=25${query}`);
      ids.push(...body.data.map((item: { id: string }) => item.id));
      previous = body.prev_cursor;
      cursor = body.next_cursor;
      pages++;
    } while (cursor !== null);
    expect([ids.length, new Set(ids).size, pages]).toEqual([121, 121, 5]);
    const back = await get(key, `/wallet/transactions?limit=25&before=${previous}`);
    expect(back.body.data.map((item: { id: string }) => item.id)).toEqual(ids.slice(75, 100));
    expect(back.body.next_cursor).not.toBeNull();
    const all = (await get(key, "/wallet/transactions?limit=100")).body.data;
    expect(all[0]).toMatchObject({ kind: "release", amount: "0.1", event_id: expect.any(String) });
    const last = (await get(key, `/wallet/transactions?limit=25&after=${back.body.next_cursor}`))
      .body.data;
    expect(last.at(-1)).toMatchObject({ kind: "topup", balance_after: "10" });
  });

  test("are filtered by kind, message, reference and time", async () => {
    const { key } = await history();
    const list = (query: string) => get(key, `/wallet/transactions?${query}`);
    const { body } = await list("kind=topup,release&limit=100");
    expect(body.data).toHaveLength(31);
    const [{ message_id: id }] = body.data;
    const own = (await list(`message_id=${id}`)).body.data;
    expect(own.map(({ kind }: { kind: string }) => kind)).toEqual(["release", "hold"]);
    for (const none of ["reference=none", "created_from=2099-01-01T00:00:00Z"])
      expect((await list(none)).body).toMatchObject({ data: [], next_cursor: null });
    for (const wrong of ["kind=gift", "created_before=yesterday"])
      expect((await list(wrong)).status).toBe(422);
  });

  test("the proof recomputes the wallet now and at an earlier position", async () => {
    const { key, middle } = await history();
    const now = (await get(key, "/wallet/proof")).body;
    expect(now).toMatchObject({ matches: true, balance: "7", holds_open: 0, entries: 242 });
    const then = (await get(key, `/wallet/proof?at=${middle}`)).body;
    expect(then).toMatchObject({ matches: true, balance: "4", held: "6", holds_open: 60 });
    expect(then.position).toBe(middle);
    expect(then.debits).toBe(then.credits);
    expect((await get(key, "/wallet/proof?at=nonsense")).status).toBe(422);
    expect((await get(key, "/wallet/proof?at=9999999999999999")).status).toBe(422);
  });

  test("a proof shows a balance that does not follow from the entries", async () => {
    const { id, key } = await world.addPartner({ funds: "10" });
    await walletEvent(id, "FundsHeld", "9.7", "0.2", [{ message_id: newId("msg"), amount: "0.2" }]);
    const { body } = await get(key, "/wallet/proof");
    expect(body.matches).toBe(false);
    expect(body.mismatch).toContain("9.7");
  });
});
