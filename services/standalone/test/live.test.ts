import { smtpSink, until } from "@heliograph/testkit";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { example, openSetting, reached, send, timelineWith, type Setting } from "./setting.ts";

const mail = {
  channel: "email",
  from: "orders@example.com",
  to: "nayeem@example.org",
  subject: "Your order",
  text: "It is on its way.",
};

describe("the live environment", () => {
  it("refuses channels that no gateway is configured for", async () => {
    const { live, instance } = await openSetting();
    for (const body of [example, mail, { channel: "sms", to: "+15551234567", text: "Hello" }]) {
      const answer = await live.post("/messages", body);
      expect([answer.status, answer.body.code]).toEqual([422, "channel_not_enabled"]);
    }
    expect(instance.output()).not.toMatch(/error/i);
  }, 60_000);

  describe("with a log gateway and a mail server", () => {
    let setting: Setting;
    const servers: Awaited<ReturnType<typeof smtpSink>>[] = [];
    beforeAll(async () => {
      servers.push(await smtpSink());
      setting = await openSetting({
        HELIOGRAPH_LOG_GATEWAY_CHANNELS: "whatsapp",
        HELIOGRAPH_SMTP_URL: `smtp://127.0.0.1:${servers[0]!.port}`,
        HELIOGRAPH_RETRY_SCALE: "0.02",
      });
    }, 60_000);
    afterAll(() => Promise.all(servers.map((server) => server.close())));

    it("delivers the example through the log gateway", async () => {
      const message = await reached(setting.live, await send(setting.live, example), "delivered");
      expect(message).toMatchObject({ environment: "live", provider: { gateway: "log-whatsapp" } });
    });

    it("hands mail to the server once", async () => {
      const sink = servers[0]!;
      const id = await send(setting.live, mail);
      const message = await reached(setting.live, id, "sent");
      expect(message.provider).toMatchObject({ gateway: "smtp-1" });
      expect(sink.messages.map(({ from, to }) => ({ from, to }))).toEqual([
        { from: mail.from, to: [mail.to] },
      ]);
      expect(sink.messages[0]!.raw).toContain("Subject: Your order");
    });

    it("tries again when the server is busy, and gives up on a refused recipient", async () => {
      const sink = servers[0]!;
      const count = sink.messages.length;
      sink.behave({ type: "reject-recipient", code: 451 });
      const id = await send(setting.live, mail);
      await timelineWith(setting.live, id, "DispatchAttemptFailed");
      sink.behave({ type: "accept" });
      await reached(setting.live, id, "sent");
      sink.behave({ type: "reject-recipient", code: 550 });
      const refused = await send(setting.live, mail);
      const message = await reached(setting.live, refused, "failed");
      expect(message.error).toMatchObject({ permanent: true, class: "recipient" });
      sink.behave({ type: "accept" });
      expect(sink.messages).toHaveLength(count + 1);
    });

    it("does not send again when the answer was lost, and says that it cannot know", async () => {
      const sink = servers[0]!;
      const count = sink.messages.length;
      sink.behave({ type: "close-before-reply" });
      const id = await send(setting.live, mail);
      const events = await timelineWith(setting.live, id, "DispatchUncertain");
      expect(events.find(({ type }) => type === "DispatchUncertain")!.data.policy).toBe(
        "at_most_once",
      );
      sink.behave({ type: "accept" });
      await until(
        async () => (await setting.live.get(`/messages/${id}`)).body.status === "failed",
        {
          timeoutMs: 25_000,
        },
      );
      expect(sink.messages).toHaveLength(count + 1);
    });

    it("keeps the sandbox away from the mail server", async () => {
      const count = servers[0]!.messages.length;
      await reached(setting.sandbox, await send(setting.sandbox, mail), "delivered");
      expect(servers[0]!.messages).toHaveLength(count);
    });
  });
});
