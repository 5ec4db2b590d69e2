import { channels, type Channel } from "@heliograph/contracts";
import { isLongerThan } from "@heliograph/domain";
import { type Read, fault, read } from "./channel.ts";
import { channelModule } from "./registry.ts";

/** A name in somebody else's system; a channel address is one with the channel as its source. */
export type ExternalIdRef = { readonly source: string; readonly id: string };

/** It stands in addresses and filters: nothing that has to be escaped there. */
const sourceForm = /^[a-z0-9_.-]{1,64}$/;
/** An e-mail address has 254; a URL as an identifier may be longer. */
const maxIdCharacters = 320;
// oxlint-disable-next-line no-control-regex -- control characters are exactly what is looked for
const control = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/;

/**
 * The one form of an external id, which decides whether two are the same: addresses by the rules of their channel, others as they are without blanks around
 * them. Digits are never rewritten and a local part keeps its case (RFC 5321 §2.4): what is stored is what is written to.
 */
export function normalExternalId(source: string, id: string): Read<ExternalIdRef> {
  if (!sourceForm.test(source))
    return fault(
      "invalid_source",
      "must be at most 64 lower-case letters, digits, dots, hyphens and underscores",
    );
  const text = id.trim();
  if (text === "") return fault("required", "must not be empty");
  if (isLongerThan(text, maxIdCharacters))
    return fault("too_long", `must have at most ${maxIdCharacters} characters`);
  if (control.test(text) || !text.isWellFormed())
    return fault("invalid_value", "has a control character or half of one");
  if (!isChannel(source)) return read({ source, id: text });
  const address = channelModule(source).recipient(text);
  return address.kind === "fault" ? address : read({ source, id: address.value.to });
}

/** Who says of nobody that he wrote: an SMS may come without a sender. */
const nobody = "unknown";
// oxlint-disable-next-line no-control-regex -- as above, all of them
const controls = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g;

/**
 * The form by which somebody who wrote is known: that of an address which is sent to, and otherwise what came, so that what people write is never lost because of where they write from (a short code, a
 * name, a mailbox with quotes). Nothing is sent to such an address. For what came in from outside; who is looked for is `soughtExternalId`.
 */
export const knownExternalId = (source: Channel, id: string): ExternalIdRef =>
  soughtExternalId(source, id) ?? { source, id: nobody };

/** The form under which an id that somebody asks for may be known. Undefined for what is nobody's: blanks, and what is no external id of a source that is no channel. */
export function soughtExternalId(source: string, id: string): ExternalIdRef | undefined {
  const address = normalExternalId(source, id);
  if (address.kind === "read") return address.value;
  if (!isChannel(source)) return undefined;
  const came = id.replaceAll(controls, "").toWellFormed().trim();
  const known = channelModule(source).writer?.(came) ?? came;
  return known === "" ? undefined : { source, id: known.slice(0, maxIdCharacters).toWellFormed() };
}

const isChannel = (source: string): source is Channel =>
  (channels as readonly string[]).includes(source);

/**
 * The name of an external id's claim, `external-id-<name>`, which tells nothing of it to whoever has no naming key. Takes the form that `normalExternalId` gives.
 */
export const externalIdName = (
  vault: { name(...parts: readonly string[]): string },
  partner: string,
  { source, id }: ExternalIdRef,
): string => vault.name("external-id", partner, source, id);
