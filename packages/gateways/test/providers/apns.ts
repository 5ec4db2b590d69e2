import tls from "node:tls";
import { apnsDouble, freePort } from "@heliograph/testkit";
import type { Provider, Weather } from "./provider.ts";

export const apnsToken = "00fc13adff785122b4ad28809a3420982341241421348097878e577c991de8f0";

/** Connections of this process trust the double, as they trust Apple. */
export const trust = (certificate: string): void =>
  tls.setDefaultCACertificates([...tls.getCACertificates("default"), certificate]);

export async function apns(): Promise<Provider> {
  const double = await apnsDouble();
  trust(double.certificate);
  const away = await freePort();
  const { teamId: team_id, keyId: key_id, topic } = double;
  const config = {
    environment: "live" as const,
    channel: "push" as const,
    settings: { base_url: double.url, team_id, key_id, topic },
  };
  const refuse = (status: number, reason: string, retryAfter?: string): void =>
    double.behave({ type: "refuse", status, reason, ...(retryAfter && { retryAfter }) });
  const weathers: Readonly<Record<Weather, () => void>> = {
    accept: () => double.behave({ type: "accept" }),
    reject: () => refuse(410, "Unregistered"),
    throttle: () => refuse(429, "TooManyRequests"),
    wait: () => refuse(503, "ServiceUnavailable", "7"),
    hang: () => double.behave({ type: "hang" }),
    "lost answer": () => double.behave({ type: "reset" }),
    garbage: () => double.behave({ type: "answer", status: 200, body: "%PDF-1.7 \u0000" }),
    away: () => void (config.settings.base_url = `https://localhost:${away}`),
  };
  return {
    config,
    secrets: { key: double.key },
    weather(weather) {
      weathers[weather]();
      return apnsToken;
    },
    taken: () => double.notifications.map(({ headers }) => String(headers["apns-id"])),
    close: () => double.close(),
  };
}
