import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from "vitest";
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
);

it("killed with failures pending, it tries each again after the restart", async () => {
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
});
