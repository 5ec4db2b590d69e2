import { createHmac } from "node:crypto";
import net from "node:net";
import { channels, type Environment, environments, newId } from "@heliograph/contracts";
import { recordReceipts } from "@heliograph/gateways";
import type { EventLog } from "@heliograph/log";
import { services } from "@heliograph/ingress";
import { testServer, until, webhookSink } from "@heliograph/testkit";
import { openWorld, type World } from "@heliograph/testkit/world";
import { afterAll, beforeAll, expect, it } from "vitest";
import { headersOf } from "./alike.ts";
import { denyNetwork } from "./no-network.ts";
import { manyAndLater, money, people, refusals, sends, teller } from "./story.ts";

let world: World;
let sink: Awaited<ReturnType<typeof webhookSink>>;
let network: ReturnType<typeof denyNetwork>;
const keys = {} as Record<Environment, string>;
let partner: string;
const told = {} as Record<Environment, Awaited<ReturnType<typeof tell>>>;

beforeAll(async () => {
  sink = await webhookSink();
  const ports = new Set([sink.port]);
  network = denyNetwork(
    ({ host, port }) => /^(127\.0\.0\.1|localhost|::1)$/.test(host) && ports.has(port),
  );
  ports.add(Number((await testServer()).baseConfig.port));
  world = await openWorld({
    services,
    consumers: "run",
    env: { HELIOGRAPH_WEBHOOK_ALLOW_CIDRS: "127.0.0.0/8", HELIOGRAPH_RETRY_SCALE: "0.01" },
  });
  ports.add(world.port);
  await simulateLive();
  ({ id: partner, key: keys.sandbox } = await world.addPartner());
  keys.live = await world.addKey(partner, { environment: "live" });
  await world.fund(partner, "1000", "live");
  const all = await Promise.all(
    environments.map(async (name) => [name, await tell(name)] as const),
  );
  for (const [name, story] of all) told[name] = story;
}, 90_000);
afterAll(async () => {
  await world.close();
  await sink.close();
  network.restore();
});

/** Live gets the simulated gateways of the sandbox, by the same names. */
async function simulateLive(): Promise<void> {
  for (const channel of channels) {
    const [simulated] = world.platform.directory.gateways("sandbox", channel);
    const gateway_id = newId("gtw");
    const data = { ...simulated!, gateway_id, environment: "live" };
    await world.appendPlatform(
      `gateway-${gateway_id.slice(4)}`,
      "no_stream",
      "GatewayConfigured",
      data,
    );
  }
}

/** Every kind of call there is for a partner, one after another, as its environment answers it. */
async function tell(environment: Environment) {
  const story = teller(world, environment, keys[environment]);
  const { steps, step, read, alike } = story;
  const endpoint = await step("an endpoint", "POST", "/webhook-endpoints", {
    url: `${sink.url}/hook`,
  });
  await sends(story);
  await refusals(story);
  await manyAndLater(story);
  await people(story, world, partner);
  // The last event of the story: what comes before it in the feed is all there is.
  const feed = await until(async () => {
    const { data } = (await read("/events?limit=200")) as { data: readonly Event[] };
    return data.at(-1)?.type === "conversation.closed" ? data : undefined;
  });
  const hooks = await until(() => {
    const own = hooksOf(environment);
    return own.length >= feed.length ? own : undefined;
  });
  await money(story, endpoint);
  return { steps, feed, hooks, endpoint, alike };
}

type Event = {
  readonly id: string;
  readonly type: string;
  readonly environment: string;
  readonly sequence: number;
  readonly data: Record<string, string>;
};
const hooksOf = (environment: Environment) =>
  sink.requests
    .filter(({ body }) => JSON.parse(body.toString()).environment === environment)
    .toSorted(
      (one, other) =>
        JSON.parse(one.body.toString()).sequence - JSON.parse(other.body.toString()).sequence,
    );

/** Events of different subjects overtake each other; those of one do not. */
const bySubject = (events: readonly Event[], alike: (value: unknown) => unknown) => {
  const subjects = Map.groupBy(
    events,
    ({ data }) => data["message_id"] ?? data["conversation_id"] ?? data["contact_id"] ?? "",
  );
  return [...subjects]
    .map(([, of]) => of.map((event) => alike({ ...event, sequence: 0 })))
    .map((of) => JSON.stringify(of))
    .toSorted();
};

it("Every call is answered alike in live and in the sandbox: status, headers and body, field by field", () => {
  const { live, sandbox } = told;
  expect(sandbox.steps.length).toBeGreaterThan(60);
  for (const [index, step] of sandbox.steps.entries())
    expect(step, step.name).toEqual(live.steps[index]);
  const statuses = new Set(sandbox.steps.map(({ status }) => status));
  for (const status of [200, 201, 202, 400, 401, 403, 404, 405, 409, 422])
    expect(statuses).toContain(status);
});

it("Feed and webhooks tell the same of both, each numbered by itself without a hole", () => {
  for (const environment of environments) {
    const { feed, hooks } = told[environment];
    expect(feed.map(({ sequence }) => sequence)).toEqual(feed.map((_, index) => index + 1));
    expect(new Set(feed.map((event) => event.environment))).toEqual(new Set([environment]));
    // The feed says with each what its reader was told of before; a webhook is one text for all endpoints.
    const given = hooks.map(({ body }, index) => ({
      ...JSON.parse(body.toString()),
      previous_sequence: index,
    }));
    expect(given).toEqual(feed);
  }
  const { live, sandbox } = told;
  expect(bySubject(sandbox.feed, sandbox.alike)).toEqual(bySubject(live.feed, live.alike));
  const names = ({ hooks }: typeof live) => headersOf(Object.entries(hooks[0]!.headers));
  expect(names(sandbox)).toEqual(names(live));
});

it("An endpoint of live and one of the sandbox at the same address share nothing", () => {
  const { live, sandbox } = told;
  expect(sandbox.endpoint.url).toBe(live.endpoint.url);
  expect(sandbox.endpoint.id).not.toBe(live.endpoint.id);
  expect(sandbox.endpoint.secret).not.toBe(live.endpoint.secret);
  for (const environment of environments)
    for (const { headers, body } of told[environment].hooks) {
      const { "webhook-id": id, "webhook-timestamp": at } = headers;
      const signed = [id, at, body.toString()].join(".");
      const [own, others] = [
        told[environment],
        told[environment === "live" ? "sandbox" : "live"],
      ].map(
        ({ endpoint }) =>
          `v1,${createHmac("sha256", Buffer.from(endpoint.secret.slice(6), "base64"))
            .update(signed)
            .digest("base64")}`,
      );
      expect(headers["webhook-signature"]).toBe(own);
      expect(headers["webhook-signature"]).not.toBe(others);
    }
  const ids = (of: typeof live) => of.feed.map(({ id }) => id);
  expect(ids(sandbox).filter((id) => ids(live).includes(id))).toEqual([]);
});

it("Neither side sees what is the other's, and a live receipt with a sandbox message's id changes nothing there", async () => {
  const ids = (environment: Environment) =>
    told[environment].feed.flatMap(({ data }) => data["message_id"] ?? []);
  for (const [own, other] of [
    ["live", "sandbox"],
    ["sandbox", "live"],
  ] as const) {
    const id = ids(other)[0]!;
    for (const path of [
      `/messages/${id}`,
      `/messages/${id}/timeline`,
      `/webhook-endpoints/${told[other].endpoint.id}`,
    ])
      expect((await world.call("GET", `/api/v1${path}`, { key: keys[own] })).status, path).toBe(
        404,
      );
  }
  const call = (key: string, message_id: string) =>
    world.call("POST", "/api/v1/sandbox/receipts", {
      key,
      body: { message_id, status: "delivered" },
    });
  expect((await call(keys.live, ids("sandbox")[0]!)).body.code).toBe("insufficient_scope");
  expect((await call(keys.sandbox, ids("live")[0]!)).body.code).toBe("not_found");

  const { live, sandbox } = world.platform.contexts;
  const sent = await world.call("POST", "/api/v1/messages", {
    key: keys.sandbox,
    body: { channel: "sms", to: "+15550110002", text: "x" },
  });
  const { id } = sent.body;
  const status = async () =>
    (await world.call("GET", `/api/v1/messages/${id}`, { key: keys.sandbox })).body.status;
  await until(async () => (await status()) === "sent");
  const receipt = {
    message_id: id,
    gateway: "sim-sms",
    provider_message_id: "p",
    provider_event_id: "e",
    status: "delivered",
    occurred_at: new Date().toISOString(),
  } as const;
  const receiptsSince = async (log: EventLog, after: bigint) =>
    (await log.readAll({ after, limit: 1_000, types: ["ReceiptReceived"] })).events.length;
  const heads = [await live.log.head(), await sandbox.log.head()] as const;
  await recordReceipts(live.log, [{ receipt, partner }]);
  expect(await receiptsSince(live.log, heads[0])).toBe(1);
  expect(await receiptsSince(sandbox.log, heads[1])).toBe(0);
  expect(await status()).toBe("sent");
});

it("Not one byte left: nothing but the database, the API and the endpoints was connected to, and no name was looked up", async () => {
  expect(network.attempts).toEqual([]);
  const socket = net.connect(9, "192.0.2.1");
  await expect(new Promise((_, reject) => socket.once("error", reject))).rejects.toThrow("denied");
  await expect(fetch("http://example.org/")).rejects.toThrow();
  expect(network.attempts, "it would have been seen").toEqual(["192.0.2.1:9", "example.org:80"]);
});
