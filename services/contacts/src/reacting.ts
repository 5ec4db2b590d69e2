import { uuid5 } from "@heliograph/contracts";
import type { Metadata } from "@heliograph/log";
import type { ServiceContext } from "@heliograph/runtime";
import type { ContactsContext } from "./streams.ts";

type Cause = { readonly id: string; readonly metadata: Metadata };

/** Of an event that follows from another: the request that began it all, and its trace, go on in it. */
export function following(cause: Cause, partner: string, actor = "system:contacts"): Metadata {
  const { request_id, traceparent, at } = cause.metadata;
  return {
    partner,
    actor,
    causation: cause.id,
    ...(request_id !== undefined && { request_id }),
    ...(traceparent !== undefined && { traceparent }),
    ...(at !== undefined && { at }),
  };
}

/** The commands' context of a reaction: what it appends says what caused it, and has ids that follow from that. */
export const reacting = (
  { log, vault, logger }: Pick<ServiceContext, "log" | "vault" | "logger">,
  cause: Cause,
  partner = cause.metadata.partner ?? "",
): ContactsContext => ({
  log,
  vault,
  logger,
  partner,
  metadata: () => following(cause, partner),
  eventId: (name) => uuid5(cause.id, name),
});
