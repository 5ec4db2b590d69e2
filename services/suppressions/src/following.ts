import type { Metadata } from "@heliograph/log";

/** Of an event that follows from another: the request that began it all, and its trace, go on in it. */
export function following(
  { id, metadata }: { readonly id: string; readonly metadata: Metadata },
  correlation: string,
): Metadata {
  const { partner, request_id, traceparent, at } = metadata;
  return {
    ...(partner !== undefined && { partner }),
    actor: "service:suppressions",
    correlation,
    causation: id,
    ...(request_id !== undefined && { request_id }),
    ...(traceparent !== undefined && { traceparent }),
    ...(at !== undefined && { at }),
  };
}
