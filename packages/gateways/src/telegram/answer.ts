import { z } from "zod";
import { jsonIn } from "../json-in.ts";

const Message = z.object({ message_id: z.int(), chat: z.object({ id: z.int() }) });
const Refusal = z.object({
  ok: z.literal(false),
  description: z.string().catch(""),
  parameters: z
    .object({
      retry_after: z.number().min(0).optional().catch(undefined),
      migrate_to_chat_id: z.int().optional().catch(undefined),
    })
    .catch({}),
});
const Taken = z.object({
  ok: z.literal(true),
  result: z.union([Message, z.array(Message).nonempty()]),
});

/** What the Bot API said to a call; `unknown` where it did not say it. */
export type TelegramAnswer =
  | { readonly type: "taken"; readonly id: string }
  | {
      readonly type: "refused";
      readonly description: string;
      /** How long the bot, or that chat, is to be left alone. */
      readonly retryAfterSeconds: number | undefined;
      /** A group that became a supergroup has another id. */
      readonly movedTo: number | undefined;
    }
  | { readonly type: "unknown" };

export function readAnswer(body: string): TelegramAnswer {
  const value = jsonIn(body);
  const refusal = Refusal.safeParse(value).data;
  if (refusal !== undefined)
    return {
      type: "refused",
      description: refusal.description.slice(0, 1_000),
      retryAfterSeconds: refusal.parameters.retry_after,
      movedTo: refusal.parameters.migrate_to_chat_id,
    };
  const result = Taken.safeParse(value).data?.result;
  if (result === undefined) return { type: "unknown" };
  const { message_id: id, chat } = Array.isArray(result) ? result[0]! : result;
  // Ids of messages begin anew in each chat. Of an album it is the first one's.
  return { type: "taken", id: `${chat.id}.${id}` };
}
