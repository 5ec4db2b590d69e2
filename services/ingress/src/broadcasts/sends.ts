import { openSuppressed } from "@heliograph/acceptance";
import { openCountersOf } from "@heliograph/api";
import { deterministicId } from "@heliograph/contracts";
import { limitTables, Others, prepareTables, type ReactorTools } from "@heliograph/runtime";
import { type Sender, senderFor } from "../messages/sender.ts";
import { Sending } from "../messages/sending.ts";
import type { Recipient } from "../tables/fan-out.ts";

/** What a broadcast's messages have, below all that is sent by itself: that goes first wherever both wait. */
export const priority = 0;
export const isUrgent = (message: { readonly priority: number }): boolean =>
  message.priority > priority;

/** What a recipient's message has its id of: so whoever sends it again sends the same one. A further attempt follows on a rejection alone, which nothing undoes. */
export const keyPartsOf = (
  broadcast: string,
  { contact_id, attempt }: Pick<Recipient, "contact_id" | "attempt">,
): readonly string[] => ["broadcast", broadcast, contact_id, String(attempt)];

export const messageIdOf = (
  environment: string,
  partner: string,
  broadcast: string,
  recipient: Pick<Recipient, "contact_id" | "attempt">,
): string => deterministicId("msg", environment, partner, ...keyPartsOf(broadcast, recipient));

/** What accepts the messages of broadcasts: the way that `POST /messages` goes, with a memory of its own. */
export type Sends = {
  readonly sending: Sending;
  /** Who sends what goes first wherever both wait, in whichever process. */
  readonly others: Others;
  /** Who sends for a broadcast; undefined where there is no such partner any more. */
  senderOf(broadcast: string, partner: string): Sender | undefined;
  close(): Promise<void>;
};

export async function openSends({ context, logger }: ReactorTools): Promise<Sends> {
  const { environment, pool, directory, settings } = context;
  await prepareTables(pool, [limitTables]);
  const broken = (error: unknown): void =>
    logger.error({ err: error }, "a subscription of the broadcasts broke; it starts again");
  const suppressed = openSuppressed(context, broken);
  const counting = openCountersOf(context);
  const following = new AbortController();
  const sending = new Sending(
    environment,
    context,
    directory,
    suppressed,
    settings.encryptMessages,
    // A broadcast has no files.
    (_, items, __, { send }) => send(items),
  );
  const others = new Others();
  const { done } = await sending.follow(following.signal, broken, (message) => {
    if (isUrgent(message)) others.seen();
  });
  return {
    sending,
    others,
    senderOf: (broadcast, partner) =>
      senderFor(
        { deps: context, directory, counters: counting.counters, logger },
        broadcast,
        partner,
      ),
    async close() {
      following.abort();
      await Promise.allSettled([done]);
      await suppressed.release();
      await counting.close();
    },
  };
}
