import { randomBytes } from "node:crypto";
import { makeKey } from "@heliograph/contracts";
import { until } from "@heliograph/testkit";
import { openWorld, type World } from "@heliograph/testkit/world";
import { service as wallet } from "@heliograph/wallet";
import { afterAll, beforeAll, expect, test } from "vitest";
import { service } from "../src/index.ts";

let world: World;
beforeAll(async () => {
  world = await openWorld({
    services: [service, wallet],
    env: { HELIOGRAPH_TRUST_PROXY: "127.0.0.1/32" },
  });
});
afterAll(() => world.close());

const statusFrom = async (ip: string, key: string) => {
  const headers = { "x-forwarded-for": ip };
  const {
    status,
    body,
    headers: answered,
  } = await world.call("GET", "/api/v1/balance", {
    key,
    headers,
  });
  return { status, code: body.code as string, retryAfter: answered.get("retry-after") };
};

test("wrong keys from one /64 are refused with the wait from some number on, and right ones go through", async () => {
  const { key } = await world.addPartner();
  const wrong = makeKey("sandbox", randomBytes);
  const answers: Awaited<ReturnType<typeof statusFrom>>[] = [];
  for (let round = 0; round < 20; round++) {
    const from = (index: number) => `2001:db8:1:2::${(round * 40 + index).toString(16)}`;
    const calls = Array.from({ length: 40 }, (_, index) => statusFrom(from(index), wrong));
    answers.push(...(await Promise.all(calls)));
  }
  expect(answers.slice(0, 600).every(({ status }) => status === 401)).toBe(true);
  const limited = answers.filter(({ code }) => code === "rate_limited");
  expect(limited.length).toBeGreaterThan(20);
  expect(limited.every(({ status, retryAfter }) => status === 429 && retryAfter === "1")).toBe(
    true,
  );
  expect((await statusFrom("2001:db8:1:2::1", key)).status).toBe(200);
  expect((await statusFrom("2001:db8:1:3::1", wrong)).status).toBe(401);
});

test("an allow-list counts the address that a trusted proxy forwards, of either family and mapped", async () => {
  const { key } = await world.addPartner();
  const body = { name: "bound", allowed_cidrs: ["203.0.113.0/24", "2001:db8:a::/48"] };
  const { body: bound } = await world.call("POST", "/api/v1/keys", { key, body });
  for (const ip of ["203.0.113.7", "::ffff:203.0.113.8", "2001:db8:a:1::1", "[2001:db8:a::2]:443"])
    expect((await statusFrom(ip, bound.key)).status).toBe(200);
  for (const ip of ["203.0.114.7", "::ffff:203.0.114.8", "2001:db8:b::1", "nonsense", "127.0.0.1"])
    expect(await statusFrom(ip, bound.key)).toMatchObject({ status: 403, code: "ip_not_allowed" });
  // What the client itself writes before the proxy's word does not count.
  expect((await statusFrom("203.0.113.7, 198.51.100.1", bound.key)).status).toBe(403);
});

test("a key in the wrong place is written down as its first characters at most", async () => {
  const { id, key } = await world.addPartner();
  const admin = await world.addKey(id, { admin: true });
  const lost = makeKey("live", randomBytes);
  const post = (path: string, body: object, headers: Record<string, string> = {}) =>
    world.call("POST", `/api/v1${path}`, { key, body, headers });
  const answers = [
    await post("/keys", { name: "x", [lost]: 1 }),
    await post("/keys", { name: "x", scopes: [lost] }),
    await post(`/keys/${lost}/rotate`, {}),
    await world.call("DELETE", `/api/v1/keys/${lost}`, { key }),
    await world.call("GET", `/api/v1/keys/${lost}`, { key }),
    await world.call("GET", `/api/v1/keys?after=${lost}`, { key }),
    await world.call("GET", "/api/v1/balance", { key: `${lost}x` }),
    await world.call("GET", "/api/v1/balance", { key: lost, headers: { "request-id": lost } }),
  ];
  const { body: made } = await post("/keys", { name: "x" }, { "request-id": lost });
  const remove = await world.call("DELETE", `/api/v1/keys/${made.id}`, {
    key,
    headers: { "if-match": `"${lost}"`, traceparent: lost },
  });
  for (const { status, text, headers } of [...answers, remove]) {
    expect(status).toBeGreaterThanOrEqual(400);
    expect(text).not.toContain(lost.slice(0, 20));
    expect(headers.get("request-id")).not.toContain(lost);
  }
  const entries = await until(async () => {
    const { body, text } = await world.call("GET", "/api/v1/admin/audit?limit=100", { key: admin });
    const targets = body.data.map(({ target }: { target: string }) => target);
    return targets.some((target: string) => target.endsWith("/rotate")) ? text : undefined;
  });
  expect(entries).not.toContain(lost.slice(0, 20));
  const log = await world.platform.platformLog.readAll({ after: 0n, limit: 1_000 });
  expect(JSON.stringify(log.events.map(({ data, metadata }) => [data, metadata]))).not.toContain(
    lost,
  );
});
