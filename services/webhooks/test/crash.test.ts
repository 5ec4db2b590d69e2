import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from "vitest";
import { newId } from "@heliograph/contracts";
import { openPostgresLog } from "@heliograph/log";
import {
  spawnService,
  until,
  webhookSink,
  type SpawnedService,
  type WebhookSink,
} from "@heliograph/testkit";
import { openHarness, type Harness } from "./harness.ts";

let h: Harness;
let sink: WebhookSink;
let child: SpawnedService | undefined;
beforeAll(async () => {
  h = await openHarness({
    log: (url) => openPostgresLog({ connection: { connectionString: url }, namespace: "sandbox" }),
  });
});
afterAll(() => h.close());
beforeEach(async () => {
  sink = await webhookSink();
  h.newPartner();
});
afterEach(async () => {
  child?.kill("SIGKILL");
  await child?.exited;
  await sink.close();
});

const entry = new URL("./child.ts", import.meta.url).pathname;
function spawn(failpoint = ""): SpawnedService {
  const settings = { url: h.url, masterKey: h.masterKey.toString("hex") };
  child = spawnService(entry, { HELIOGRAPH_FAILPOINT: failpoint }, [JSON.stringify(settings)]);
  return child;
}
const counts = (): Map<string, number> => {
  const byId = new Map<string, number>();
  for (const request of sink.requests) {
    const id = String(request.headers["webhook-id"]);
    byId.set(id, (byId.get(id) ?? 0) + 1);
  }
  return byId;
};

/** On a busy machine a process loads for many seconds before it does anything, and each test starts two. */
const startsMs = 90_000;

it.each([
  ["before an attempt", "webhooks.before_attempt:kill@15"],
  ["when the sink has it and nothing is recorded", "webhooks.after_attempt:kill@15"],
  ["just before results are recorded", "webhooks.before_record:kill@2"],
  ["just after results are recorded", "webhooks.after_record:kill@2"],
])(
  "killed %s, it sends every event, under the same id, at most once more",
  async (_, failpoint) => {
    const total = 30;
    const endpoint = await h.endpoint(sink.url);
    for (let index = 0; index < total / 2; index++) await h.event();
    const first = spawn(failpoint);
    await first.outputMatching(/running/);
    // The second half is recorded by itself, also where all would fit into one record.
    let gone = false;
    void first.exited.then(() => (gone = true));
    await until(async () => gone || (await h.deliveries(endpoint.id)).length > 0);
    for (let index = 0; index < total / 2; index++) await h.event();
    expect(await first.exited).toEqual({ code: null, signal: "SIGKILL" });

    await spawn().outputMatching(/running/);
    const deliveries = await h.settled(endpoint.id, "delivered", total);
    const sent = counts();
    expect(sent.size).toBe(total);
    expect(new Set(deliveries.map((delivery) => delivery.event_id))).toEqual(new Set(sent.keys()));
    expect(Math.max(...sent.values())).toBeLessThanOrEqual(2);
    expect(
      sink.requests
        .map((request) => JSON.parse(request.body).sequence)
        .toSorted((a, b) => a - b)
        .at(-1),
    ).toBe(total);
  },
  startsMs,
);

it(
  "killed with failures pending, it tries each again after the restart",
  async () => {
    const endpoint = await h.endpoint(sink.url);
    sink.behave({ type: "answer", status: 500 });
    const first = spawn();
    await first.outputMatching(/running/);
    for (let index = 0; index < 5; index++) await h.event();
    await until(async () => (await h.deliveries(endpoint.id)).length === 5);
    first.kill("SIGKILL");
    await first.exited;
    sink.behave({ type: "answer" });
    await spawn().outputMatching(/running/);
    await h.settled(endpoint.id, "delivered", 5);
    expect(counts().size).toBe(5);
  },
  startsMs,
);

it("killed between attempts and their records, it sends a batch again as it was, and each subject in its order", async () => {
  const batch = { max_events: 10, max_wait_ms: 50 };
  const together = await h.endpoint(`${sink.url}/together`, { batch });
  const ordered = await h.endpoint(`${sink.url}/ordered`, { ordering: "per_subject" });
  const subjects = [newId("msg"), newId("msg"), newId("msg")];
  const tell = async (): Promise<void> => {
    for (let at = 0; at < 15; at++) await h.eventOf(subjects[at % 3]!);
  };
  await tell();
  expect(await spawn("webhooks.after_attempt:kill@6").exited).toEqual({
    code: null,
    signal: "SIGKILL",
  });
  // These would fill up a batch that is not kept.
  await tell();
  await spawn().outputMatching(/running/);
  for (const { id } of [together, ordered]) await h.settled(id, "delivered", 30);

  const texts = new Map<string, Set<string>>();
  for (const { headers, body } of sink.requests.filter(({ path }) => path === "/together")) {
    const id = String(headers["webhook-id"]);
    texts.set(id, (texts.get(id) ?? new Set()).add(body));
  }
  const events = [...texts.values()].flatMap((each) =>
    [...each].flatMap((body) => JSON.parse(body).events),
  );
  const sequences = events.map(({ sequence }) => sequence).toSorted((a, b) => a - b);
  expect(sequences).toEqual(Array.from({ length: 30 }, (_, at) => at + 1));

  const arrived = sink.requests
    .filter(({ path }) => path === "/ordered")
    .map(({ body }) => JSON.parse(body));
  for (const subject of subjects) {
    const order = arrived
      .filter(({ data }) => data.message_id === subject)
      .map(({ sequence }) => sequence);
    // What was not on record is sent again, and then all that follows: first and last arrivals are in order.
    const [first, last] = [[...new Set(order)], [...new Set(order.toReversed())].toReversed()];
    expect(first).toHaveLength(10);
    expect(first).toEqual(first.toSorted((a, b) => a - b));
    expect(last).toEqual(first);
  }
});
