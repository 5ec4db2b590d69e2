import type { Sealable } from "@heliograph/acceptance";
import { PublicError, streamOf, uuid5, uuid7, type EventData } from "@heliograph/contracts";
import type { Append } from "@heliograph/log";
import type { Sender } from "./sender.ts";

/** The event that asks for a message; its id is made of `named`, so that the same request makes the same. */
export const appendOf = (
  call: Sender,
  { data, fingerprint: print }: Sealable,
  named: string | undefined,
): Append => ({
  stream: streamOf("message", data.message_id),
  expected: "no_stream",
  ...(call.crowded === true && { crowded: true }),
  events: [
    {
      id: named === undefined ? uuid7() : uuid5(data.message_id, "MessageRequested", named),
      type: "MessageRequested",
      data,
      metadata: call.metadata({
        correlation: data.message_id,
        ...(print !== undefined && { fingerprint: print }),
        // For the audit, which reads sends from the log. A person's address does not go where nothing is taken away.
        ...(call.agent === undefined && call.ip !== undefined && { ip: call.ip }),
      }),
    },
  ],
});

export const contactErased = (): PublicError =>
  new PublicError("contact_erased", "The contact whose message it is was erased.");

/** An event has at most 1 MB, and the rest of a request a few KB. */
const maxSealedBytes = 1_000_000;
/** Sealed texts are a third longer: the refusal of one that is too long by that. */
export function tooLarge({
  content,
  failover = [],
}: EventData<"MessageRequested">): PublicError | undefined {
  const contents = [content, ...failover.map((step) => step.content)];
  let characters = 0;
  for (const { text = "", html = "", subject = "" } of contents)
    characters += text.length + html.length + subject.length;
  if (characters < maxSealedBytes / 2 || JSON.stringify(contents).length <= maxSealedBytes)
    return undefined;
  return new PublicError("invalid_request", "The content is too long to be encrypted.", {
    errors: [{ path: "html", code: "too_long", message: "is too long to be encrypted" }],
  });
}
