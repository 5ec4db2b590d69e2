import { projector } from "@heliograph/runtime";
import { activityDdl, addActivity } from "./tables/activity.ts";

/** How much there is with each contact, so that a merge says what it moves without reading every conversation. */
export const activityProjector = projector({
  kind: "projector",
  name: "contact-activity",
  schema: "contact_activity",
  version: 2,
  types: ["ConversationOpened", "MessageReceived", "ConversationReplied"],
  spaces: { activity: "partner" },
  ddl: activityDdl,
  create: () => ({
    project(events) {
      const counts = new Map<
        string,
        { readonly partner: string; conversations: number; messages: number }
      >();
      for (const { type, data, metadata } of events) {
        const count = counts.get(data.contact_id) ?? {
          partner: metadata.partner ?? "",
          conversations: 0,
          messages: 0,
        };
        if (type === "ConversationOpened") count.conversations++;
        else count.messages++;
        counts.set(data.contact_id, count);
      }
      return addActivity(counts);
    },
  }),
});
