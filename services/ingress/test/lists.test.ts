import { service as control } from "@heliograph/control";
import { service as delivery } from "@heliograph/delivery";
import { service as dispatch } from "@heliograph/dispatch";
import { telegramDouble, until } from "@heliograph/testkit";
import { openWorld } from "@heliograph/testkit/world";
import { service as wallet } from "@heliograph/wallet";
import { expect, test } from "vitest";
import { service as ingress } from "../src/service.ts";

test("a message to a list goes once to the provider that keeps it, over the bot's gateway, and ends sent", async () => {
  const double = await telegramDouble();
  const world = await openWorld({
    services: [ingress, wallet, dispatch, delivery, control],
    consumers: "run",
  });
  try {
    const { id: partner } = await world.addPartner();
    await world.fund(partner, "1", "live");
    const key = await world.addKey(partner, { environment: "live" });
    const admin = await world.addKey(partner, { environment: "live", scopes: ["admin"] });
    const add = async (body: object) =>
      (await world.call("POST", "/api/v1/admin/gateways", { key: admin, body })).body.id;
    const message = { channel: "broadcast", to: "spring_news", text: "We are open" };
    const send = () => world.call("POST", "/api/v1/messages", { key, body: message });
    expect((await send()).body.code).toBe("channel_not_enabled");
    const via = await add({
      name: "news-bot",
      channel: "telegram",
      kind: "telegram",
      settings: { base_url: double.url },
      secrets: { bot_token: double.botToken, secret_token: double.secretToken },
    });
    const settings = { via, per_second: 50 };
    await add({ name: "news", channel: "broadcast", kind: "broadcast", settings });
    const sent = await send();
    expect([sent.status, sent.body.cost_estimate]).toEqual([202, "0.001"]);
    const read = async () =>
      (await world.call("GET", `/api/v1/messages/${sent.body.id}`, { key })).body;
    await until(async () => (await read()).status === "sent", { timeoutMs: 20_000 });
    expect((await read()).provider.gateway).toBe("news");
    expect(double.messages.map(({ parameters }) => parameters)).toEqual([
      { chat_id: "@spring_news", text: "We are open" },
    ]);
    const shown = (await world.call("GET", "/api/v1/gateways", { key })).body.data;
    expect(shown.find(({ name }: { name: string }) => name === "news")).toMatchObject({
      kind: "broadcast",
      max_per_second: 50,
    });
  } finally {
    await world.close();
    await double.close();
  }
});
