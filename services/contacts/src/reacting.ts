import { uuid5 } from "@heliograph/contracts";
import type { Metadata } from "@heliograph/log";
import type { ServiceContext } from "@heliograph/runtime";
import type { ContactsContext } from "./streams.ts";

/** The commands' context of a reaction: what it appends says what caused it, and has ids that follow from that. */
export const reacting = (
  { log, vault }: Pick<ServiceContext, "log" | "vault">,
  cause: { readonly id: string; readonly metadata: Metadata },
  partner = cause.metadata.partner ?? "",
): ContactsContext => {
  const { request_id, traceparent } = cause.metadata;
  return {
    log,
    vault,
    partner,
    metadata: () => ({
      partner,
      actor: "system:contacts",
      causation: cause.id,
      ...(request_id !== undefined && { request_id }),
      ...(traceparent !== undefined && { traceparent }),
    }),
    eventId: (name) => uuid5(cause.id, name),
  };
};
