import { freePort, smscDouble, type SmscReaction } from "@heliograph/testkit";
import type { Provider, Weather } from "./provider.ts";

const reactions: Readonly<Record<Exclude<Weather, "away" | "wait">, SmscReaction>> = {
  accept: { type: "accept" },
  reject: { type: "refuse", status: 0x0b },
  throttle: { type: "refuse", status: 0x58 },
  hang: { type: "silent" },
  "lost answer": { type: "close" },
  garbage: { type: "garbage" },
};

export async function smpp(): Promise<Provider> {
  const secrets = { password: "9Xy-pass" };
  const smsc = await smscDouble(secrets);
  const { host, port } = smsc;
  const away = await freePort();
  const config = {
    environment: "live" as const,
    channel: "sms" as const,
    timeout_ms: 400,
    settings: { host, port, system_id: "heliograph" },
  };
  return {
    config,
    secrets,
    weather(weather) {
      if (weather === "wait") return undefined;
      if (weather === "away") config.settings.port = away;
      else smsc.behave(() => reactions[weather]);
      return "+15551234567";
    },
    // user_message_reference
    taken: () =>
      smsc.submits
        .filter(({ taken }) => taken)
        .map(({ tlvs }) => tlvs.get(0x0204)!.toString("hex")),
    close: () => smsc.close(),
  };
}
