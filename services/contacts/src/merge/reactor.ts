import type { RecordedEvent } from "@heliograph/log";
import { type ReactorTools, type ServiceContext, reactor } from "@heliograph/runtime";
import { release, readClaim } from "../claims.ts";
import { reacting } from "../reacting.ts";
import { readActivity } from "../tables/activity.ts";
import { finish, restore } from "./saga.ts";

const types = ["ContactMergeStarted", "ContactReleased", "ContactExternalIdRemoved"] as const;
type Cause = RecordedEvent<(typeof types)[number]>;

/** Ends what a request began on one stream and a crash kept from another: merges, unmerges, and the claims of removed external ids. */
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
    default:
      return type satisfies never;
  }
}
