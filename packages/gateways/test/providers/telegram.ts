import { freePort, telegramDouble } from "@heliograph/testkit";
import type { Provider, Weather } from "./provider.ts";

export async function telegram(): Promise<Provider> {
  const double = await telegramDouble();
  const away = await freePort();
  const config = {
    environment: "live" as const,
    channel: "telegram" as const,
    settings: { base_url: double.url },
  };
  const tooMany = { type: "refuse", status: 429, description: "Too Many Requests" } as const;
  const weathers: Readonly<Record<Weather, () => void>> = {
    accept: () => double.behave({ type: "accept" }),
    reject: () =>
      double.behave({ type: "refuse", status: 400, description: "Bad Request: chat not found" }),
    throttle: () => double.behave(tooMany),
    wait: () => double.behave({ ...tooMany, parameters: { retry_after: 7 } }),
    hang: () => double.behave({ type: "hang" }),
    "lost answer": () => double.behave({ type: "reset" }),
    garbage: () => double.behave({ type: "answer", status: 200, body: "%PDF-1.7 \u0000" }),
    away: () => void (config.settings.base_url = `http://127.0.0.1:${away}`),
  };
  return {
    config,
    secrets: { bot_token: double.botToken, secret_token: double.secretToken },
    weather(weather) {
      weathers[weather]();
      return "88112233";
    },
    taken: () => double.messages.map(({ parameters }) => JSON.stringify(parameters)),
    takesNoReference: true,
    proof: "secret",
    confirmsNothing: true,
    callback: (id) =>
      double.update("https://api.example.com/api/v1/callbacks/gtw_1/token", {
        message: { message_id: 5, date: 1_700_000_000, chat: { id: 88112233 }, text: id },
      }),
    close: () => double.close(),
  };
}
