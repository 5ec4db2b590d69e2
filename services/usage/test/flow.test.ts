import { formatMoney, parseMoney, streamOf } from "@heliograph/contracts";
import { service as delivery } from "@heliograph/delivery";
import { service as dispatch } from "@heliograph/dispatch";
import { service as ingress } from "@heliograph/ingress";
import { spawnService, until } from "@heliograph/testkit";
import { openWorld } from "@heliograph/testkit/world";
import { service as walletService } from "@heliograph/wallet";
import { expect, test } from "vitest";
import { service } from "../src/index.ts";
import { readUsage } from "../src/tables/usage.ts";
import { bruteForce } from "./brute-force.ts";
import { append, begin, type Life } from "./lives.ts";

test("Real messages, of whatever end, cost what the ledger took for them and did not give back, and stand where the list of messages has them", async () => {
  const world = await openWorld({
    services: [ingress, service, walletService, dispatch, delivery],
    consumers: "run",
    env: { HELIOGRAPH_RETRY_SCALE: "0.001" },
  });
  try {
    const { id, key } = await world.addPartner();
    const { log } = world.platform.contexts.sandbox;
    const call = (method: string, path: string, body?: object) =>
      world.call(method, `/api/v1${path}`, { key, ...(body && { body }) });
    await call("POST", "/wallet/topups", { amount: "10" });
    const ends = {
      "0001": "delivered",
      "0002": "sent",
      "0003": "failed",
      "0004": "delivered",
      "0005": "failed",
      "0006": "failed",
      "0014": "read",
    };
    for (const [digits, end] of Object.entries(ends)) {
      const { body } = await call("POST", "/messages", {
        channel: "sms",
        to: `+1555080${digits}`,
        text: "Hello",
        tags: [end],
      });
      await until(async () => (await call("GET", `/messages/${body.id}`)).body.status === end, {
        timeoutMs: 15_000,
        what: `${digits} is ${end}`,
      });
    }
    const later = {
      channel: "sms",
      to: "+15550800001",
      text: "Later",
      send_at: new Date(Date.now() + 3_600_000).toISOString(),
    };
    const { body: made } = await call("POST", "/messages", later);
    expect((await call("POST", `/messages/${made.id}/cancel`)).status).toBe(200);
    const bounced = await call("POST", "/messages", {
      channel: "email",
      to: "bounced@example.com",
      subject: "Hi",
      text: "Hello",
    });
    await until(
      async () => (await call("GET", `/messages/${bounced.body.id}`)).body.status === "bounced",
      { timeoutMs: 15_000 },
    );
    const wallet = streamOf("wallet", id);
    // It is charged a moment after it is sent.
    await until(async () =>
      (await log.readStream(wallet)).some(
        ({ type, data }) =>
          type === "FundsCaptured" &&
          data.entries.some(({ message_id }) => message_id === bounced.body.id),
      ),
    );

    const told = async (query: string) => {
      const headers = { "min-log-position": String(await log.head()) };
      return (await world.call("GET", `/api/v1/usage?${query}`, { key, headers })).body.data;
    };
    let ledger = 0n;
    for (const { type, data } of await log.readStream(wallet))
      if (type === "FundsCaptured" || type === "FundsRefunded")
        for (const { amount } of data.entries)
          ledger += (type === "FundsCaptured" ? 1n : -1n) * parseMoney(amount)!;
    const [total] = await told("group_by=currency");
    expect(total).toMatchObject({
      accepted: 9,
      cost: formatMoney(ledger),
      sent: 6,
      delivered: 3,
      read: 1,
      failed: 3,
      bounced: 1,
      canceled: 1,
    });
    expect(total.latency_ms.accepted_to_sent.p50).toBeGreaterThanOrEqual(0);
    for (const { status, accepted } of await told("group_by=status"))
      expect((await call("GET", `/messages?status=${status}`)).body.data).toHaveLength(accepted);
    expect(
      (await told("group_by=tag")).map(({ tag, accepted }: { tag: string; accepted: number }) => [
        tag,
        accepted,
      ]),
    ).toEqual([
      [null, 2],
      ["delivered", 2],
      ["failed", 3],
      ["read", 1],
      ["sent", 1],
    ]);
  } finally {
    await world.close();
  }
}, 60_000);

test("Killed between rows and checkpoint, or behind both, the projector counts each message once", async () => {
  const world = await openWorld({ services: [service] });
  try {
    const { id } = await world.addPartner();
    const { log, pool } = world.platform.contexts.sandbox;
    const start = (failpoint?: string) =>
      spawnService(new URL("../src/main.ts", import.meta.url).pathname, {
        HELIOGRAPH_DATABASE_URL: world.databaseUrl,
        HELIOGRAPH_MASTER_KEY: world.platform.masterKey.toString("hex"),
        HELIOGRAPH_LOG_LEVEL: "warn",
        HELIOGRAPH_FAILPOINT: failpoint,
      });
    const killedAt = async (failpoint: string): Promise<void> => {
      const process = start(`${failpoint}:kill`);
      expect(await process.exited, process.output()).toMatchObject({ signal: "SIGKILL" });
    };
    const hour = 3_600_000;
    const told = async () => {
      const range = { from: begin / hour, to: begin / hour + 24 };
      const { rows, asOf } = await readUsage(pool, {
        partner: id,
        ...range,
        groups: ["channel", "currency"],
        limit: 9,
        after: undefined,
      });
      return { counts: rows[0]?.counts, cost: formatMoney(rows[0]?.costMicros ?? 0n), asOf };
    };
    const lives = (count: number): readonly Life[] =>
      Array.from({ length: count }, () => ({
        asked: {},
        types: ["MessageSent", "MessageDelivered"],
        gaps: [10, 20],
        gateways: ["sim-1", "sim-1"],
      }));
    const counted = async () => {
      const [row] = [...(await bruteForce(log, id, ["channel"])).values()];
      const { cost, toSent: _, toDelivered: __, ...counts } = row!;
      return { counts, cost };
    };
    await append(log, lives(5), id);
    await killedAt("usage.before_commit");
    expect(await told()).toEqual({ counts: undefined, cost: "0", asOf: 0n });
    await killedAt("usage.after_commit");
    expect(await told()).toMatchObject(await counted());
    await append(log, lives(3), id);
    const last = start();
    await until(async () => (await told()).asOf >= (await log.head()), { timeoutMs: 20_000 });
    await last.stop();
    expect(await told()).toMatchObject(await counted());
  } finally {
    await world.close();
  }
}, 90_000);
