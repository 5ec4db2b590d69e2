import { freePort, whatsappDouble } from "@heliograph/testkit";
import type { Provider, Told, Weather } from "./provider.ts";

const words: Readonly<Record<Told, string>> = {
  sent: "sent",
  delivered: "delivered",
  undelivered: "failed",
};

export async function whatsapp(): Promise<Provider> {
  const double = await whatsappDouble();
  const away = await freePort();
  const config = {
    environment: "live" as const,
    channel: "whatsapp" as const,
    settings: { base_url: double.url, phone_number_id: double.phoneNumberId },
  };
  const tooMany = { type: "refuse", status: 429, code: 130429 } as const;
  const weathers: Readonly<Record<Weather, () => void>> = {
    accept: () => double.behave({ type: "accept" }),
    reject: () => double.behave({ type: "refuse", status: 400, code: 131026 }),
    throttle: () => double.behave(tooMany),
    wait: () => double.behave({ ...tooMany, retryAfter: "7" }),
    hang: () => double.behave({ type: "hang" }),
    "lost answer": () => double.behave({ type: "reset" }),
    garbage: () => double.behave({ type: "answer", status: 200, body: "%PDF-1.7 \u0000" }),
    away: () => void (config.settings.base_url = `http://127.0.0.1:${away}`),
  };
  return {
    config,
    secrets: {
      access_token: double.accessToken,
      app_secret: double.appSecret,
      verify_token: double.verifyToken,
    },
    weather(weather) {
      weathers[weather]();
      return "+15550000001";
    },
    // It gives back the message's id, which all its attempts share.
    taken: () => double.messages.map(({ body }) => JSON.stringify(body)),
    takesNoReference: true,
    callback: (id, told) =>
      double.status(
        "https://api.example.com/api/v1/callbacks/gtw_1/token",
        id,
        words[told],
        told === "undelivered" ? { errors: [{ code: 131026, title: "Undeliverable" }] } : {},
      ),
    close: () => double.close(),
  };
}
