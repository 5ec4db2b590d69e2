import type { EventData } from "@heliograph/contracts";

/** The address of the mail, which may be one of several ways of a message; sealed, as it stands in the event. */
export const mailedTo = (data: EventData<"MessageRequested">): string | undefined =>
  data.channel === "email"
    ? data.to
    : data.failover?.find(({ channel }) => channel === "email")?.to;
