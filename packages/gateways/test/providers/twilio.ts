import { freePort, twilioDouble } from "@heliograph/testkit";
import type { Provider, Told, Weather } from "./provider.ts";

const words: Readonly<Record<Told, string>> = {
  sent: "sent",
  delivered: "delivered",
  undelivered: "undelivered",
};

export async function twilio(): Promise<Provider> {
  const double = await twilioDouble();
  const away = await freePort();
  const config = {
    environment: "live" as const,
    channel: "sms" as const,
    settings: { base_url: double.url, account_sid: double.accountSid, from: "+15550100000" },
  };
  const weathers: Readonly<Record<Weather, () => void>> = {
    accept: () => double.behave({ type: "accept" }),
    reject: () => double.behave({ type: "refuse", status: 400, code: 21211 }),
    throttle: () => double.behave({ type: "refuse", status: 429, code: 20429 }),
    wait: () => double.behave({ type: "refuse", status: 429, code: 20429, retryAfter: "7" }),
    hang: () => double.behave({ type: "hang" }),
    "lost answer": () => double.behave({ type: "reset" }),
    garbage: () => double.behave({ type: "answer", status: 200, body: "%PDF-1.7 \u0000" }),
    away: () => void (config.settings.base_url = `http://127.0.0.1:${away}`),
  };
  return {
    config,
    secrets: { auth_token: double.authToken },
    weather(weather) {
      weathers[weather]();
      return "+15550000001";
    },
    taken: () => double.messages.map(({ form }) => form.get("StatusCallback")!),
    callback: (id, told) =>
      double.status(
        id,
        words[told],
        told === "undelivered" ? { ErrorCode: "30003" } : {},
        "https://api.example.com/api/v1/callbacks/gtw_1/token?message=msg_1",
      ),
    close: () => double.close(),
  };
}
