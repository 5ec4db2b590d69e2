import { addFetches, type NewFetch } from "@heliograph/attachments";
import { receivedFileId } from "@heliograph/gateways";
import type { RecordedEvent } from "@heliograph/log";
import { reactor, type ReactorInstance, type ReactorTools } from "@heliograph/runtime";
import { openFetcher } from "./fetcher.ts";
import { tellAwaited, tellFile, toldFile, type ToldFile } from "./tell.ts";

/** Files of one partner's that wait: at two at once and a second each, those of an hour and a half. */
const mostWaiting = 10_000;

/**
 * Fetches what people sent through providers that give their files to the gateway alone, once it is known whose message it is. The message was told of before, with the ids under which its files are kept; what is
 * to be fetched is durable before the checkpoint passes, and a provider that fails is asked again on a schedule of its own. What becomes of a file is told in its own stream, before the table changes.
 */
export const receivedReactor = reactor({
  kind: "reactor",
  name: "received-files",
  schema: "mobile_received",
  types: ["InboundMatched"],
  spaces: { "mobile_attachments.fetches": "partner" },
  migrations: [],
  start,
});

async function start(tools: ReactorTools): Promise<ReactorInstance<"InboundMatched">> {
  const { checkpoint, context } = tools;
  const { pool, log } = context;
  const fetcher = openFetcher(tools);
  fetcher.ring();
  return {
    async handle({ events, position }) {
      const fetches = events.flatMap(fetchesOf);
      if (fetches.length > 0) {
        await tellAwaited(log, fetches);
        const lost = await addFetches(pool, fetches, mostWaiting);
        for (const { id, partner, file } of fetches)
          if (lost.has(id))
            await tellFile(log, partner, file, { type: "ReceivedFileLost", reason: "too_many" });
        fetcher.ring();
      }
      await checkpoint.commit(position);
    },
    stop: () => fetcher.close(),
  };
}

/** The files of the message whose ids say that they are not kept yet: the provider has them, or they came with it and could not be kept. Others came with it and are kept already. */
function fetchesOf({
  data,
  metadata,
}: RecordedEvent<"InboundMatched">): readonly (NewFetch & { readonly file: ToldFile })[] {
  const { inbound_id, contact_id, media = [] } = data;
  const named = new Set(media.flatMap(({ attachment_id: id }) => id ?? []));
  return Array.from({ length: media.length }, (_, place) => ({
    id: receivedFileId(inbound_id, place),
    partner: metadata.partner ?? "",
    contact_id,
    inbound_id,
    place,
    file: toldFile(data, receivedFileId(inbound_id, place)),
  })).filter(({ id }) => named.has(id));
}
