import { newId, streamOf } from "@heliograph/contracts";
import { openControlPlane } from "@heliograph/platform";
import { isStopped, newLogger } from "@heliograph/runtime";
import { until } from "@heliograph/testkit";
import { openWorld, type World } from "@heliograph/testkit/world";
import { service as wallet } from "@heliograph/wallet";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { service } from "../src/index.ts";

let world: World;
let admin: string;
beforeAll(async () => {
  world = await openWorld({ services: [service, wallet] });
  const { id } = await world.addPartner();
  admin = await world.addKey(id, { environment: "live", scopes: ["admin"] });
});
afterAll(() => world.close());

const patch = (id: string, body: object, headers: Record<string, string> = {}) =>
  world.call("PATCH", `/api/v1/admin/partners/${id}`, { key: admin, body, headers });
const read = (id: string, headers: Record<string, string> = {}) =>
  world.call("GET", `/api/v1/admin/partners/${id}`, { key: admin, headers });

describe("a partner's settings", () => {
  test("are changed one by one, taken away with null, and kept where they are not named", async () => {
    const { id } = await world.addPartner();
    const limits = {
      rate_limit: { requests: 50, window_seconds: 10, burst: 5 },
      message_rate: 20,
      daily_messages: 1_000,
      recipient_rate: { messages: 5, window_seconds: 600 },
      allowed_countries: ["DE", "US"],
    };
    const first = await patch(id, { name: "Orders", ...limits });
    expect(first.status).toBe(200);
    expect(first.body).toMatchObject({ id, name: "Orders", status: "active", ...limits });
    const second = await patch(id, { rate_limit: 7, message_rate: null });
    expect(second.body).toMatchObject({
      ...limits,
      name: "Orders",
      rate_limit: { requests: 7, window_seconds: 1 },
      message_rate: null,
    });
    expect((await read(id)).body).toEqual(second.body);
    const { body } = await world.call("GET", "/api/v1/admin/partners?limit=100", { key: admin });
    expect(body.data).toContainEqual(second.body);
  });

  test("change only from the state that was seen, and not at all by a repetition", async () => {
    const { id } = await world.addPartner();
    const { headers, body } = await read(id);
    const etag = headers.get("etag")!;
    expect((await read(id, { "if-none-match": etag })).status).toBe(304);
    const key = { "idempotency-key": newId("req") };
    const changed = await patch(id, { message_rate: 3 }, { "if-match": etag, ...key });
    expect(changed.status).toBe(200);
    const again = await patch(id, { message_rate: 3 }, { "if-match": etag, ...key });
    expect(again.text).toBe(changed.text);
    const late = await patch(id, { message_rate: 4 }, { "if-match": etag });
    expect([late.status, late.body.code]).toEqual([412, "precondition_failed"]);
    const same = await patch(id, { message_rate: 3 });
    expect(same.headers.get("etag")).toBe(changed.headers.get("etag"));
    expect((await read(id)).body).toEqual({
      ...body,
      message_rate: 3,
      updated_at: changed.body.updated_at,
    });
  });

  test.each([
    [{ rate_limit: { requests: 0, window_seconds: 1 } }, "rate_limit"],
    [{ rate_limit: { requests: 5, window_seconds: 1, burst: 0 } }, "rate_limit"],
    [{ message_rate: 1.5 }, "message_rate"],
    [{ daily_messages: -1 }, "daily_messages"],
    [{ allowed_countries: ["UK"] }, "allowed_countries.0"],
    [{ allowed_countries: ["DE", "DE"] }, "allowed_countries"],
    [{ recipient_rate: { messages: 1, window_seconds: 90_000 } }, "recipient_rate.window_seconds"],
    [{ status: "closed" }, "status"],
    [{ currency: "EUR" }, "currency"],
  ])("refuse %o and change nothing", async (body, path) => {
    const { id } = await world.addPartner();
    const answer = await patch(id, body);
    expect([answer.status, answer.body.code]).toEqual([422, "invalid_request"]);
    expect(answer.body.errors[0].path.startsWith(path)).toBe(true);
    expect((await read(id)).headers.get("etag")).toBe('"0"');
  });

  test("are an operator's alone, and those of nobody are not there", async () => {
    const { id, key } = await world.addPartner();
    for (const method of ["GET", "PATCH"] as const) {
      const answer = await world.call(method, `/api/v1/admin/partners/${id}`, {
        key,
        ...(method === "PATCH" && { body: { message_rate: 1 } }),
      });
      expect([answer.status, answer.body.code]).toEqual([403, "insufficient_scope"]);
    }
    for (const unknown of [newId("ptn"), "x"]) {
      expect((await read(unknown)).status).toBe(404);
      expect((await patch(unknown, { message_rate: 1 })).status).toBe(404);
    }
  });
});

describe("a limit", () => {
  test("is in force in the next call, whatever the bucket held before", async () => {
    const { id, key } = await world.addPartner({
      rateLimit: { requests: 2, window_seconds: 3_600 },
    });
    const balance = () => world.call("GET", "/api/v1/balance", { key });
    const statuses = async (count: number) => {
      const found: number[] = [];
      for (let index = 0; index < count; index++) found.push((await balance()).status);
      return found;
    };
    expect(await statuses(3)).toEqual([200, 200, 429]);
    await patch(id, { rate_limit: { requests: 1, window_seconds: 3_600, burst: 5 } });
    expect(await statuses(6)).toEqual([200, 200, 200, 200, 200, 429]);
    const { headers } = await balance();
    expect(headers.get("ratelimit-policy")).toContain("q=1;w=3600");
    expect(Number(headers.get("retry-after"))).toBeGreaterThan(3_000);
  });
});

test("a change is known in another process soon after", async () => {
  const { settings, server } = world.platform;
  const other = await openControlPlane(settings, server, "given", newLogger("silent"));
  try {
    const { id } = await world.addPartner();
    await patch(id, { message_rate: 3, status: "suspended" });
    await until(() => other.directory.partner(id)?.message_rate === 3);
    expect(other.directory.partner(id)?.status).toBe("suspended");
  } finally {
    await other.close();
  }
});

describe("a partner that moves to another installation", () => {
  test("reads meanwhile, is told where it is afterwards, and is nobody's here, whatever an operator changes of it", async () => {
    const { id, key } = await world.addPartner();
    const { directory } = world.platform;
    const place = async (data: object) => {
      const placed = { partner_id: id, ...data, placed_at: new Date().toISOString() };
      await world.appendPlatform(streamOf("partner", id), "any", "PartnerPlaced", placed);
    };
    const issued = () => world.call("POST", "/api/v1/keys", { key, body: { name: "x" } });
    const balance = () => world.call("GET", "/api/v1/balance", { key });
    await place({ place: "leaving" });
    const refused = await issued();
    expect([refused.status, refused.body.code]).toEqual([503, "partner_moving"]);
    expect(refused.headers.get("retry-after")).toBe("30");
    expect((await balance()).status).toBe(200);
    expect([isStopped(directory.partner(id)), directory.isOver("live", id)]).toEqual([true, false]);

    await place({ place: "elsewhere", address: "https://new.example" });
    expect((await patch(id, { name: "Renamed" })).status).toBe(200);
    for (const { status, body } of [await issued(), await balance()]) {
      expect([status, body.code]).toEqual([410, "partner_moved"]);
      expect(body.moved_to).toBe("https://new.example");
    }
    for (const environment of ["live", "sandbox"] as const)
      expect(directory.isOver(environment, id)).toBe(true);

    await place({ place: "here" });
    expect((await issued()).status).toBe(201);
    expect([isStopped(directory.partner(id)), directory.isOver("live", id)]).toEqual([
      false,
      false,
    ]);
  });
});

describe("a suspended partner", () => {
  test("reads and takes its keys back, changes nothing else, and goes on when it is active again", async () => {
    const { id, key } = await world.addPartner();
    const other = await world.addKey(id);
    await patch(id, { status: "suspended" });
    const issued = await world.call("POST", "/api/v1/keys", { key, body: { name: "x" } });
    expect([issued.status, issued.body.code]).toEqual([403, "partner_suspended"]);
    const keys = await world.call("GET", "/api/v1/keys", { key });
    expect(keys.status).toBe(200);
    const second = keys.body.data.find(
      ({ prefix }: { prefix: string }) => prefix === other.slice(0, 12),
    );
    const revoked = await world.call("DELETE", `/api/v1/keys/${second.id}`, { key });
    expect(revoked.status).toBe(204);
    await patch(id, { status: "active" });
    expect((await world.call("POST", "/api/v1/keys", { key, body: { name: "x" } })).status).toBe(
      201,
    );
  });

  test("with an operator's key of its own lets itself in again", async () => {
    const { id } = await world.addPartner();
    const own = await world.addKey(id, { environment: "live", scopes: ["admin"] });
    const status = async (status: string) =>
      (await world.call("PATCH", `/api/v1/admin/partners/${id}`, { key: own, body: { status } }))
        .status;
    expect([await status("suspended"), await status("active")]).toEqual([200, 200]);
  });
});

test("a key of the sandbox changes no partner, for a partner has live in it", async () => {
  const { id } = await world.addPartner();
  const key = await world.addKey(id, { environment: "sandbox", scopes: ["admin"] });
  const answer = await world.call("PATCH", `/api/v1/admin/partners/${id}`, {
    key,
    body: { status: "suspended" },
  });
  expect([answer.status, answer.body.code]).toEqual([403, "insufficient_scope"]);
  expect((await read(id)).body.status).toBe("active");
});
