import { service as delivery } from "@heliograph/delivery";
import { service as dispatch } from "@heliograph/dispatch";
import { service as ingress } from "@heliograph/ingress";
import { newId, streamOf, uuid7 } from "@heliograph/contracts";
import { until } from "@heliograph/testkit";
import { openWorld, type World } from "@heliograph/testkit/world";
import { service as wallet } from "@heliograph/wallet";
import { afterAll, beforeAll, expect, test } from "vitest";
import { service } from "../src/index.ts";
import { answersOf, ownerOf, periodsOf, write, type Said } from "./people.ts";

let world: World;
let context: World["platform"]["contexts"]["sandbox"];
let partner: { id: string; key: string };
beforeAll(async () => {
  world = await openWorld({
    services: [ingress, service, wallet, dispatch, delivery],
    consumers: "run",
    env: { HELIOGRAPH_RETRY_SCALE: "0.01" },
  });
  context = world.platform.contexts.sandbox;
  partner = await world.addPartner();
  const body = { amount: "10" };
  await world.call("POST", "/api/v1/wallet/topups", { key: partner.key, body });
});
afterAll(() => world.close());

const says = (said: Said) => write(context, partner.id, said);
const typesOf = async (to: string, channel?: Said["channel"]) =>
  (await periodsOf(context, partner.id, to, channel)).map(({ type }) => type);
const become = (to: string, types: readonly string[], channel?: Said["channel"]) =>
  until(async () => {
    const now = await typesOf(to, channel);
    return now.join() === types.join() ? now : undefined;
  });
/** Everything that was written before has been looked at once this has had its effect. */
let last = 0;
const settled = async () => {
  const from = `+1555090${String(1_000 + ++last)}`;
  await says({ from, text: "STOP" });
  await become(from, ["SuppressionStarted"]);
};
const answers = async (to: string) =>
  (await answersOf(context, partner.id)).filter(({ request }) => request.to === to);
const list = async (query: string) =>
  (await world.call("GET", `/api/v1/suppressions?${query}`, { key: partner.key })).body.data;

test("STOP stops the channel and the address with the message as evidence, and is confirmed once", async () => {
  const from = "+15550807101";
  const messageId = await says({ from, text: " Arrêt! " });
  await become(from, ["SuppressionStarted"]);
  const [shown] = await until(async () => {
    const found = await list(`to=${encodeURIComponent(from)}&active=true`);
    return found.length > 0 ? found : undefined;
  });
  expect(shown).toMatchObject({
    channel: "sms",
    to: from,
    applies_to: "all",
    reason: "keyword",
    evidence: { message_id: messageId, text: " Arrêt! " },
    ended_at: null,
  });
  await says({ from, text: "STOP" });
  await settled();
  expect(await typesOf(from), "a second STOP changes nothing").toEqual(["SuppressionStarted"]);
  const [confirmation, ...more] = await until(async () => {
    const found = await answers(from);
    return found[0]?.status === "delivered" ? found : undefined;
  });
  expect(more).toEqual([]);
  expect(confirmation!.request).toMatchObject({
    keyword: "stop",
    from: "+15550109999",
    conversation_id: expect.stringMatching(/^cnv_/),
    contact_id: expect.stringMatching(/^cnt_/),
    content: { text: expect.stringContaining("vous ne recevrez plus") },
  });
  expect(confirmation!.charged, "it is paid like any message").toBe(true);
  const [stored] = await context.log.readStream(streamOf("message", confirmation!.id));
  expect(JSON.stringify(stored!.data), "and it is sealed like any reply").not.toMatch(
    from.slice(1),
  );
  const refused = await until(async () => {
    const body = { channel: "sms", to: from, text: "x" };
    const answer = await world.call("POST", "/api/v1/messages", { key: partner.key, body });
    return answer.status === 422 ? answer : undefined;
  });
  expect(refused.body.code).toBe("recipient_suppressed");
  expect(await typesOf(from, "whatsapp"), "another channel is not stopped").toEqual([]);
});

test("A scheduled message to somebody who writes STOP becomes rejected, and its hold is released", async () => {
  const from = "+15550807102";
  const { body } = await world.call("POST", "/api/v1/messages", {
    key: partner.key,
    body: {
      channel: "sms",
      to: from,
      text: "x",
      send_at: new Date(Date.now() + 86_400_000).toISOString(),
    },
  });
  const due = async () =>
    (
      await context.pool.query("update dispatch.timers set due_at = 0 where message_id = $1", [
        body.id,
      ])
    ).rowCount;
  await until(
    async () =>
      (await context.pool.query("select from dispatch.timers where message_id = $1", [body.id]))
        .rowCount === 1,
  );
  await says({ from, text: "stop" });
  await become(from, ["SuppressionStarted"]);
  expect(await due()).toBe(1);
  // A retry of another message makes dispatch look at what is due.
  const next = { channel: "sms", to: "+15550800004", text: "x" };
  await world.call("POST", "/api/v1/messages", { key: partner.key, body: next });
  const message = await until(
    async () => {
      const path = `/api/v1/messages/${body.id}`;
      const found = await world.call("GET", path, { key: partner.key });
      return found.body.status === "rejected" ? found.body : undefined;
    },
    { timeoutMs: 15_000 },
  );
  expect(message.error.code).toBe("recipient_suppressed");
  await until(async () => {
    const held = await world.call("GET", "/api/v1/balance", { key: partner.key });
    return held.body.held === "0";
  });
});

test("STOP in prose and STOP of a machine stop nothing", async () => {
  const from = "+15550807103";
  for (const text of ["We have got to STOP this bill!", "STOP 12345", "please stop"])
    await says({ from, text });
  await says({ from, text: "STOP", automatic: true });
  await says({ from });
  await settled();
  expect(await typesOf(from)).toEqual([]);
  expect(await answers(from)).toEqual([]);
});

test("START does not forgive too much: it ends what STOP began, and a complaint stays", async () => {
  const from = "+15550807104";
  const { log } = context;
  const created = await world.call("POST", "/api/v1/suppressions", {
    key: partner.key,
    body: { channel: "sms", to: from, applies_to: "marketing" },
  });
  await says({ from, text: "STOP" });
  await become(from, ["SuppressionStarted", "SuppressionStarted"]);
  // A complaint, as a provider's report makes it.
  const [first] = await periodsOf(context, partner.id, from);
  const active = (await periodsOf(context, partner.id, from)).at(-1)!.data;
  if (first?.type !== "SuppressionStarted" || !("active" in active)) throw new Error("no period");
  const complaint = {
    ...first.data,
    suppression_id: newId("sup"),
    reason: "complaint" as const,
    applies_to: "all" as const,
  };
  const { suppression_id: id, reason, applies_to } = complaint;
  await log.append([
    {
      stream: first.stream,
      expected: 1,
      events: [
        {
          id: uuid7(),
          type: "SuppressionStarted",
          data: { ...complaint, active: [...active.active, { id, reason, applies_to }] },
          metadata: { partner: partner.id },
        },
      ],
    },
  ]);
  const start = await says({ from, text: "Start!" });
  await become(from, [
    "SuppressionStarted",
    "SuppressionStarted",
    "SuppressionStarted",
    "SuppressionEnded",
  ]);
  const ended = (await periodsOf(context, partner.id, from)).at(-1)!;
  expect(ended.data).toMatchObject({
    reason: "keyword",
    evidence: { message_id: start },
    active: [{ id: created.body.id }, { id, reason: "complaint" }],
  });
  // DELETE ends any, a complaint too.
  const over = await until(async () => {
    const [shown] = await list(`to=${encodeURIComponent(from)}&active=true`);
    return shown?.reason === "complaint" ? shown : undefined;
  });
  expect(over.ended_at).toBeNull();
});

test("HELP is answered by an ordinary message, once in ten minutes, also to somebody who has opted out, and STOP and START in turn are not confirmed more often", async () => {
  const from = "+15550807105";
  const at = new Date(Math.floor(Date.now() / 600_000) * 600_000);
  await says({ from, text: "STOP", at });
  for (const text of ["help", "hilfe", "START", "STOP", "START"]) await says({ from, text, at });
  await settled();
  const found = await until(async () => {
    const now = await answers(from);
    return now.length >= 3 && now.every(({ status }) => status === "delivered") ? now : undefined;
  });
  expect(found.map(({ request }) => request.keyword)).toEqual(["stop", "help", "start"]);
  await says({ from, text: "help", at: new Date(at.getTime() + 600_000) });
  await settled();
  expect((await answers(from)).length).toBe(4);
});

test("A mail's subject is its keyword where it says nothing, and the answer is one to that subject", async () => {
  const from = "ada@example.com";
  const messageId = await says({ channel: "email", from, subject: "unsubscribe" });
  await become(from, ["SuppressionStarted"], "email");
  await settled();
  const [confirmation] = await answers(from);
  expect(confirmation!.request).toMatchObject({
    channel: "email",
    from: "help@shop.example",
    content: { subject: "Re: unsubscribe" },
    in_reply_to: `<${messageId}@mail.example>`,
    reply: { by: { id: "service:suppressions" }, answers: false },
  });
});

test("Mail that comes back for good suppresses its recipient, and the sandbox's own addresses stay usable", async () => {
  const comesBack = async (to: string, error: object): Promise<string> => {
    const id = newId("msg");
    await context.log.append([
      {
        stream: streamOf("message", id),
        expected: "no_stream",
        events: [
          {
            id: uuid7(),
            type: "MessageBounced",
            data: {
              message_id: id,
              message: { channel: "email", to },
              error: { code: "mailbox_not_found", class: "recipient", permanent: true, ...error },
              diagnostic: "smtp; 550 5.1.1 no such user",
            },
            metadata: { partner: partner.id },
          },
        ],
      },
    ]);
    return id;
  };
  await comesBack("bounced@example.com", {});
  await comesBack("policy@example.com", { class: "content" });
  const gone = await comesBack("gone@example.com", {});
  await become("gone@example.com", ["SuppressionStarted"], "email");
  const [period] = await until(async () => {
    const found = await list("to=gone@example.com");
    return found.length > 0 ? found : undefined;
  });
  expect(period).toMatchObject({
    reason: "bounce",
    applies_to: "all",
    evidence: { text: "smtp; 550 5.1.1 no such user" },
  });
  expect(await typesOf("bounced@example.com", "email")).toEqual([]);
  expect(await typesOf("policy@example.com", "email")).toEqual([]);

  const corrected = (status: string, before: string, expected: number) =>
    context.log.append([
      {
        stream: streamOf("message", gone),
        expected,
        events: [
          {
            id: uuid7(),
            type: "MessageCorrected",
            data: {
              message_id: gone,
              message: { channel: "email", to: "gone@example.com" },
              status,
              before: { status: before },
              reason: "read again",
              gateway: "http-1",
              provider_message_id: "1",
              at: new Date().toISOString(),
              ...(status === "bounced" && {
                error: { code: "mailbox_not_found", class: "recipient", permanent: true },
              }),
              refunds: false,
              cost: "0.01",
              currency: "USD",
            },
            metadata: { partner: partner.id },
          },
        ],
      },
    ]);
  await corrected("delivered", "bounced", 0);
  await become("gone@example.com", ["SuppressionStarted", "SuppressionEnded"], "email");
  await corrected("bounced", "delivered", 1);
  const [started, ended] = ["SuppressionStarted", "SuppressionEnded"];
  await become("gone@example.com", [started!, ended!, started!], "email");
});

test("Who complains gets nothing more: from the send to the refusal, and no START ends it", async () => {
  const to = "complained+1@example.com";
  const send = () => {
    const body = { channel: "email", to, subject: "Spring", text: "x" };
    return world.call("POST", "/api/v1/messages", { key: partner.key, body });
  };
  const { body: sent } = await send();
  const path = `/api/v1/messages/${sent.id}`;
  const [period] = await until(async () => {
    const found = await list(`to=${encodeURIComponent(to)}&active=true`);
    return found.length > 0 ? found : undefined;
  });
  expect(period).toMatchObject({
    channel: "email",
    to,
    applies_to: "all",
    reason: "complaint",
    evidence: { message_id: sent.id, text: "The recipient reported it as unwanted" },
    ended_at: null,
  });
  const timeline = await world.call("GET", `${path}/timeline`, { key: partner.key });
  const types = timeline.body.data.map(({ type }: { type: string }) => type);
  expect(types.filter((type: string) => type === "MessageComplained")).toHaveLength(1);
  const message = await world.call("GET", path, { key: partner.key });
  expect(message.body.status).toBe("delivered");
  await says({ channel: "email", from: to, text: "START" });
  await settled();
  const refused = await send();
  expect([refused.status, refused.body]).toMatchObject([
    422,
    {
      code: "recipient_suppressed",
      suppression_id: period.id,
      detail: "The recipient complained.",
    },
  ]);
  // The partner may end it; the next complaint begins another.
  await world.call("DELETE", `/api/v1/suppressions/${period.id}`, { key: partner.key });
  const { body: again } = await send();
  await become(to, ["SuppressionStarted", "SuppressionEnded", "SuppressionStarted"], "email");
  const [, , next] = await periodsOf(context, partner.id, to, "email");
  expect(next!.data).toMatchObject({ reason: "complaint", evidence: { message_id: again.id } });
});

test("In live a complaint, told twice and about a sealed recipient, suppresses once, and sandbox hears nothing of it", async () => {
  const { live } = world.platform.contexts;
  const to = "ada@live.example";
  const seal = await live.vault.seal({ partner: partner.id, subject: newId("cnt") });
  for (const id of [newId("msg"), newId("msg")])
    await live.log.append([
      {
        stream: streamOf("message", id),
        expected: "no_stream",
        events: [
          {
            id: uuid7(),
            type: "MessageComplained",
            data: {
              message_id: id,
              message: { channel: "email", to: seal(to) },
              gateway: "smtp",
              provider_message_id: "<1@mail.example>",
              at: new Date().toISOString(),
            },
            metadata: { partner: partner.id },
          },
        ],
      },
    ]);
  const last = "+15550817110";
  await write(live, partner.id, { from: last, text: "STOP" });
  await until(async () => (await periodsOf(live, partner.id, last)).length > 0 || undefined);
  const periods = await periodsOf(live, partner.id, to, "email");
  expect(periods.map(({ data }) => data)).toMatchObject([{ reason: "complaint" }]);
  expect(await typesOf(to, "email")).toEqual([]);
});

test("After an erasure the opt-out stands, and nothing of it can be read", async () => {
  const from = "+15550807106";
  await says({ from, text: "STOP" });
  await become(from, ["SuppressionStarted"]);
  await context.vault.destroy(partner.id, [ownerOf(context, partner.id, "sms", from)]);
  const [shown] = await until(async () => {
    const found = await list(`to=${encodeURIComponent(from)}`);
    return found.length > 0 ? found : undefined;
  });
  expect(shown).toMatchObject({ to: "[erased]", evidence: { text: "[erased]" }, ended_at: null });
  const body = { channel: "sms", to: from, text: "x" };
  const refused = await world.call("POST", "/api/v1/messages", { key: partner.key, body });
  expect(refused.body.code).toBe("recipient_suppressed");
  // The person writes again: a new contact, who is still stopped, and may START.
  await says({ from, text: "START" });
  await become(from, ["SuppressionStarted", "SuppressionEnded"]);
});

test("What follows from a keyword carries the request and the trace that it came by", async () => {
  const from = "+15550807107";
  const origin = {
    request_id: "req_0123456789abcdef",
    traceparent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
  };
  await says({ from, text: "STOP", origin });
  await become(from, ["SuppressionStarted"]);
  await says({ from, text: "START", origin });
  await become(from, ["SuppressionStarted", "SuppressionEnded"]);
  for (const { metadata } of await periodsOf(context, partner.id, from))
    expect(metadata).toMatchObject(origin);
  const [answered] = await until(async () => {
    const found = await answers(from);
    return found.length >= 2 ? found : undefined;
  });
  const [asked] = await context.log.readStream(streamOf("message", answered!.id));
  expect(asked!.metadata, "the answer too").toMatchObject(origin);
});

test.each([
  { last: "STOP", of: ["STOP", "START", "STOP"], stopped: true },
  { last: "START", of: ["STOP", "START", "STOP", "START"], stopped: false },
])("Shuffled and told twice, the last word is what stands: $last", async ({ of, stopped }) => {
  const base = Date.now() - 60_000;
  const orders = await Promise.all(
    Array.from({ length: 12 }, async (_, at) => {
      const from = `+1555085${stopped ? 1 : 2}${String(100 + at)}`;
      const said = of.map((text, minute) => ({ text, at: new Date(base + minute * 1_000) }));
      const twice = [...said, ...said];
      // Another order for each person: a stride that shares no factor with the count visits each once.
      const stride = [1, 5, 7, 11][at % 4]!;
      const order = twice.map((__, index) => twice[(at + index * stride) % twice.length]!);
      for (const { text, at: time } of order) await says({ from, text, at: time });
      return { from, order };
    }),
  );
  await settled();
  for (const { from, order } of orders) {
    const states = await periodsOf(context, partner.id, from);
    const active = states.at(-1)!.data;
    const open = "active" in active ? active.active.length : -1;
    const heard = order.map(({ text, at }) => `${text}@${at.getTime() - base}`).join(" ");
    expect(open, heard).toBe(stopped ? 1 : 0);
  }
});
