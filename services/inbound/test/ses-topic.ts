import { newId, streamOf } from "@heliograph/contracts";
import { recordCallback, type GatewayConfig } from "@heliograph/gateways";
import { until } from "@heliograph/testkit";
import { expect } from "vitest";
import { topic, type openMailWorld } from "./mail-world.ts";

type Setting = Awaited<ReturnType<typeof openMailWorld>>;
type Live = Setting["world"]["platform"]["contexts"]["live"];

/** An event of SES as SNS posts it to a gateway, and as it is stored once its signature was verified. */
export const postSes = (
  live: Live,
  gateway: GatewayConfig,
  event: object,
  TopicArn = topic,
): Promise<unknown> =>
  recordCallback(live, {
    gateway,
    url: "https://api.example.com/callbacks/x",
    headers: {},
    contentType: "text/plain",
    body: Buffer.from(
      JSON.stringify({
        Type: "Notification",
        TopicArn,
        MessageId: newId("evt"),
        Timestamp: "x",
        Message: JSON.stringify(event),
        SignatureVersion: "2",
        Signature: "x",
        SigningCertURL: "x",
      }),
    ),
    receivedAt: new Date().toISOString(),
  });

const bounceOf = (mailId: string, source: string, messageId: string) => ({
  eventType: "Bounce",
  bounce: {
    bounceType: "Permanent",
    bounceSubType: "General",
    bouncedRecipients: [{ emailAddress: "x", status: "5.1.1" }],
  },
  mail: { messageId, source, headers: [{ name: "Message-ID", value: mailId }] },
});

/** Told by both before the answer of the server is recorded, and again after it. */
async function expectWaited({
  world,
  one,
  two,
  sentTo,
  receipts,
}: Pick<Setting, "world" | "sentTo"> & {
  readonly one: GatewayConfig;
  readonly two: GatewayConfig;
  readonly receipts: (id: string) => Promise<readonly unknown[]>;
}): Promise<void> {
  const { live } = world.platform.contexts;
  const early = await sentTo("early@example.com", two, "lost");
  const waiting = async (): Promise<number> => {
    const types = ["ReceiptUnmatched"] as const;
    const { events } = await live.log.readAll({ after: 0n, limit: 1_000, types });
    return events.filter(({ data }) => data.provider_message_id === early.mailId).length;
  };
  const told = async () => {
    for (const by of [one, two])
      await postSes(live, by, bounceOf(early.mailId, "post@ses.example", "ses-early"));
    const last = await sentTo("late@example.com", one);
    await postSes(live, one, bounceOf(last.mailId, last.returnPath, "ses-late"));
    await until(async () => (await last.state()).status === "bounced");
  };
  await told();
  expect(await waiting(), "once, however many gateways have the topic").toBe(1);
  await early.found();
  await until(async () => (await early.state()).status === "bounced");
  await told();
  expect(await receipts(early.messageId)).toMatchObject([
    { status: "bounced", gateway: "ses-2", error: { provider: { name: "ses-2" } } },
  ]);
}

export async function expectSharedTopic({ world, ses, other, sentTo }: Setting): Promise<void> {
  const { live } = world.platform.contexts;
  const [one, two] = [ses[0]!, ses[1]!];
  const receipts = async (id: string) =>
    (await live.log.readStream(streamOf("receipts", id))).map(({ data }) => data);
  // Both are subscribed: each event comes by both, the other's first.
  const both = await sentTo("both@example.com", one);
  // Told by SES's own name of the return path alone, before the answer of the server was recorded.
  const lost = await sentTo("lost@example.com", one, "lost");
  // It hides the return path.
  const bare = await sentTo("bare@example.com", one);
  for (const by of [two, one]) {
    await postSes(live, by, bounceOf(both.mailId, both.returnPath, "ses-both"));
    await postSes(live, by, bounceOf(lost.mailId, lost.returnPath, "ses-lost"));
    await postSes(live, by, bounceOf(bare.mailId, "post@ses.example", "ses-bare"));
  }
  for (const { state } of [both, bare])
    await until(async () => (await state()).status === "bounced");
  for (const { messageId } of [both, lost, bare]) {
    await until(async () => (await receipts(messageId)).length > 0);
    expect(await receipts(messageId)).toMatchObject([
      { status: "bounced", gateway: "ses-1", error: { provider: { name: "ses-1" } } },
    ]);
  }
  await expectWaited({ world, one, two, sentTo, receipts });
  // What is no topic of the sender's, and what came for a gateway without one, moves nothing of it.
  const safe = await sentTo("safe@example.com", one);
  const event = bounceOf(safe.mailId, safe.returnPath, "ses-safe");
  await postSes(live, two, event, `${topic}-2`);
  await postSes(live, other, event);
  const last = await sentTo("last@example.com", two);
  await postSes(live, one, bounceOf(last.mailId, last.returnPath, "ses-last"));
  await until(async () => (await last.state()).status === "bounced");
  expect(await receipts(safe.messageId)).toEqual([]);
}
