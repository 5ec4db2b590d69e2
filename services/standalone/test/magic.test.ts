import { lifecycleData, type LifecycleType } from "@heliograph/domain";
import { until } from "@heliograph/testkit";
import { beforeAll, describe, expect, it } from "vitest";
import { openSetting, reached, send, timelineWith, type Setting } from "./setting.ts";

const sms = (digits: string) => ({ channel: "sms", to: `+1555123${digits}`, text: "Hello" });
const mail = (local: string) => ({
  channel: "email",
  to: `${local}@example.org`,
  subject: "Hi",
  text: "Hello",
});

describe("the sandbox's recipients", () => {
  let setting: Setting;
  beforeAll(async () => {
    setting = await openSetting({ HELIOGRAPH_RETRY_SCALE: "0.02" });
  }, 60_000);
  const types = async (id: string, last: string): Promise<readonly string[]> =>
    (await timelineWith(setting.sandbox, id, last)).map(({ type }) => type);
  /** Under which the feed says that a message was sent. */
  const providerIds = async (id: string): Promise<ReadonlySet<string>> => {
    const { data } = (await setting.sandbox.get("/events?types=message.sent&limit=1000")).body;
    const sent = data as { data: { message_id: string; provider: { message_id: string } } }[];
    const told = sent.filter((event) => event.data.message_id === id);
    return new Set(told.map((event) => event.data.provider.message_id));
  };
  const count = (list: readonly string[], type: string): number =>
    list.filter((item) => item === type).length;

  it.each([
    ["0001 delivered", sms("0001"), "delivered"],
    ["0002 sent-only", sms("0002"), "sent"],
    ["0008 slow", sms("0008"), "delivered"],
    ["0009 duplicate receipts", sms("0009"), "delivered"],
    ["0010 contradictory", sms("0010"), "delivered"],
    ["0012 uncertain", sms("0012"), "delivered"],
    ["delivered@", mail("delivered"), "delivered"],
    ["sent-only@", mail("sent-only"), "sent"],
    ["0014 read", sms("0014"), "read"],
    ["0015 complained", sms("0015"), "delivered"],
    ["a broadcast", { channel: "broadcast", to: "spring-news", text: "Hello" }, "sent"],
    ["a push", { channel: "push", to: "fMEP0v:APA91bHqX", text: "Hello" }, "delivered"],
    ["0014 push", { channel: "push", to: "dev_000000000000000000000014", text: "Hello" }, "read"],
    ["0002 telegram", { channel: "telegram", to: "88110002", text: "Hello" }, "sent"],
    ["any other", mail("nayeem"), "delivered"],
  ])("%s is paid and ends %s", async (_, body, status) => {
    const id = await send(setting.sandbox, body);
    await reached(setting.sandbox, id, status);
    const events = await types(id, "FundsCaptured");
    expect(count(events, "FundsHeld")).toBe(1);
    expect(count(events, "MessageSent")).toBe(1);
    expect(events).not.toContain("FundsRefunded");
    expect(events).not.toContain("MessageFailed");
  });

  it("0013 expires when its validity ends, without an attempt, and gives the funds back", async () => {
    const id = await send(setting.sandbox, { ...sms("0013"), validity_seconds: 10 });
    const message = await reached(setting.sandbox, id, "expired", 25_000);
    expect(message.attempts).toBe(0);
    expect(await types(id, "FundsReleased")).not.toContain("DispatchAttemptFailed");
  });

  it("0003 fails at the first attempt and gives the funds back", async () => {
    const id = await send(setting.sandbox, sms("0003"));
    const message = await reached(setting.sandbox, id, "failed");
    expect(message).toMatchObject({ attempts: 1, error: { class: "recipient", permanent: true } });
    expect(await types(id, "MessageFailed")).toContain("FundsReleased");
  });

  it("0004 fails twice, then is delivered", async () => {
    const id = await send(setting.sandbox, sms("0004"));
    expect((await reached(setting.sandbox, id, "delivered")).attempts).toBe(3);
    expect(count(await types(id, "FundsCaptured"), "DispatchAttemptFailed")).toBe(2);
  });

  it("0005 fails until the attempts are used up, then message.failed reports the refund", async () => {
    const id = await send(setting.sandbox, sms("0005"));
    const message = await reached(setting.sandbox, id, "failed", 25_000);
    expect(message.attempts).toBe(6);
    const failed = await until(async () => {
      const { body } = await setting.sandbox.get("/events?types=message.failed&limit=100");
      return body.data.find(
        (event: { data: { message_id: string } }) => event.data.message_id === id,
      );
    });
    expect(failed.data).toMatchObject({
      retry_count: 5,
      error: { permanent: false },
      refund: { currency: "USD", transaction_id: expect.stringMatching(/^wtx_/) },
    });
    const { data } = (await setting.sandbox.get("/wallet/transactions?limit=100")).body;
    expect(
      data.filter((item: { id: string }) => item.id === failed.data.refund.transaction_id),
    ).toMatchObject([{ message_id: id, amount: failed.data.refund.amount }]);
  });

  it("0006 comes back undelivered and is refunded; a mail bounces and stays paid", async () => {
    const id = await send(setting.sandbox, sms("0006"));
    await reached(setting.sandbox, id, "failed");
    expect(await types(id, "MessageFailed")).toContain("FundsRefunded");
    const bounced = await send(setting.sandbox, mail("bounced"));
    const message = await reached(setting.sandbox, bounced, "bounced");
    expect(message.error).toBeDefined();
    expect(await types(bounced, "MessageBounced")).not.toContain("FundsRefunded");
  });

  it("0007 bounces softly, is sent again and is delivered", async () => {
    for (const body of [sms("0007"), mail("soft-bounced")]) {
      const id = await send(setting.sandbox, body);
      await reached(setting.sandbox, id, "delivered");
      const events = await types(id, "MessageDelivered");
      expect([count(events, "MessageSent"), count(events, "MessageResent")]).toEqual([1, 1]);
      expect(count(events, "FundsCaptured")).toBe(1);
      await until(async () => (await providerIds(id)).size === 2);
    }
  });

  it("0011 opted out and is refused without a trace", async () => {
    for (const body of [sms("0011"), mail("suppressed")]) {
      const answer = await setting.sandbox.post("/messages", body);
      expect([answer.status, answer.body.code]).toEqual([422, "recipient_suppressed"]);
    }
  });

  it("0009 records each receipt once, 0012 says that it was uncertain", async () => {
    const duplicate = await send(setting.sandbox, sms("0009"));
    await reached(setting.sandbox, duplicate, "delivered");
    await until(
      async () => count(await types(duplicate, "MessageDelivered"), "ReceiptReceived") === 2,
    );
    const uncertain = await send(setting.sandbox, sms("0012"));
    const events = await types(uncertain, "MessageSent");
    expect(count(events, "DispatchUncertain")).toBe(1);
  });

  it("has told of all this by lifecycle events with the documented data, and no field more", async () => {
    const { data } = (await setting.sandbox.get("/events?limit=1000")).body;
    const types = new Set(data.map(({ type }: { type: string }) => type));
    for (const type of ["queued", "sent", "delivered", "failed", "bounced"])
      expect(types).toContain(`message.${type}`);
    for (const event of data as { type: LifecycleType; data: object }[])
      expect(lifecycleData[event.type].strict().parse(event.data)).toEqual(event.data);
  });

  it("leaves nothing held at the end", async () => {
    await until(async () => (await setting.sandbox.get("/balance")).body.held === "0");
    expect((await setting.sandbox.get("/wallet/proof")).body.matches).toBe(true);
  });
});
