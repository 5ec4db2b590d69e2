import { freePort, smtpSink, type SmtpBehaviour } from "@heliograph/testkit";
import { postedEvents, sendgridPublicKey } from "../sendgrid.ts";
import type { Provider, Weather } from "./provider.ts";

const mail: Readonly<Record<Exclude<Weather, "away" | "wait">, SmtpBehaviour>> = {
  accept: { type: "accept" },
  reject: { type: "reject-recipient", code: 550 },
  throttle: { type: "busy" },
  hang: { type: "hang" },
  "lost answer": { type: "close-before-reply" },
  garbage: { type: "garbage" },
};

const mailId = (digit: string): string => `<atp_${digit.repeat(26)}@shop.example>`;

export async function smtp(): Promise<Provider> {
  const secrets = { password: "correct-horse" };
  const sink = await smtpSink({ login: { user: "shop", ...secrets } });
  const away = await freePort();
  const config = {
    environment: "live" as const,
    channel: "email" as const,
    settings: {
      url: `smtp://shop@127.0.0.1:${sink.port}`,
      from: "shop@shop.example",
      events: "sendgrid",
      sendgrid_public_key: sendgridPublicKey,
    },
  };
  return {
    config,
    secrets,
    weather(weather) {
      if (weather === "wait") return undefined;
      if (weather === "away") config.settings.url = `smtp://shop@127.0.0.1:${away}`;
      else sink.behave(mail[weather]);
      return "ada@example.com";
    },
    taken: () => sink.messages.map(({ raw }) => /^Message-ID:\s+(.*)$/m.exec(raw)![1]!),
    callback: (id, told) => {
      const event = { sent: "processed", delivered: "delivered", undelivered: "bounce" }[told];
      const status = told === "undelivered" ? { type: "bounce", status: "5.1.1" } : {};
      const about = { "smtp-id": id, email: "ada@example.com", timestamp: 1_779_546_137 };
      return postedEvents([{ event, sg_event_id: event, ...about, ...status }]);
    },
    named: [mailId("1"), mailId("2")],
    words: { sent: "nothing", undelivered: "bounced" },
    close: () => sink.close(),
  };
}
