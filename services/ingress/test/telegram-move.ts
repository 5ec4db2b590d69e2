import type { EventType } from "@heliograph/contracts";
import { until, type TelegramDouble } from "@heliograph/testkit";
import type { World } from "@heliograph/testkit/world";
import { expect } from "vitest";

type Setting = {
  readonly world: World;
  readonly partner: string;
  /** Of the partner. */
  readonly key: string;
  readonly post: (callback: ReturnType<TelegramDouble["update"]>) => Promise<number>;
  readonly comes: (messageId: string, type: EventType) => Promise<unknown>;
};

/** The chat of a conversation gets another id: it is told once, to an answer, and from then on its conversation, its contact and what is sent go on there, also by a connection that knows nothing. */
export async function followsMove(
  { world, partner, key, post, comes }: Setting,
  double: TelegramDouble,
  bot: { readonly id: string; readonly callback_url: string },
  conversation: string,
): Promise<void> {
  double.moved.set(88112233, -100_123);
  const reply = async (words: string): Promise<void> => {
    const path = `/api/v1/conversations/${conversation}/messages`;
    const answer = await world.call("POST", path, { key, body: { text: words } });
    await comes(answer.body.message_id ?? answer.body.id, "MessageSent");
    expect(double.messages.at(-1)!.parameters).toEqual({ chat_id: -100_123, text: words });
  };
  await reply("Are you there?");
  expect(double.missed).toEqual([88112233]);
  const chat = { id: -100_123, type: "supergroup" };
  const message = { message_id: 8, date: 1_700_000_100, chat, text: "Here now" };
  expect(await post(double.update(bot.callback_url, { message }))).toBe(200);
  const list = () => world.call("GET", "/api/v1/conversations?channel=telegram", { key });
  await until(async () => (await list()).body.data[0].last_message.text === "Here now", {
    timeoutMs: 20_000,
  });
  expect((await list()).body.data).toMatchObject([
    { id: conversation, address: { source: "telegram", id: "88112233" } },
  ]);
  const admin = await world.addKey(partner, { environment: "live", scopes: ["admin"] });
  const changed = await world.call("PATCH", `/api/v1/admin/gateways/${bot.id}`, {
    key: admin,
    body: { timeout_ms: 9_000 },
  });
  expect(changed.status).toBe(200);
  await reply("Welcome");
  expect(double.missed).toEqual([88112233]);
}
