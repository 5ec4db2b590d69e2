import { freePort, webhookSink, type SinkBehaviour } from "@heliograph/testkit";
import type { Provider, Weather } from "./provider.ts";

const json = (
  status: number,
  body: object,
  headers: Record<string, string> = {},
): SinkBehaviour => ({
  type: "answer",
  status,
  headers: { "content-type": "application/json", ...headers },
  body: JSON.stringify(body),
});

export async function http(): Promise<Provider> {
  const sink = await webhookSink();
  const away = await freePort();
  let weather: Weather = "accept";
  let refusals = 0;
  const behaviours: Readonly<Record<Weather, () => SinkBehaviour>> = {
    accept: () => json(200, { data: { id: sink.requests.length } }),
    reject: () => json(200, { error: { code: 17 } }),
    throttle: () => json(429, {}),
    wait: () => json(503, {}, { "retry-after": "7" }),
    hang: () => ({ type: "hang" }),
    "lost answer": () => ({ type: "reset" }),
    garbage: () => ({ type: "answer", status: 200, body: "%PDF-1.7" }),
    away: () => ({ type: "reset" }),
  };
  sink.behave(() => {
    if (["reject", "throttle", "wait"].includes(weather)) refusals++;
    return behaviours[weather]();
  });
  const config = {
    environment: "live" as const,
    channel: "sms" as const,
    settings: {
      url: `${sink.url}/send?ref={{attempt_id}}`,
      headers: { "x-partner": "me" },
      body: { to: "{{to}}", words: ["{{text}}"] },
      success: { status: 200, id: "/data/id" },
      errors: [{ match: { pointer: "/error/code", equals: 17 }, class: "permanent" }],
      receipts: {
        id: "/id",
        status: "/state",
        map: { S: "sent", D: "delivered", U: "undelivered" },
      },
    },
  };
  const words = { sent: "S", delivered: "D", undelivered: "U" };
  return {
    config,
    secrets: { headers: JSON.stringify({ Authorization: "Bearer http-secret" }) },
    weather(next) {
      weather = next;
      if (next === "away") config.settings.url = `http://127.0.0.1:${away}/`;
      return "+15550000001";
    },
    taken: () => sink.requests.slice(refusals).map(({ path }) => path),
    proof: "address",
    callback: (id, told) => ({
      method: "POST",
      url: "https://api.example.com/api/v1/callbacks/gtw_1/token",
      headers: { "content-type": "application/json" },
      body: Buffer.from(JSON.stringify({ id, state: words[told] })),
    }),
    close: () => sink.close(),
  };
}
