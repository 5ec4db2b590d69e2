import { type Environment, streamOf } from "@heliograph/contracts";
import { acceptedView } from "@heliograph/domain";
import { keyReused } from "@heliograph/api";
import type { EventLog } from "@heliograph/log";
import { erasedText, type Vault } from "@heliograph/vault";
import type { Settled } from "./item.ts";
import { contactErased } from "./sealed.ts";

/** The first answer of a message with this id, or the refusal when it was another request; undefined when there is none. One that is damaged throws. */
export type Originals = (messageId: string, print: string | undefined) => Settled | undefined;

/** What messages were accepted with, if they were: one read for all, and one for their keys. A first event holds its content, so no more of them than a slice are asked for at once. */
export async function originalsOf(
  {
    log,
    vault,
    environment,
  }: { readonly log: EventLog; readonly vault: Vault; readonly environment: Environment },
  partner: string,
  messages: readonly { readonly id: string }[],
): Promise<Originals> {
  if (messages.length === 0) return () => undefined;
  const streams = [...new Set(messages.map(({ id }) => streamOf("message", id)))];
  const found = await log.forPartner(partner).readStreams(streams, { limit: 1 });
  const firsts = [...found.values()].flat();
  const open = await vault.open(
    partner,
    ...firsts.flatMap(({ metadata, data }) => [metadata, data]),
  );
  return (messageId, print) => {
    const [first] = found.get(streamOf("message", messageId)) ?? [];
    if (first?.type !== "MessageRequested") return undefined;
    const known = open(first.metadata).fingerprint;
    if (known === erasedText) return { kind: "refused", error: contactErased() };
    if (known !== print) return { kind: "refused", error: keyReused(messageId) };
    return {
      kind: "sent",
      sent: {
        messageId,
        body: acceptedView(open(first.data), environment),
        position: first.position,
        replayed: true,
      },
    };
  };
}
