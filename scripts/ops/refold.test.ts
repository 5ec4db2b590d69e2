import { streamOf, type EventType } from "@heliograph/contracts";
import { spawnService, until, webhookSink, type WebhookSink } from "@heliograph/testkit";
import { openWorld, type World } from "@heliograph/testkit/world";
import { afterAll, beforeAll, expect, test } from "vitest";
import { services } from "../../services/ingress/src/index.ts";

const main = new URL("main.ts", import.meta.url).pathname;
const origin = "https://in.example";
const needed = "ingress wallet dispatch delivery inbound control usage lifecycle".split(" ");
let world: World;
let provider: WebhookSink;
let partner: string;
let key: string;
let admin: string;
type Gateway = { readonly id: string; readonly callback_url: string };
let gateway: Gateway;
let second: Gateway;

/** What the provider's words were taken for, and what they mean. */
const before = {
  SAID: "delivered",
  LOST: "delivered",
  HERE: "undelivered",
  ONWAY: "delivered",
  PAID: "undelivered",
};
const after = {
  SAID: "delivered",
  LOST: "undelivered",
  HERE: "delivered",
  LATE: "delivered",
  PAID: "undelivered",
};
const settings = (map: object, billable: readonly string[] = []) => ({
  url: `${provider.url}/send`,
  body: { to: "{{to}}" },
  success: { id: "/id" },
  receipts: { id: "/id", status: "/word", map, billable },
});

beforeAll(async () => {
  provider = await webhookSink();
  provider.behave(({ body }) => ({
    type: "answer",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ id: `p${JSON.parse(body).to}` }),
  }));
  world = await openWorld({
    services: services.filter(({ name }) => needed.includes(name)),
    consumers: "run",
    env: { HELIOGRAPH_PUBLIC_URL: origin },
  });
  ({ id: partner } = await world.addPartner());
  await world.fund(partner, "100", "live");
  key = await world.addKey(partner, { environment: "live" });
  admin = await world.addKey(partner, { environment: "live", scopes: ["admin"] });
  const made = async (name: string, channel: string, said: object): Promise<Gateway> => {
    const body = { name, channel, kind: "http", settings: said };
    return (await world.call("POST", "/api/v1/admin/gateways", { key: admin, body })).body;
  };
  // Who takes over has its own words, and is not read again.
  [gateway, second] = [
    await made("maker", "sms", settings(before, ["PAID"])),
    await made("second", "whatsapp", settings({ LOST: "undelivered" })),
  ];
}, 60_000);
afterAll(async () => {
  await world.close();
  await provider.close();
});

const live = () => world.platform.contexts.live;
const get = async (path: string) => (await world.call("GET", `/api/v1${path}`, { key })).body;
const typesOf = async (id: string): Promise<readonly EventType[]> =>
  (await live().log.readStream(streamOf("message", id))).map(({ type }) => type);
const comes = (id: string, type: EventType, times = 1) =>
  until(async () => (await typesOf(id)).filter((each) => each === type).length === times, {
    what: `${type} of ${id}`,
    timeoutMs: 20_000,
  });

async function send(to: string, more: object = {}): Promise<string> {
  const body = { channel: "sms", to, text: "Your code is 1234", ...more };
  const sent = await world.call("POST", "/api/v1/messages", { key, body });
  expect(sent.status).toBe(202);
  return sent.body.id;
}
async function say(by: Gateway, to: string, word: string): Promise<void> {
  const url = by.callback_url.replace(origin, `http://127.0.0.1:${world.port}`);
  const { status } = await fetch(url, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ id: `p${to}`, word }),
  });
  expect(status).toBe(200);
}

/** A message whose provider says one word of it. */
async function told(to: string, word: string, leadsTo: EventType | undefined): Promise<string> {
  const id = await send(to);
  await comes(id, "MessageSent");
  await say(gateway, to, word);
  if (leadsTo !== undefined) await comes(id, leadsTo);
  return id;
}

/** One whose first step fails by a receipt that is charged for, and whose second fails for nothing. */
async function toldOfSteps(to: string, then: string): Promise<string> {
  const step = { channel: "whatsapp", to: then, on: ["failed"] };
  const id = await send(to, { failover: [step] });
  await comes(id, "MessageSent");
  await say(gateway, to, "PAID");
  await comes(id, "MessageSent", 2);
  await say(second, then, "LOST");
  await comes(id, "MessageFailed");
  return id;
}

/** What was kept for a message is back: told once, and by one refund. */
async function isGivenBack(id: string): Promise<void> {
  // Once for the failure, and once more with what is given back.
  await comes(id, "MessageFailed", 2);
  expect((await typesOf(id)).filter((type) => type === "MessageCorrected")).toHaveLength(1);
  const shown = await get(`/messages/${id}`);
  expect(shown).toMatchObject({ status: "failed", cost: "0" });
  expect(shown.error.billable).toBeUndefined();
  const { events } = await live().log.readAll({
    after: 0n,
    limit: 1_000,
    types: ["FundsRefunded"],
  });
  const refunds = events
    .flatMap(({ data }) => data.entries)
    .filter((entry) => entry.message_id === id);
  expect(refunds).toHaveLength(1);
}

const refold = async (flags: readonly string[] = [], failpoint?: string) => {
  const env = {
    HELIOGRAPH_DATABASE_URL: world.databaseUrl,
    HELIOGRAPH_MASTER_KEY: world.platform.masterKey.toString("hex"),
    HELIOGRAPH_FAILPOINT: failpoint ?? "",
    NO_COLOR: "1",
  };
  const command = spawnService(main, env, ["refold-callbacks", "--gateway", "maker", ...flags]);
  return { ...(await command.exited), output: command.output() };
};

/** Everything up to the end of the log is read. */
const callbacksAreRead = () =>
  until(
    async () => {
      const { events } = await live().log.readAll({
        after: 0n,
        limit: 1_000,
        types: ["CallbackReceived"],
      });
      const { rows } = await live().pool.query<{ position: string }>(
        "select position::text from provider_callbacks.checkpoint",
      );
      return BigInt(rows[0]?.position ?? "0") >= events.at(-1)!.position;
    },
    { what: "the callbacks are read", timeoutMs: 20_000 },
  );

test("callbacks are read again after a parser was mended: outcomes are corrected once, whatever kills it, and money comes back but is not charged again", async () => {
  const right = await told("+15550000201", "SAID", "MessageDelivered");
  const lost = await told("+15550000202", "LOST", "MessageDelivered");
  const here = await told("+15550000203", "HERE", "MessageFailed");
  const late = await told("+15550000204", "LATE", undefined);
  const onWay = await told("+15550000205", "ONWAY", "MessageDelivered");
  const erased = await told("+15550000206", "LOST", "MessageDelivered");
  const kept = await told("+15550000207", "PAID", "MessageFailed");
  const steps = await toldOfSteps("+15550000208", "+15550000209");
  await callbacksAreRead();
  const { rows: known } = await live().pool.query<{ owner: string }>(
    "select owner from provider_callbacks.provider_ids where message_id = $1",
    [erased],
  );
  await live().vault.destroy(partner, [known[0]!.owner]);
  const price = Number((await get(`/messages/${right}`)).cost);
  const paid = await Promise.all([kept, steps].map((id) => get(`/messages/${id}`)));
  expect(paid).toMatchObject([{ status: "failed" }, { status: "failed" }]);
  const [forKept, forSteps] = paid.map(({ cost }) => Number(cost));
  expect([forKept, forSteps! > 0]).toEqual([price, true]);
  const spent = 5 * price + forKept! + forSteps!;
  expect(Number((await get("/balance")).available)).toBeCloseTo(100 - spent);

  const { status } = await world.call("PATCH", `/api/v1/admin/gateways/${gateway.id}`, {
    key: admin,
    body: { settings: settings(after) },
  });
  expect(status).toBe(200);

  const head = await live().log.head();
  const tried = await refold(["--dry-run"]);
  expect(tried.output).toContain(`${lost}  delivered -> failed  a receipt of maker was read again`);
  expect(tried.output).toContain(
    "8 callbacks were read again: 6 receipts say something else, 6 messages would be corrected; left as they are: 1 of people who were erased",
  );
  expect(await live().log.head()).toBe(head);

  for (const failpoint of ["refold.before_append:kill@2", "refold.after_append:kill"])
    expect((await refold([], failpoint)).signal).toBe("SIGKILL");
  expect(await refold()).toMatchObject({ code: 0 });

  for (const id of [lost, here, late, onWay]) await comes(id, "MessageCorrected");
  await comes(lost, "MessageFailed");
  for (const id of [kept, steps]) await isGivenBack(id);
  expect(await get(`/messages/${lost}`)).toMatchObject({
    status: "failed",
    cost: "0",
    error: { code: "undelivered" },
    refund: { currency: "USD" },
  });
  expect(await get(`/messages/${here}`)).toMatchObject({ status: "delivered", cost: "0" });
  expect((await get(`/messages/${here}`)).error).toBeUndefined();
  expect(await get(`/messages/${late}`)).toMatchObject({ status: "delivered" });
  expect(await get(`/messages/${onWay}`)).toMatchObject({ status: "sent" });
  expect((await get(`/messages/${onWay}`)).delivered_at).toBeUndefined();
  for (const id of [right, erased]) expect(await typesOf(id)).not.toContain("MessageCorrected");

  // Three more have their money back, and none of them paid twice.
  expect(Number((await get("/balance")).available)).toBeCloseTo(100 - 4 * price);
  expect((await get("/wallet/proof")).matches).toBe(true);
  const { data: rows } = await get(`/messages/${lost}/timeline`);
  expect(rows.find((row: { type: string }) => row.type === "MessageCorrected")).toMatchObject({
    reason: "a receipt of maker was read again: it says undelivered, and was taken for delivered",
    data: { status: "failed", before: { status: "delivered" } },
  });

  const told2 = await until(
    async () => {
      const { data } = await get("/events?types=message.corrected");
      return data.length === 6 && data;
    },
    { what: "the feed tells of the corrections", timeoutMs: 20_000 },
  );
  const shown = Object.fromEntries(
    told2.map(({ data }: { data: { message_id: string } }) => [data.message_id, data]),
  );
  expect(shown[here]).toMatchObject({
    status: "delivered",
    previous: { status: "failed", error: { code: "undelivered" } },
    cost: "0",
  });
  const listed = async (of: string) =>
    (await get(`/messages?status=${of}`)).data.map(({ id }: { id: string }) => id);
  await until(async () => (await listed("sent")).includes(onWay));
  expect(await listed("failed")).toEqual([steps, kept, lost]);
  await until(async () => {
    const { data: channels } = await get("/usage?group_by=channel");
    const row = channels.find(({ channel }: { channel: string }) => channel === "sms");
    return row.delivered === 4 && row.failed >= 2 && Math.abs(Number(row.cost) - 4 * price) < 1e-9;
  });

  const end = await live().log.head();
  const again = await refold();
  expect(again.output).toContain("0 receipts say something else, 0 messages are corrected");
  expect(await live().log.head()).toBe(end);
}, 120_000);
