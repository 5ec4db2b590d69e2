import { newId, streamOf, uuid7 } from "@heliograph/contracts";
import type { Endpoint } from "@heliograph/domain";
import { LogUnavailable, openMemoryLog, type EventLog } from "@heliograph/log";
import { until, webhookSink } from "@heliograph/testkit";
import { expect, it, onTestFinished, vi } from "vitest";
import { disableEndpoint } from "../src/disable.ts";
import { listEndpoints } from "../src/tables/webhooks.ts";
import { takeNotices } from "../src/tables/notices.ts";
import { openHarness } from "./harness.ts";

const id = newId("whe");
const stream = streamOf("endpoint", id);
const endpoint = { id, url: "https://example.org", partner: "ptn_1" } as Endpoint;
const add = (log: EventLog, type: string, data: object = {}, count = 1) =>
  log.append(
    Array.from({ length: count }, () => ({
      stream,
      expected: "any",
      events: [{ id: uuid7(), type, data, metadata: {} }],
    })),
  );
const disabled = async (log: EventLog) =>
  (await log.readStream(stream)).filter(({ type }) => type === "WebhookEndpointDisabled").length;

it("disables an endpoint whose stream is longer than a page", async () => {
  const log = openMemoryLog();
  await add(log, "WebhookEndpointCreated");
  await add(log, "WebhookRetryRequested", {}, 1_001);
  await disableEndpoint(log, endpoint, `evt_${"0".repeat(26)}`, "410", endpoint.partner);
  expect(await disabled(log)).toBe(1);
});

it("disables once for an answer, also when it is repeated, and again after it was enabled", async () => {
  const log = openMemoryLog();
  const gone = () =>
    disableEndpoint(log, endpoint, `evt_${"0".repeat(26)}`, "410", endpoint.partner);
  await gone();
  expect(await disabled(log)).toBe(0);
  await add(log, "WebhookEndpointCreated");
  await Promise.all([gone(), gone()]);
  await gone();
  expect(await disabled(log)).toBe(1);
  await add(log, "WebhookEndpointUpdated", { status: "enabled" });
  await gone();
  expect(await disabled(log)).toBe(2);
  await add(log, "WebhookEndpointDeleted");
  await gone();
  expect(await disabled(log)).toBe(2);
});

it("tells the partner's other endpoints of one that fails, answers again, fails and is disabled, and notes each for mail", async () => {
  const h = await openHarness({ retryScale: 0.001, disableAfterMs: 1_000 });
  await h.start();
  const sink = await webhookSink();
  let status = 500;
  sink.behave(({ path }) => ({ type: "answer", status: path === "/witness" ? 200 : status }));
  const { id: failing } = await h.endpoint(sink.url, { event_types: ["message.*"] });
  await h.endpoint(`${sink.url}/witness`, { event_types: ["webhook_endpoint.*"] });
  const told = () =>
    sink.requests
      .filter(({ path }) => path === "/witness")
      .map(({ body }) => JSON.parse(body))
      .map(({ type, data }) => [type, data.endpoint_id]);
  await h.event();
  await until(() => told().length === 1);
  status = 200;
  await h.event();
  await until(() => told().length === 2);
  await h.settled(failing, "delivered", 2);
  status = 500;
  await h.event();
  await until(async () => told().length === 4 && (await takeNotices(h.pool, 9)).length === 4);
  expect(told()).toEqual(
    ["failing", "recovered", "failing", "disabled"].map((what) => [
      `webhook_endpoint.${what}`,
      failing,
    ]),
  );
  const [found] = (await listEndpoints(h.pool, h.partner)).filter(
    ({ id: each }) => each === failing,
  );
  expect(found).toMatchObject({
    status: "disabled",
    disabled_reason: expect.stringMatching(
      /^nothing but failures for .* days, the last one: status_5xx$/,
    ),
  });
  await until(async () =>
    (await h.deliveries(failing)).every(({ status: is }) => is !== "pending"),
  );
  // Enabled again, it begins anew: what comes is tried, and the days before count no more.
  await h.endpointEvent(failing, "WebhookEndpointUpdated", {
    url: sink.url,
    event_types: ["message.*"],
    status: "enabled",
  });
  status = 200;
  await h.event();
  await until(async () => (await h.deliveries(failing))[0]!.status === "delivered");
  expect(await h.pool.query("select from webhooks.failing")).toMatchObject({ rowCount: 0 });
  await sink.close();
  await h.close();
});

it("knows of an endpoint what came by before the log answered that it is disabled", async () => {
  const log = openMemoryLog();
  const answers = new Map<string, (isThere: boolean) => void>();
  const append: EventLog["append"] = async (appends) => {
    const [first] = appends[0]!.events;
    if (first!.type !== "WebhookEndpointDisabled") return log.append(appends);
    const { endpoint_id: id } = first!.data as { readonly endpoint_id: string };
    const outcomes = await log.append(appends);
    const { promise, resolve } = Promise.withResolvers<boolean>();
    answers.set(id, resolve);
    if (await promise) return outcomes;
    throw new LogUnavailable("it is away", { outcomeUnknown: true });
  };
  const slow = new Proxy(log, {
    get: (target, name) => (name === "append" ? append : Reflect.get(target, name)),
  });
  const h = await openHarness({ log: async () => slow });
  await h.start();
  const sink = await webhookSink();
  sink.behave(() => ({ type: "answer", status: 410 }));
  const settings = { url: sink.url, event_types: ["message.*"] };
  const { id: opened } = await h.endpoint(sink.url, settings);
  const { id: deleted } = await h.endpoint(sink.url, settings);
  await h.event();
  await until(() => answers.size === 2);
  sink.behave(() => ({ type: "answer", status: 200 }));
  await h.endpointEvent(opened, "WebhookEndpointUpdated", { ...settings, status: "enabled" });
  await h.endpointEvent(deleted, "WebhookEndpointDeleted");
  await h.caughtUp();
  for (const [id, answer] of answers) answer(id === opened);
  await new Promise(setImmediate);
  // One that was opened again stays open, and one that was deleted has nothing that waits.
  await h.event();
  await until(async () => (await h.deliveries(opened))[0]!.status === "delivered");
  await h.stop();
  const ends = async (id: string) => (await h.deliveries(id)).map(({ status }) => status);
  expect(await ends(opened)).toEqual(["delivered", "discarded"]);
  expect(await ends(deleted)).toEqual(["discarded"]);
  await sink.close();
  await h.close();
});

it("keeps the order of a subject whose endpoint waits for the log for longer than a lane rests", async () => {
  const log = openMemoryLog();
  const answer = Promise.withResolvers<void>();
  let disables = 0;
  const append: EventLog["append"] = async (appends) => {
    if (appends[0]!.events[0]!.type === "WebhookEndpointDisabled" && disables++ === 0)
      await answer.promise;
    return log.append(appends);
  };
  const slow = new Proxy(log, {
    get: (target, name) => (name === "append" ? append : Reflect.get(target, name)),
  });
  const realNow = Date.now;
  let aheadMs = 0;
  const clock = vi.spyOn(Date, "now").mockImplementation(() => realNow() + aheadMs);
  onTestFinished(() => clock.mockRestore());
  const h = await openHarness({ log: async () => slow });
  await h.start();
  const sink = await webhookSink();
  const told: number[] = [];
  sink.behave(({ path, body }) => {
    // Long enough in the air for a look at idle lanes.
    if (path === "/other") return { type: "answer", status: 200, delayMs: 300 };
    return { type: "answer", status: told.push(JSON.parse(body).sequence) === 1 ? 410 : 200 };
  });
  const mine = h.partner;
  const settings = { event_types: ["message.*"], ordering: "per_subject" };
  await h.endpoint(`${sink.url}/mine`, settings);
  const lookAfter = async (ms: number): Promise<void> => {
    aheadMs += ms;
    h.newPartner();
    const { id: other } = await h.endpoint(`${sink.url}/other`, { event_types: ["message.*"] });
    await h.event();
    await h.settled(other, "delivered");
    h.actAs(mine);
  };
  const message = newId("msg");
  await h.eventOf(message);
  await until(() => disables === 1);
  await lookAfter(600_000);
  await h.eventOf(message);
  await h.caughtUp();
  await lookAfter(1_000);
  expect(told).toEqual([1]);
  answer.reject(new LogUnavailable("it is away", { outcomeUnknown: false }));
  await lookAfter(10_000);
  await until(() => told.length === 3);
  expect(told).toEqual([1, 1, 2]);
  await sink.close();
  await h.close();
});
