import { newId, newSecret, sealSecret } from "@heliograph/contracts";
import { until, webhookSink, type WebhookSink } from "@heliograph/testkit";
import fc from "fast-check";
import { Webhook } from "standardwebhooks";
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from "vitest";
import { openHarness, type Harness } from "./harness.ts";

let h: Harness;
let sink: WebhookSink;
beforeAll(async () => {
  h = await openHarness({ retryScale: 0.000_02, shutdownMs: 0, deadlineMs: 400 });
  await h.start();
});
afterAll(() => h.close());
beforeEach(async () => {
  sink = await webhookSink();
  h.newPartner();
});
afterEach(() => sink.close());

const batch = { max_events: 3, max_wait_ms: 50 };
type Request = WebhookSink["requests"][number];
/** Sequences of a request's events; an endpoint that takes no batches gets one, as it is. */
const sequencesOf = ({ body }: Pick<Request, "body">): number[] => {
  const parsed = JSON.parse(body);
  return (parsed.events ?? [parsed]).map(({ sequence }: { sequence: number }) => sequence);
};
const allOf = (requests: readonly Request[]): number[] =>
  requests.flatMap(sequencesOf).toSorted((a, b) => a - b);
const idOf = ({ headers }: Pick<Request, "headers">): string => String(headers["webhook-id"]);
const edit = (id: string, more: object) =>
  h.endpointEvent(id, "WebhookEndpointUpdated", { url: sink.url, status: "enabled", ...more });

it("several events are one request, signed once, the oldest first, and each is a delivery of its own", async () => {
  const { id, secret } = await h.endpoint(sink.url, { batch });
  for (let at = 0; at < 5; at++) await h.event();
  const deliveries = await h.settled(id, "delivered", 5);
  expect(sink.requests.flatMap(sequencesOf)).toEqual([1, 2, 3, 4, 5]);
  for (const request of sink.requests) {
    const { events } = new Webhook(secret).verify(
      request.body,
      request.headers as Record<string, string>,
    ) as { events: { id: string }[] };
    expect(events.length).toBeLessThanOrEqual(batch.max_events);
    const ofRequest = deliveries.filter((each) => events.some((one) => one.id === each.event_id));
    expect(ofRequest.map(({ attempts }) => attempts.map(({ batch_id }) => batch_id))).toEqual(
      events.map(() => [idOf(request)]),
    );
  }
  expect(sink.requests.length).toBeLessThan(5);
});

it("one that is too large for company goes by itself, and what was asked for by hand does not wait for any", async () => {
  const wide = { batch: { max_events: 100, max_wait_ms: 60_000 } };
  const { id } = await h.endpoint(sink.url, wide);
  const big = { metadata: { note: "x".repeat(300_000) } };
  await h.event();
  await h.event(big);
  await h.event(big);
  await until(() => sink.requests.length === 1);
  expect(sequencesOf(sink.requests[0]!)).toEqual([1, 2]);
  await h.endpointEvent(id, "WebhookTestRequested", {
    delivery_id: newId("whd"),
    type: "message.sent",
  });
  await until(() => sink.requests.length === 2);
  expect(sequencesOf(sink.requests[1]!)).toEqual([0]);
  expect(JSON.parse(sink.requests[1]!.body).events).toHaveLength(1);
  // What gathers when the endpoint goes is sent nowhere.
  const isDelivered = ({ status }: { status: string }): boolean => status === "delivered";
  await until(async () => (await h.deliveries(id)).filter(isDelivered).length === 3);
  await h.endpointEvent(id, "WebhookEndpointDeleted");
  const ended = await until(async () => {
    const found = await h.deliveries(id);
    return found.length === 4 && found.every(({ status }) => status !== "pending") && found;
  });
  expect(ended.map(({ status }) => status).toSorted()).toEqual([
    "delivered",
    "delivered",
    "delivered",
    "discarded",
  ]);
  expect(sink.requests).toHaveLength(2);
});

it("a failed batch is tried as it was, and given up or delivered as a whole", async () => {
  sink.behave(({ body }) => ({
    type: "answer",
    status: sequencesOf({ body }).includes(1) ? 500 : 200,
  }));
  const { id } = await h.endpoint(sink.url, { batch });
  for (let at = 0; at < 3; at++) await h.event();
  await until(() => sink.requests.length >= 2);
  for (let at = 0; at < 3; at++) await h.event();
  const ended = await until(
    async () => {
      const found = await h.deliveries(id);
      return found.length === 6 && found.every(({ status }) => status !== "pending") && found;
    },
    { timeoutMs: 20_000 },
  );
  const status = ended.map((each) => each.status);
  expect(status).toEqual([...Array(3).fill("delivered"), ...Array(3).fill("failed")]);
  const failures = sink.requests.filter((request) => sequencesOf(request).includes(1));
  expect(failures).toHaveLength(10);
  expect(new Set(failures.map((request) => `${idOf(request)} ${request.body}`)).size).toBe(1);
  // A replay brings them together again.
  sink.behave({ type: "answer" });
  const before = sink.requests.length;
  const correlation = newId("rpl");
  for (const delivery of ended.filter((each) => each.status === "failed"))
    await h.endpointEvent(
      id,
      "WebhookRetryRequested",
      { delivery_id: delivery.id },
      { correlation },
    );
  await h.settled(id, "delivered", 6);
  const replayed = sink.requests.slice(before);
  expect(allOf(replayed)).toEqual([1, 2, 3]);
  expect(replayed.map(({ headers }) => headers["heliograph-replay"])).toEqual(
    replayed.map(() => correlation),
  );
}, 30_000);

it("a crash between an attempt and its record repeats the very batch, however many more would fit into it", async () => {
  sink.behave({ type: "hang" });
  const { id } = await h.endpoint(sink.url, { batch: { max_events: 10, max_wait_ms: 50 } });
  await h.event();
  await h.event();
  await until(() => sink.requests.length === 1);
  await h.stop();
  for (let at = 0; at < 3; at++) await h.event();
  sink.behave({ type: "answer" });
  await h.start();
  await h.settled(id, "delivered", 5);
  const [first, ...rest] = sink.requests.map((request) => `${idOf(request)} ${request.body}`);
  expect(rest.filter((each) => each === first)).toHaveLength(1);
  expect(allOf(sink.requests.slice(1))).toEqual([1, 2, 3, 4, 5]);
});

/** So that what happens next finds deliveries gathering, sealed, in the air, written and not: whichever it is. */
const longestPauseMs = 120;
const step = fc.oneof(
  { weight: 8, arbitrary: fc.record({ do: fc.constant("events" as const), n: fc.nat(7) }) },
  {
    weight: 6,
    arbitrary: fc.record({ do: fc.constantFrom("crash" as const, "restart" as const) }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constantFrom(
        "on" as const,
        "off" as const,
        "rotate" as const,
        "retry" as const,
        "replay" as const,
      ),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constant("wait" as const), ms: fc.nat(longestPauseMs) }),
  },
);

it("whatever fails, is edited, asked for again or crashes, each delivery ends once and an id stands for the same events", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { minLength: 10, maxLength: 18 }),
      fc.infiniteStream(fc.nat(9)),
      async (steps, dice) => {
        h.newPartner();
        let [calm, count, edited] = [false, 0, false];
        const before = sink.requests.length;
        sink.behave(() => {
          const thrown = calm ? 9 : dice.next().value!;
          if (thrown < 2) return { type: "hang" };
          return { type: "answer", status: thrown < 4 ? 500 : 200 };
        });
        const { id } = await h.endpoint(sink.url, { batch });
        const asked = new Set<number>();
        for (const each of steps) {
          if (each.do === "events") for (let at = 0; at < each.n; at++, count++) await h.event();
          else if (each.do === "wait") await new Promise((resolve) => setTimeout(resolve, each.ms));
          else if (each.do === "crash" || each.do === "restart") {
            await h.stop();
            await h.start();
          } else if (each.do === "on") await edit(id, { batch });
          else if (each.do === "off") {
            edited = true;
            await edit(id, {});
          } else if (each.do === "rotate")
            await h.endpointEvent(id, "WebhookSecretRotated", {
              secret: sealSecret(h.masterKey, newSecret()),
              previous_secret_expires_at: new Date(Date.now() + 60_000).toISOString(),
            });
          else
            for (const delivery of (await h.deliveries(id)).slice(0, 2)) {
              const { rows } = await h.pool.query(
                "select sequence::int from webhooks.deliveries where id = $1",
                [delivery.id],
              );
              asked.add(rows[0].sequence);
              await h.endpointEvent(
                id,
                "WebhookRetryRequested",
                { delivery_id: delivery.id },
                each.do === "replay" ? { correlation: newId("rpl") } : {},
              );
            }
        }
        calm = true;
        const ended = await h.settled(id, "delivered", count, 20_000);
        expect(new Set(ended.map(({ event_id }) => event_id)).size).toBe(count);
        const requests = sink.requests.slice(before);
        expect(new Set(requests.flatMap(sequencesOf)).size).toBe(count);
        const sets = new Map<string, Set<string>>();
        const idsOf = new Map<number, Set<string>>();
        for (const request of requests) {
          const id = idOf(request);
          const kept = sequencesOf(request).filter((sequence) => !asked.has(sequence));
          sets.set(id, (sets.get(id) ?? new Set()).add(String(kept)));
          for (const sequence of kept)
            idsOf.set(sequence, (idsOf.get(sequence) ?? new Set()).add(id));
        }
        expect([...sets].filter(([, found]) => found.size > 1)).toEqual([]);
        // An endpoint that takes none for a while gets those events alone.
        if (!edited) expect([...idsOf].filter(([, found]) => found.size > 1)).toEqual([]);
        await h.endpointEvent(id, "WebhookEndpointDeleted");
      },
    ),
    { numRuns: Number(process.env["BATCH_RUNS"] ?? 8), endOnFailure: true },
  );
}, 120_000);
