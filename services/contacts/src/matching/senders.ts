import { projector } from "@heliograph/runtime";
import { sendersDdl, upsertSenders } from "../tables/senders.ts";

/** Every message that is sent comes by here and only the last of a gateway counts: one row a second each is plenty. */
const lingerMs = 1_000;

/** Who last sent through which gateway: whom an answer is for where nothing else says so. */
export const sendersProjector = projector({
  kind: "projector",
  name: "contact-senders",
  schema: "contact_senders",
  types: ["MessageSent", "MessageResent"],
  spaces: { last_sender: "partner" },
  ddl: sendersDdl,
  lingerMs,
  create: () => ({
    project(events) {
      const last = new Map<string, string>();
      for (const { data, metadata } of events)
        if (metadata.partner !== undefined) last.set(data.gateway, metadata.partner);
      return upsertSenders(last);
    },
  }),
});
