import { newId, newSecret, sealSecret } from "@heliograph/contracts";
import { until, webhookSink, type WebhookSink } from "@heliograph/testkit";
import fc from "fast-check";
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from "vitest";
import { openHarness, type Harness } from "./harness.ts";

let h: Harness;
let sink: WebhookSink;
beforeAll(async () => {
  h = await openHarness({ retryScale: 0.000_02, shutdownMs: 0, deadlineMs: 500 });
  await h.start();
});
afterAll(() => h.close());
beforeEach(async () => {
  sink = await webhookSink();
  h.newPartner();
});
afterEach(() => sink.close());

type Arrival = { readonly subject: string; readonly sequence: number; readonly answered: number };

/** Lets `statusOf` answer, and notes in which order what was answered. */
function listen(
  statusOf: (arrival: Omit<Arrival, "answered">) => number,
  hangs = () => false,
): Arrival[] {
  const arrivals: Arrival[] = [];
  sink.behave(({ path, body }) => {
    if (path !== "/ordered") return { type: hangs() ? "hang" : "answer" };
    const { sequence, data } = JSON.parse(body);
    const answered = statusOf({ subject: data.message_id, sequence });
    arrivals.push({ subject: data.message_id, sequence, answered });
    return { type: "answer", status: answered };
  });
  return arrivals;
}

/** Arrivals before which an earlier event of their subject was not over. */
function tooEarly(
  arrivals: readonly Arrival[],
  exempt: ReadonlySet<number> = new Set(),
): Arrival[] {
  const over = new Set<number>();
  const ofSubject = new Map<string, Set<number>>();
  for (const { subject, sequence } of arrivals)
    ofSubject.set(subject, (ofSubject.get(subject) ?? new Set()).add(sequence));
  return arrivals.filter(({ subject, sequence, answered }) => {
    const early = [...ofSubject.get(subject)!].some(
      (earlier) => earlier < sequence && !over.has(earlier) && !exempt.has(earlier),
    );
    if (answered === 200) over.add(sequence);
    return early && !exempt.has(sequence);
  });
}

/** So that what happens next finds deliveries waiting, in the air, written and not: whichever it is. */
const longestPauseMs = 120;
const subjects = ["a", "b", "c"] as const;
const step = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      type: fc.constant("events" as const),
      of: fc.array(fc.constantFrom(...subjects), { minLength: 1, maxLength: 6 }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ type: fc.constantFrom("crash" as const, "restart" as const) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      type: fc.constantFrom(
        "edit" as const,
        "rotate" as const,
        "retry" as const,
        "replay" as const,
      ),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      type: fc.constant("wait" as const),
      ms: fc.integer({ min: 1, max: longestPauseMs }),
    }),
  },
);

it("whatever fails, is edited, asked for again or crashes, each delivery ends once and each subject arrives in its order", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { minLength: 8, maxLength: 16 }),
      fc.infiniteStream(fc.integer({ min: 0, max: 9 })),
      async (steps, dice) => {
        const partner = h.newPartner();
        let [calm, count] = [false, 0];
        const arrivals = listen(
          () => (!calm && dice.next().value! < 3 ? 500 : 200),
          // The checkpoint waits for it, and what is held stands above it.
          () => !calm && dice.next().value! < 2,
        );
        const { id } = await h.endpoint(`${sink.url}/ordered`, { ordering: "per_subject" });
        const plain = await h.endpoint(`${sink.url}/plain`);
        const ids = new Map(subjects.map((name) => [name, newId("msg")]));
        const asked = new Set<number>();
        for (const each of steps) {
          h.actAs(partner);
          if (each.type === "events")
            for (const name of each.of) {
              await h.eventOf(ids.get(name)!);
              count++;
            }
          else if (each.type === "wait")
            await new Promise((resolve) => setTimeout(resolve, each.ms));
          else if (each.type === "crash" || each.type === "restart") {
            await h.stop();
            await h.start();
          } else if (each.type === "edit")
            await h.endpointEvent(id, "WebhookEndpointUpdated", {
              url: `${sink.url}/ordered`,
              ordering: "per_subject",
              concurrency_limit: 1 + (count % 8),
              status: "enabled",
            });
          else if (each.type === "rotate")
            await h.endpointEvent(id, "WebhookSecretRotated", {
              secret: sealSecret(h.masterKey, newSecret()),
              previous_secret_expires_at: new Date(Date.now() + 60_000).toISOString(),
            });
          else {
            const [delivery] = await h.deliveries(id);
            if (delivery === undefined) continue;
            const { rows } = await h.pool.query(
              "select sequence::int from webhooks.deliveries where id = $1",
              [delivery.id],
            );
            asked.add(rows[0].sequence);
            await h.endpointEvent(
              id,
              "WebhookRetryRequested",
              { delivery_id: delivery.id },
              each.type === "replay" ? { correlation: newId("rpl") } : {},
            );
          }
        }
        calm = true;
        h.actAs(partner);
        for (const endpoint of [id, plain.id]) {
          const ended = await h.settled(endpoint, "delivered", count, 20_000);
          expect(new Set(ended.map(({ event_id }) => event_id)).size).toBe(count);
        }
        expect(tooEarly(arrivals, asked)).toEqual([]);
        await h.endpointEvent(id, "WebhookEndpointDeleted");
        await h.endpointEvent(plain.id, "WebhookEndpointDeleted");
      },
    ),
    { numRuns: Number(process.env["ORDER_RUNS"] ?? 5), endOnFailure: true },
  );
}, 120_000);

it("a delivery that fails holds back its subject, never another, and the next goes when it is given up", async () => {
  const [stuck, free] = [newId("msg"), newId("msg")];
  const arrivals = listen(({ subject, sequence }) =>
    subject === stuck && sequence === 1 ? 500 : 200,
  );
  const { id } = await h.endpoint(`${sink.url}/ordered`, { ordering: "per_subject" });
  await h.eventOf(stuck);
  await h.eventOf(stuck);
  for (let at = 0; at < 5; at++) await h.eventOf(free);
  const ended = await until(
    async () => {
      const found = await h.deliveries(id);
      return found.length === 7 && found.every(({ status }) => status !== "pending") && found;
    },
    { timeoutMs: 30_000 },
  );
  expect(ended.map(({ status }) => status)).toEqual([...Array(6).fill("delivered"), "failed"]);
  expect(arrivals.map(({ sequence }) => sequence).filter((at) => at > 2)).toEqual([3, 4, 5, 6, 7]);
  const order = arrivals.map(({ sequence }) => sequence);
  expect(order.lastIndexOf(1)).toBeLessThan(order.indexOf(2));
  expect(order.indexOf(7)).toBeLessThan(order.lastIndexOf(1));
}, 40_000);

it.each([
  ["memory", 1],
  ["the table", 2],
])(
  "what an endpoint held in %s is sent when it keeps the order no more",
  async (_, attempts) => {
    const url = `${sink.url}/loosened`;
    const arrived: number[] = [];
    sink.behave(({ body }) => {
      const { sequence } = JSON.parse(body);
      arrived.push(sequence);
      return { type: sequence === 1 ? "hang" : "answer" };
    });
    const { id } = await h.endpoint(url, { ordering: "per_subject" });
    const subject = newId("msg");
    for (let at = 0; at < 3; at++) await h.eventOf(subject);
    await until(() => arrived.length >= attempts);
    expect(new Set(arrived)).toEqual(new Set([1]));
    await h.endpointEvent(id, "WebhookEndpointUpdated", { url, status: "enabled" });
    await until(() => arrived.includes(2) && arrived.includes(3));
    // The one before them is still on its way.
    const statuses = (await h.deliveries(id)).map(({ status }) => status);
    expect(statuses.filter((status) => status !== "delivered").every((s) => s === "pending")).toBe(
      true,
    );
    await h.endpointEvent(id, "WebhookEndpointDeleted");
  },
  30_000,
);
