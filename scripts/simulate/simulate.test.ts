import { streamOf, uuid5 } from "@heliograph/contracts";
import { messageContext } from "@heliograph/domain";
import type { RecordedEvent } from "@heliograph/log";
import fc from "fast-check";
import { expect, test } from "vitest";
import { faultsOf } from "./invariants.ts";
import { Platform } from "./platform.ts";
import { play, plays, type Play } from "./play.ts";

const runs = Number(process.env["SIMULATE_RUNS"] ?? 60);

const ordinary: Play = {
  seed: 7,
  messages: 8,
  turns: 200,
  crashes: 4,
  moves: true,
  policy: "at_least_once",
  gateways: 2,
  funds: "10",
};

test(
  "whatever dies, is replaced, repeated or late: at rest each message has one end, funds agree with it to the micro-unit, and nothing is told twice",
  async () => {
    await fc.assert(
      fc.asyncProperty(plays(12), async (each) => {
        expect((await play(each)).faults).toEqual([]);
      }),
      { numRuns: runs },
    );
  },
  60_000 + 500 * runs,
);

test("two ledgers that decide the same at once write no balance that the entries do not add up to", async () => {
  // The second knows the holds that the first has settled since, and its decision has the ids of the first one's.
  const found: Play = {
    ...ordinary,
    seed: -1_012_712_238,
    messages: 19,
    turns: 306,
    crashes: 2,
    gateways: 1,
    funds: "1000",
  };
  expect((await play(found)).faults).toEqual([]);
});

test("the same play gives the same log", async () => {
  expect(await play(ordinary)).toEqual(await play(ordinary));
});

test("what does not hold is found", async () => {
  const platform = await Platform.open(1, [{}], false);
  try {
    await platform.topUp("10");
    await platform.accept();
    await platform.rest();
    expect(await faultsOf(platform)).toEqual([]);
    const [id] = platform.ids;
    platform.topUps.push("1");
    platform.ids.push("msg_00000000000000000000000000");
    const stream = streamOf("message", id!);
    const [first] = await platform.sim.log.readStream(stream);
    const { metadata, data: request } = first as RecordedEvent<"MessageRequested">;
    const { cost, currency } = request;
    const data = { message_id: id, message: messageContext(request), cost, currency };
    for (const name of ["a", "b"]) {
      const event = { id: uuid5(name), type: "MessageCanceled", data, metadata };
      const append = { stream, expected: "any", events: [event] } as const;
      expect(await platform.sim.log.append([append])).toMatchObject([{ kind: "appended" }]);
    }
    expect(await faultsOf(platform)).toEqual([
      expect.stringMatching(/was paid in/),
      expect.stringMatching(/has MessageCanceled twice/),
      expect.stringMatching(/is lost/),
      expect.stringMatching(/tells message.canceled twice/),
    ]);
  } finally {
    platform.close();
  }
});
