import { newId, streamOf, uuid7, type EventData } from "@heliograph/contracts";
import { unsubscribeLink } from "@heliograph/gateways";
import { openWorld, type World } from "@heliograph/testkit/world";
import { afterAll, beforeAll, expect, test } from "vitest";
import { service } from "../src/index.ts";
import { periodsOf } from "./people.ts";

let world: World;
beforeAll(async () => {
  world = await openWorld({ services: [service], driver: "memory", partners: [{}] });
}, 60_000);
afterAll(() => world.close());

const me = (): string => world.partners[0]!.id;
const periods = (to: string) => periodsOf(world.platform.contexts.live, me(), to, "email");

/** A mail that was accepted, and the link in it. */
async function mailed(to: string, changes: Partial<EventData<"MessageRequested">> = {}) {
  const messageId = newId("msg");
  const data: EventData<"MessageRequested"> = {
    message_id: messageId,
    channel: "email",
    to,
    content: { text: "Sale" },
    category: "marketing",
    priority: 1,
    expires_at: "2099-05-24T14:22:17.000Z",
    cost: "0.001",
    currency: "USD",
    price: { list: "standard", version: 1, country: "*", per_segment: "0.001" },
    segments: { count: 1, encoding: "none", characters: 4 },
    created_at: new Date().toISOString(),
    ...changes,
  };
  const metadata = { partner: me(), actor: "test" };
  const events = [{ id: uuid7(), type: "MessageRequested", data, metadata }];
  const stream = streamOf("message", messageId);
  const [outcome] = await world.platform.contexts.live.log.append([
    { stream, expected: "no_stream", events },
  ]);
  if (outcome!.kind !== "appended") throw new Error(JSON.stringify(outcome));
  const origin = `http://127.0.0.1:${world.port}`;
  return unsubscribeLink(origin, world.platform.masterKey, { environment: "live", messageId });
}

const form = { "content-type": "application/x-www-form-urlencoded" };
const click = (link: string, body: string | FormData = "List-Unsubscribe=One-Click") =>
  fetch(link, {
    method: "POST",
    redirect: "manual",
    body,
    ...(typeof body === "string" && { headers: form }),
  });

test("a link that is followed changes nothing; one click stops marketing, once however often", async () => {
  const to = "ada@example.com";
  const link = await mailed(to);
  const shown = await fetch(link);
  expect(shown.status).toBe(200);
  expect(shown.headers.get("content-type")).toBe("text/html; charset=utf-8");
  expect(await shown.text()).toMatch(/from Test\?[^]*<form method="post">/);
  expect((await fetch(link, { method: "HEAD" })).status).toBeLessThan(500);
  expect(await periods(to)).toEqual([]);
  const many = new FormData();
  many.set("List-Unsubscribe", "One-Click");
  const answers = await Promise.all([click(link), click(link), click(link, many), click(link, "")]);
  expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200]);
  expect(answers.every(({ headers }) => headers.get("set-cookie") === null)).toBe(true);
  expect((await periods(to)).map(({ type, data }) => ({ type, ...data }))).toMatchObject([
    { type: "SuppressionStarted", reason: "unsubscribe", applies_to: "marketing" },
  ]);
  // The next mail's link, to one who is out already.
  expect((await click(await mailed(to))).status).toBe(200);
  expect(await periods(to)).toHaveLength(1);
});

test("who has asked for more since is out again by the same link", async () => {
  const to = "grace@example.com";
  const link = await mailed(to);
  await click(link);
  const key = await world.addKey(me(), { environment: "live" });
  const { suppression_id: id } = (await periods(to))[0]!.data as EventData<"SuppressionStarted">;
  const ended = await world.call("DELETE", `/api/v1/suppressions/${id}`, { key });
  expect(ended.status).toBe(200);
  expect((await click(link)).status).toBe(200);
  expect((await periods(to)).map(({ type }) => type)).toEqual([
    "SuppressionStarted",
    "SuppressionEnded",
    "SuppressionStarted",
  ]);
});

test("a link that was made up, or of a message that was no mail, leads nowhere", async () => {
  const link = await mailed("eve@example.com");
  const last = link.at(-2) === "A" ? "B" : "A";
  const phone = await mailed("+15550000001", { channel: "sms" });
  for (const wrong of [`${link.slice(0, -2)}${last}${link.at(-1)}`, link.slice(0, -1), phone]) {
    expect((await click(wrong)).status).toBe(404);
    expect((await fetch(wrong)).status).toBe(404);
  }
  expect((await click(link, "x".repeat(20_000))).status).toBe(413);
  expect(await periods("eve@example.com")).toEqual([]);
});

test("the mail among the ways of a message is the one that is meant", async () => {
  const to = "step@example.com";
  const step = {
    channel: "email" as const,
    to,
    content: { text: "Sale" },
    cost: "0.001",
    price: { list: "standard", version: 1, country: "*", per_segment: "0.001" },
    segments: { count: 1, encoding: "none" as const, characters: 4 },
    on: ["failed" as const],
  };
  const link = await mailed("+15550000002", { channel: "sms", failover: [step] });
  expect((await click(link)).status).toBe(200);
  expect(await periods(to)).toHaveLength(1);
});
