import type { EventData } from "@heliograph/contracts";
import type { RecordedEvent } from "@heliograph/log";
import { type ReactorTools, type ServiceContext, reactor } from "@heliograph/runtime";
import { erasedText } from "@heliograph/vault";
import { release, readClaim } from "../claims.ts";
import { addExternalId, findByExternalId } from "../commands.ts";
import { reacting } from "../reacting.ts";
import type { ContactsContext } from "../streams.ts";
import { readActivity } from "../tables/activity.ts";
import { endUnmerge, restore } from "./restore.ts";
import { finish } from "./saga.ts";

const types = [
  "ContactMergeStarted",
  "ContactReleased",
  "ContactExternalIdRemoved",
  "RecipientMoved",
] as const;
type Cause = RecordedEvent<(typeof types)[number]>;

/** Ends what began on one stream and concerns another: merges, unmerges, the claims of removed external ids, and addresses that a provider says are others now. */
export const mergeReactor = reactor({
  kind: "reactor",
  name: "contacts-merge",
  schema: "contacts_merge",
  types,
  migrations: [],
  start: ({ context, checkpoint }: ReactorTools) => ({
    async handle(batch) {
      for (const event of batch.events) await settle(context, event);
      await checkpoint.commit(batch.position);
    },
    stop: async () => undefined,
  }),
});

async function settle(context: ServiceContext, event: Cause): Promise<void> {
  const own = reacting(context, event);
  const { type, data } = event;
  switch (type) {
    case "ContactMergeStarted": {
      const merge = { from: data.merged_id, into: data.contact_id, mergeId: data.merge_id };
      await finish(own, merge, (ids) => readActivity(context.projectionPool, ids));
      return;
    }
    case "ContactReleased":
      await restore(own, data);
      return;
    case "ContactExternalIdRemoved": {
      const { name, source, claim_revision: revision } = data;
      const claim = await readClaim(own.log, data);
      if (claim.owner !== undefined && claim.revision === revision)
        await release(own, { name, source, contact_id: claim.owner, revision, reason: "removed" });
      return;
    }
    case "RecipientMoved":
      return keepMoved(own, data);
    default:
      return type satisfies never;
  }
}

/** The contact keeps the address that it has now, beside the one that it had. Nothing happens where it cannot, or another contact has it. */
async function keepMoved(
  own: ContactsContext,
  { from, to }: EventData<"RecipientMoved">,
): Promise<void> {
  const [old, now] = (await own.vault.open(own.partner, from.id, to.id))([from, to]);
  if (old!.id === erasedText || now!.id === erasedText) return;
  const holder = await findByExternalId(own, old!, endUnmerge);
  if (holder !== undefined) await addExternalId(own, holder.contact.contact_id, now!);
}
