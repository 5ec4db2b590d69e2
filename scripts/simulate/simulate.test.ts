import { streamOf, uuid5 } from "@heliograph/contracts";
import { messageContext } from "@heliograph/domain";
import type { RecordedEvent } from "@heliograph/log";
import fc from "fast-check";
import { expect, test } from "vitest";
import { faultsOf } from "./invariants.ts";
import { Platform } from "./platform.ts";
import { play, plays, type Play } from "./play.ts";

const runs = Number(process.env["SIMULATE_RUNS"] ?? 40);
/** The same plays each time, in which all of what is due happens; others are played by `npm run simulate`. */
const seed = Number(process.env["SIMULATE_SEED"] ?? 3);

/** A simulation in which one of these never happens shows less than it says. */
const dueEvents =
  `MessageSent MessageResent DispatchUncertain DispatchAttemptFailed DispatchExhausted BounceDeferred DeliveryFailed FailoverStarted FailoverStepFailed MessageSettled
  MessageDelivered MessageRead MessageComplained MessageFailed MessageExpired MessageRejected MessageCanceled FundsDeclined FundsCaptured FundsReleased FundsRefunded FundsKept
  HoldLapsed WebhookEndpointUpdated WebhookEndpointDeleted WebhookEndpointDisabled WebhookSecretRotated WebhookTestRequested WebhookRetryRequested WebhookReplayRequested
  BroadcastStarted BroadcastPaused BroadcastResumed BroadcastCanceled BroadcastCompleted
  MessageReceived SuppressionStarted SuppressionEnded ContactUpdated ContactMerged ContactUnmerged ContactExternalIdRemoved ContactErased`.split(
    /\s+/,
  );

const ordinary: Play = {
  seed: 7,
  messages: 8,
  turns: 200,
  crashes: 4,
  moves: true,
  policy: "at_least_once",
  gateways: 2,
  funds: "10",
  hooks: 2,
  people: 2,
  quiet: true,
};

test(
  "whatever dies, is replaced, repeated or late: at rest each message has one end, funds agree with it to the micro-unit, and nothing is told twice",
  async () => {
    const happened = new Set<string>();
    await fc.assert(
      fc.asyncProperty(plays(12), async (each) => {
        const { faults, types } = await play(each);
        expect(faults).toEqual([]);
        for (const type of types) happened.add(type);
      }),
      { numRuns: runs, seed },
    );
    expect([...happened]).toEqual(expect.arrayContaining(dueEvents));
  },
  120_000 + 3_000 * runs,
);

/** What happens seldom, and plays in which something did not hold once. */
const known: readonly {
  readonly what: string;
  readonly given: Play;
  readonly types?: readonly string[];
}[] = [
  {
    what: "holds lapse, some of them of messages that are sent after all",
    given: {
      seed: 270,
      messages: 4,
      turns: 160,
      crashes: 0,
      moves: true,
      gateways: 1,
      policy: "at_most_once",
      funds: "10",
      hooks: 0,
      sleeps: true,
    },
    types: ["HoldLapsed", "FundsExpired", "FundsChargedLate", "FundsReturnedBefore"],
  },
  {
    what: "an endpoint's lane was forgotten while its rows were read",
    given: {
      seed: -27,
      messages: 2,
      turns: 62,
      crashes: 0,
      moves: false,
      gateways: 1,
      policy: "ask_provider",
      funds: "10",
      hooks: 3,
      sleeps: false,
    },
  },
  {
    what: "it was forgotten while they were written",
    given: {
      seed: 996857424,
      messages: 4,
      turns: 201,
      crashes: 0,
      moves: true,
      gateways: 1,
      policy: "ask_provider",
      funds: "0",
      hooks: 3,
      sleeps: false,
    },
  },
  {
    what: "what came after an endpoint was opened again was held behind what had been discarded",
    given: {
      seed: 824121355,
      messages: 6,
      turns: 299,
      crashes: 5,
      moves: false,
      gateways: 1,
      policy: "at_least_once",
      funds: "10",
      hooks: 2,
      sleeps: false,
    },
  },
  {
    what: "a commit failed, and another had begun beside it",
    given: {
      seed: 2147483641,
      messages: 5,
      turns: 797,
      crashes: 2,
      moves: true,
      gateways: 1,
      policy: "at_least_once",
      funds: "1000",
      hooks: 3,
      sleeps: false,
    },
  },
  {
    what: "an endpoint was opened again before its owner heard that the log has it as gone",
    given: {
      seed: 1237545789,
      messages: 4,
      turns: 471,
      crashes: 4,
      moves: false,
      gateways: 1,
      policy: "at_least_once",
      funds: "10",
      hooks: 2,
      sleeps: true,
    },
  },
  {
    what: "a test is asked for again by hand while it waits",
    given: {
      seed: 2147483631,
      messages: 2,
      turns: 786,
      crashes: 3,
      moves: true,
      gateways: 1,
      policy: "at_least_once",
      funds: "1000",
      hooks: 2,
      sleeps: false,
    },
    types: ["WebhookTestRequested", "WebhookRetryRequested"],
  },
  {
    what: "an owner was stopped while the log was asked to disable an endpoint that was closed meanwhile",
    given: {
      seed: -1958806954,
      messages: 1,
      turns: 695,
      crashes: 3,
      moves: true,
      gateways: 1,
      policy: "at_least_once",
      funds: "1",
      hooks: 2,
      sleeps: false,
    },
  },
  {
    what: "an endpoint's lane was forgotten while it was looked for what another one's end lets go",
    given: {
      seed: 21,
      messages: 4,
      turns: 990,
      crashes: 4,
      moves: false,
      gateways: 1,
      policy: "at_least_once",
      funds: "1000",
      hooks: 1,
      sleeps: true,
    },
  },
  {
    what: "the lane of an endpoint that is gone was forgotten before its owner heard of it from the log",
    given: {
      seed: 2147483622,
      messages: 6,
      turns: 798,
      crashes: 0,
      moves: true,
      policy: "ask_provider",
      gateways: 1,
      funds: "1",
      hooks: 3,
      sleeps: true,
    },
  },
  {
    what: "a batch was sealed while rows of what gathered for it were being written",
    given: {
      seed: 19,
      messages: 14,
      turns: 510,
      crashes: 0,
      moves: false,
      gateways: 1,
      policy: "at_most_once",
      funds: "1000",
      hooks: 2,
      sleeps: true,
    },
  },
  {
    what: "a provider knew nothing of an uncertain attempt, in the quiet hours of its recipient",
    given: {
      seed: -1589571086,
      messages: 6,
      turns: 413,
      crashes: 3,
      moves: false,
      policy: "ask_provider",
      gateways: 1,
      funds: "10",
      hooks: 2,
      people: 0,
      quiet: true,
      sleeps: false,
    },
  },
  {
    what: "an external id was removed once more by a request that was repeated, and another contact had claimed it since",
    given: {
      seed: -1226918721,
      messages: 18,
      turns: 796,
      crashes: 3,
      moves: false,
      policy: "at_most_once",
      gateways: 1,
      funds: "10",
      hooks: 1,
      people: 1,
      sleeps: false,
    },
  },
  {
    what: "a contact was made and lost its external id, and whoever had made it made another one for the same message",
    given: {
      seed: 225111650,
      messages: 3,
      turns: 800,
      crashes: 3,
      moves: false,
      policy: "ask_provider",
      gateways: 1,
      funds: "10",
      hooks: 3,
      people: 2,
      sleeps: true,
    },
    types: ["ContactCreated", "ContactErased"],
  },
  {
    what: "an id was claimed for a contact that was about to take it over, and stayed there when the two were parted",
    given: {
      seed: -1301163237,
      messages: 12,
      turns: 262,
      crashes: 4,
      moves: false,
      policy: "ask_provider",
      gateways: 1,
      funds: "1",
      hooks: 0,
      people: 1,
      quiet: false,
      sleeps: false,
      usage: false,
      broadcasts: 0,
    },
    types: ["ContactAbsorbed", "ContactUnmerged"],
  },
  {
    what: "a message was being matched when its contact was erased, and what it came as stayed readable",
    given: {
      seed: -2147483646,
      messages: 17,
      turns: 273,
      crashes: 1,
      moves: false,
      policy: "ask_provider",
      gateways: 1,
      funds: "1000",
      hooks: 2,
      people: 1,
      quiet: true,
      sleeps: false,
      usage: true,
      broadcasts: 0,
    },
    types: ["InboundMatched", "ContactErased"],
  },
  {
    what: "a broadcast was canceled while a page of it was sent and not counted",
    given: {
      seed: 256_577_043,
      messages: 3,
      turns: 901,
      crashes: 2,
      moves: true,
      gateways: 1,
      policy: "at_most_once",
      funds: "0",
      hooks: 3,
      people: 4,
      sleeps: true,
      broadcasts: 3,
    },
    types: ["BroadcastCanceled"],
  },
  {
    what: "a STOP had not been read when the erasure of its contact began",
    given: {
      seed: 2_147_483_618,
      messages: 4,
      turns: 592,
      crashes: 0,
      moves: true,
      gateways: 1,
      policy: "ask_provider",
      funds: "1000",
      people: 2,
      quiet: true,
    },
    types: ["ContactErased"],
  },
  {
    what: "a message of a broadcast was uncertain until its receipt said that it was delivered",
    given: {
      seed: 474_927_610,
      messages: 1,
      turns: 789,
      crashes: 4,
      moves: false,
      gateways: 1,
      policy: "at_least_once",
      funds: "1",
      hooks: 2,
      people: 4,
      quiet: true,
      sleeps: true,
      usage: true,
      broadcasts: 3,
    },
    types: ["BroadcastCompleted"],
  },
];

test.each(known)("$what: it holds", async ({ given, types = [] }) => {
  const played = await play(given);
  expect(played.faults).toEqual([]);
  expect([...played.types]).toEqual(expect.arrayContaining(types.slice()));
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
