import { deterministicId, streamOf } from "@heliograph/contracts";
import { readGatewayHealth } from "../src/tables/gateways.ts";
import { loosely, smtpSink, until, type SmtpSink } from "@heliograph/testkit";
import { afterEach, expect, test } from "vitest";
import type { GatewayConfig } from "@heliograph/gateways";
import type { RoutingRules } from "@heliograph/runtime";
import { eventually, history, openWorld, send, settled, simulator, type World } from "./harness.ts";

let world: World;
const sinks: SmtpSink[] = [];
afterEach(async () => {
  await world.close();
  for (const sink of sinks.splice(0)) await sink.close();
});

const smtp = (index: number, changes: Partial<GatewayConfig> = {}): GatewayConfig =>
  simulator("email", {
    environment: "live",
    kind: "smtp",
    name: `smtp-${index + 1}`,
    gateway_id: deterministicId("gtw", `smtp-${index}`),
    on_uncertain: "at_most_once",
    settings: { smtp_url_index: index },
    ...changes,
  });
async function twoServers(
  changes: readonly Partial<GatewayConfig>[] = [{}, {}],
  routing: RoutingRules = [],
  retryScale?: number,
): Promise<[SmtpSink, SmtpSink]> {
  sinks.push(await smtpSink(), await smtpSink());
  world = await openWorld({
    environment: "live",
    gateways: changes.map((change, index) => smtp(index, change)),
    routing,
    ...(retryScale !== undefined && { retryScale }),
    smtpUrls: sinks.map(({ port }) => `smtp://127.0.0.1:${port}/?from=shop@shop.example`),
  });
  await world.dispatch();
  return [sinks[0]!, sinks[1]!];
}
const mails = (count: number, name = "user") =>
  Array.from({ length: count }, (_, index) => ({ to: `${name}${index}@example.com` }));

test("a busy server is left for a healthy one, and the choice says why", async () => {
  const [first, second] = await twoServers([{ weight: 1_000 }, { weight: 0 }]);
  first.behave({ type: "busy" });
  const [id] = await send(world.log, [{ to: "ada@example.com" }]);
  const [types] = await eventually(world.log, [id!], "MessageSent");
  expect(types).toEqual(["MessageRequested", "DispatchAttemptFailed", "MessageSent"]);
  const [, failed, sent] = await history(world.log, id!);
  expect(failed!.data).toMatchObject({ gateway: "smtp-1", next: "failover" });
  expect(failed!.data).not.toHaveProperty("retry_at");
  expect(sent!.data).toMatchObject({
    gateway: "smtp-2",
    attempt: 2,
    choice: {
      reason: "fail-over from smtp-1",
      considered: [
        { gateway: "smtp-1", verdict: "has just failed this message" },
        { gateway: "smtp-2", verdict: "chosen" },
      ],
    },
  });
  expect(second.messages).toHaveLength(1);

  // That its own address stands on a list is a fault of its own, too, and none of the recipient.
  const text = "5.7.1 Service unavailable; Client host [192.0.2.1] blocked using zen.spamhaus.org";
  first.behave({ type: "reject-recipient", code: 554, text });
  const [listed] = await send(world.log, [{ to: "bob@example.com" }]);
  await eventually(world.log, [listed!], "MessageSent");
  const [, refused] = await history(world.log, listed!);
  expect(refused!.data).toMatchObject({
    gateway: "smtp-1",
    next: "failover",
    error: { code: "gateway_block_listed", class: "gateway" },
  });
  expect(second.messages).toHaveLength(2);
});

test("who may only go through a busy gateway waits for it, and holds nobody up who goes elsewhere", async () => {
  const rule = (sender: string, index: number) => ({
    match: { sender },
    policy: "priority" as const,
    gateways: [smtp(index).gateway_id],
    failover: true,
  });
  const [first, second] = await twoServers(
    [{ max_per_second: 0.01 }, {}],
    [rule("a@shop.example", 0), rule("b@shop.example", 1)],
  );
  await send(
    world.log,
    mails(5, "slow").map((mail) => ({ ...mail, from: "a@shop.example" })),
  );
  await until(() => first.messages.length === 1);
  const ids = await send(
    world.log,
    mails(5, "quick").map((mail) => ({ ...mail, from: "b@shop.example" })),
  );
  await eventually(world.log, ids, "MessageSent");
  expect(first.messages).toHaveLength(1);
  expect(second.messages).toHaveLength(5);
  const [, sent] = await history(world.log, ids[0]!);
  expect(sent!.data).toMatchObject({
    choice: { reason: "rule 2: the only gateway for the message" },
  });
});

test("a failing server's breaker opens, is shown, and closes again after a probe", async () => {
  const [first, second] = await twoServers([{ weight: 1_000, max_concurrent: 3 }, { weight: 1 }]);
  first.behave({ type: "busy" });
  await until(async () => {
    await eventually(world.log, await send(world.log, mails(3)), "MessageSent");
    const health = (await readGatewayHealth(world.pool)).get(smtp(0).gateway_id);
    return health !== undefined && health.breaker !== "closed";
  });
  const tried = await send(world.log, mails(20, "later"));
  await eventually(world.log, tried, "MessageSent");
  const failures = (await Promise.all(tried.map((id) => history(world.log, id)))).flat();
  expect(failures.filter(({ type }) => type === "DispatchAttemptFailed").length).toBeLessThan(20);
  expect(first.messages).toEqual([]);
  expect(second.messages.length).toBeGreaterThan(20);
  first.behave({ type: "accept" });
  await until(async () => {
    await send(world.log, mails(2, "again"));
    return first.messages.length > 0;
  });
  const health = await until(async () => {
    const row = (await readGatewayHealth(world.pool)).get(smtp(0).gateway_id);
    return row?.breaker === "closed" && row;
  });
  expect(health).toMatchObject({
    latency_p50_ms: expect.any(Number),
    success_rate: expect.any(Number),
  });
});

test("a server that has become slow is left for another one, said why, and used where it is the only one", async () => {
  const slow_after_ms = 400;
  const quick = smtp(1, { weight: 1 });
  // It is open for 5 s, and longer each time.
  const [first] = await twoServers([{ weight: 1_000, slow_after_ms }, quick], [], 1);
  const choices = async (ids: readonly string[]) => {
    await eventually(world.log, ids, "MessageSent");
    const streams = await Promise.all(ids.map((id) => history(world.log, id)));
    return streams.map((events) => {
      const { gateway, choice } = loosely(events.find(({ type }) => type === "MessageSent")!.data);
      return { gateway, choice };
    });
  };
  first.behave({ type: "accept", delayMs: 450 });
  const slow = await until(
    async () => {
      await choices(await send(world.log, mails(6)));
      const health = (await readGatewayHealth(world.pool)).get(smtp(0).gateway_id);
      return health?.slow ?? undefined;
    },
    { timeoutMs: 20_000 },
  );
  expect(slow).toMatch(/^its calls have become slow: \d+ ms, where .* and 400 ms are its bound$/);
  // Probes go there, and nothing else.
  const told = await until(async () => {
    const [one] = await choices(await send(world.log, [{ to: "ada@example.com" }]));
    return one!.choice.considered[0].verdict.startsWith("its calls have") && one;
  });
  expect(told!.gateway).toBe("smtp-2");
  const [notice] = await until(async () => {
    const all = await world.log.readStream(streamOf("gateway", smtp(0).gateway_id));
    return all.length > 0 && all;
  });
  expect(notice).toMatchObject({ type: "GatewayDegraded", data: { reason: "slow" } });

  world.configure([smtp(0, { slow_after_ms })]);
  const reason = expect.stringMatching(/^the only gateway of the channel, although its calls have/);
  await until(async () => {
    const [one] = await choices(await send(world.log, mails(1, "alone")));
    return reason.asymmetricMatch(one!.choice.reason) && one;
  });
});

test("both servers down: the message waits with back-off and goes out when one is back", async () => {
  const [first, second] = await twoServers();
  first.behave({ type: "reject-data", code: 451 });
  second.behave({ type: "busy" });
  const [id] = await send(world.log, [{ to: "ada@example.com" }]);
  await eventually(world.log, [id!], "DispatchAttemptFailed");
  second.behave({ type: "accept" });
  first.behave({ type: "accept" });
  await eventually(world.log, [id!], "MessageSent");
  expect(first.messages.length + second.messages.length).toBe(1);
});

test("a server that cannot be reached is no attempt: the message goes elsewhere, and the server is left alone", async () => {
  const [first, second] = await twoServers([{ weight: 1_000 }, { weight: 0 }]);
  await first.close();
  const ids = await send(world.log, mails(10));
  await eventually(world.log, ids, "MessageSent");
  for (const id of ids) {
    const [, sent, ...more] = await history(world.log, id);
    expect([sent!.type, loosely(sent!.data).attempt, more]).toEqual(["MessageSent", 1, []]);
  }
  expect(second.messages).toHaveLength(10);
  await settled(world);
});

test("without another gateway a message waits for the server, longer than all retries take, and goes out when it is there", async () => {
  sinks.push(await smtpSink());
  const { port } = sinks[0]!;
  await sinks[0]!.close();
  world = await openWorld({
    environment: "live",
    gateways: [smtp(0)],
    smtpUrls: [`smtp://127.0.0.1:${port}/?from=shop@shop.example`],
    retryScale: 0.001,
  });
  await world.dispatch();
  const [kept, lost] = await send(world.log, [
    { to: "ada@example.com" },
    { to: "bob@example.com", expires_at: new Date(Date.now() + 700).toISOString() },
  ]);
  // All retries of an ordinary failure would be over by now: 0.5 s at most with this scale.
  const [types] = await eventually(world.log, [lost!], "MessageExpired");
  expect(types).toEqual(["MessageRequested", "MessageExpired"]);
  expect(loosely((await history(world.log, lost!))[1]!.data).attempts).toBe(0);
  expect((await history(world.log, kept!)).map(({ type }) => type)).toEqual(["MessageRequested"]);
  sinks.push(await smtpSink({ port }));
  await eventually(world.log, [kept!], "MessageSent");
  expect(loosely((await history(world.log, kept!))[1]!.data).attempt).toBe(1);
});

test("a message that waits for a server waits no longer than its validity, however long the breaker stays open", async () => {
  sinks.push(await smtpSink());
  const { port } = sinks[0]!;
  await sinks[0]!.close();
  world = await openWorld({
    environment: "live",
    gateways: [smtp(0)],
    smtpUrls: [`smtp://127.0.0.1:${port}/?from=shop@shop.example`],
    retryScale: 2,
  });
  await world.dispatch();
  const expiresAt = Date.now() + 700;
  const [lost] = await send(world.log, [
    { to: "ada@example.com", expires_at: new Date(expiresAt).toISOString() },
  ]);
  await eventually(world.log, [lost!], "MessageExpired");
  // The breaker would let a probe through after ten seconds.
  expect((await history(world.log, lost!))[1]!.recordedAt - expiresAt).toBeLessThan(8_000);
});

test("greylisted mail is tried on after six refusals, until the server takes it", async () => {
  sinks.push(await smtpSink());
  const [sink] = sinks;
  let refusals = 0;
  sink!.behave({
    type: "reject-recipient",
    code: 451,
    text: "4.7.1 Greylisted, please come back later",
    which: () => ++refusals <= 9,
  });
  world = await openWorld({
    environment: "live",
    gateways: [smtp(0)],
    smtpUrls: [`smtp://127.0.0.1:${sink!.port}/?from=shop@shop.example`],
    retryScale: 0.000_01,
  });
  await world.dispatch();
  const [id] = await send(world.log, [{ to: "ada@example.com" }]);
  const [types] = await eventually(world.log, [id!], "MessageSent");
  expect(types!.filter((type) => type === "DispatchAttemptFailed")).toHaveLength(9);
  const [, failed] = await history(world.log, id!);
  expect(failed!.data).toMatchObject({ next: "retry", error: { code: "greylisted" } });
  const taken = (await history(world.log, id!)).find(({ type }) => type === "MessageSent");
  expect(taken!.data, "by the name of the first attempt").toMatchObject({
    attempt: 10,
    provider: { message_id: expect.stringMatching(/^<m-[0-9a-z]{26}-1-/) },
  });
});

test("a connection that is lost after the content is never silent", async () => {
  const [first] = await twoServers([{}]);
  first.behave({ type: "close-before-reply" });
  const [id] = await send(world.log, [{ to: "ada@example.com" }]);
  const [types] = await eventually(world.log, [id!], "DispatchExhausted");
  expect(types).toEqual(["MessageRequested", "DispatchUncertain", "DispatchExhausted"]);
  expect((await history(world.log, id!))[1]!.data).toMatchObject({
    cause: "connection_lost",
    policy: "at_most_once",
  });
  expect(first.messages).toHaveLength(1);
});

test("no more calls at once than a gateway allows, and one at a time to a recipient", async () => {
  const [first] = await twoServers([{ max_concurrent: 3 }]);
  first.behave({ type: "accept", delayMs: 100 });
  const ids = await send(world.log, [
    ...mails(6),
    ...Array.from({ length: 3 }, () => ({ to: "same@example.com" })),
  ]);
  const startedAt = performance.now();
  await eventually(world.log, ids, "MessageSent");
  expect(performance.now() - startedAt).toBeGreaterThan(290);
  const times = first.messages
    .filter(({ to }) => to[0] === "same@example.com")
    .map(({ at }) => at.getTime());
  expect(
    Math.min(...times.slice(1).map((time, index) => time - times[index]!)),
  ).toBeGreaterThanOrEqual(95);
});

test("a gateway's rate is kept, urgent messages go first, and what waits is stored so that the checkpoint moves", async () => {
  world = await openWorld({ gateways: [simulator("sms", { max_per_second: 20 })] });
  const consumer = await world.dispatch();
  const startedAt = performance.now();
  const bulk = await send(
    world.log,
    Array.from({ length: 50 }, (_, index) => ({ to: `+1555${index}1111`, priority: 0 })),
  );
  const [urgent] = await send(world.log, [{ to: "+15552221111", priority: 3 }]);
  await eventually(world.log, [urgent!], "MessageSent");
  expect(performance.now() - startedAt).toBeLessThan(1_500);
  await consumer.caughtUp(await world.log.head());
  await eventually(world.log, bulk, "MessageSent");
  // 51 messages at 20 a second with a burst of 2.
  expect(performance.now() - startedAt).toBeGreaterThan(2_300);
  await settled(world);
});

test("gateways come and go while messages flow; without one a message waits, and expires when its time is over", async () => {
  world = await openWorld({ gateways: [] });
  await world.dispatch();
  const [kept, lost] = await send(world.log, [
    { to: "+15550000001" },
    { to: "+15550000001", expires_at: new Date(Date.now() + 300).toISOString() },
  ]);
  await eventually(world.log, [lost!], "MessageExpired");
  const [request, end] = await history(world.log, lost!);
  // Looked at again when its validity ends, not at the next round of five seconds.
  expect(end!.recordedAt - Date.parse(loosely(request!.data).expires_at)).toBeLessThan(3_000);
  world.configure([simulator("sms")]);
  await eventually(world.log, [kept!], "MessageSent");
  world.configure([
    simulator("sms", { enabled: false }),
    simulator("sms", { name: "sim-2", gateway_id: deterministicId("gtw", "two") }),
  ]);
  const [next] = await send(world.log, [{ to: "+15550000001" }]);
  await eventually(world.log, [next!], "MessageSent");
  expect(loosely((await history(world.log, next!))[1]!.data).gateway).toBe("sim-2");
});

test("a sandbox that is told to use a real server refuses, and sends nothing", async () => {
  const sink = await smtpSink();
  sinks.push(sink);
  world = await openWorld({
    gateways: [smtp(0, { environment: "sandbox" }), simulator("email", { name: "sim" })],
    smtpUrls: [`smtp://127.0.0.1:${sink.port}`],
  });
  await world.dispatch();
  const ids = await send(world.log, mails(20));
  await eventually(world.log, ids, "MessageSent");
  for (const id of ids)
    expect(loosely((await history(world.log, id))[1]!.data).gateway).toBe("sim");
  expect(sink.messages).toEqual([]);
});

test("a partner who floods a gateway has every other turn at it while another sends", async () => {
  world = await openWorld({ gateways: [simulator("sms", { max_per_second: 40 })] });
  const to = (end: number, count: number, priority: number) =>
    Array.from({ length: count }, (_, index) => ({ to: `+1555${index}${end}`, priority }));
  const flood = await send(world.log, to(1_111, 60, 3), deterministicId("ptn", "flooder"));
  const other = await send(world.log, to(2_222, 5, 1), deterministicId("ptn", "other"));
  await world.dispatch();
  await eventually(world.log, other, "MessageSent");
  const sentAt = async (id: string): Promise<bigint> =>
    (await history(world.log, id)).find(({ type }) => type === "MessageSent")?.position ?? 0n;
  const last = (await Promise.all(other.map(sentAt))).reduce((one, two) => (one > two ? one : two));
  const floods = await Promise.all(flood.map(sentAt));
  const before = floods.filter((position) => position > 0n && position < last);
  // A burst of four at first, then turns; what shares the last one's turn of the loop may be recorded before it.
  expect(before.length).toBeLessThanOrEqual(15);
  expect(before.length).toBeGreaterThan(0);
});
