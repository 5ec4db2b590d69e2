import { externalIdName } from "@heliograph/channels";
import type { Channel, EventData } from "@heliograph/contracts";
import { isSealed, keyIdOf, type Seal, type Subject, type Vault } from "@heliograph/vault";

type Requested = EventData<"MessageRequested">;

/**
 * Whose key an address is under wherever it stands in messages: a subject of its own, that goes with whichever contact has the address or had it. So all messages to it share a key, by
 * which they are found while it lives.
 */
export const addressSubject = (
  vault: Pick<Vault, "name">,
  partner: string,
  channel: Channel,
  to: string,
): Subject => ({
  partner,
  subject: `adr:${vault.name("address", partner, channel, to)}`,
  owners: [externalIdName(vault, partner, { source: channel, id: to })],
});

/** Where a recipient stands in an index of messages: a sealed one by the key that opens it, so that nothing of the address is in the index and it is found only while the key lives. */
export const placeOfRecipient = (to: string): string => {
  const keyId = keyIdOf(to);
  return keyId === undefined ? to : keyPlace(keyId);
};
export const keyPlace = (keyId: string): string => `key:${keyId}`;

/** A request, and the fingerprint of the call that made it. */
export type Sealable = { readonly data: Requested; readonly fingerprint: string | undefined };

/**
 * Replaces what is personal in requests by tokens: the recipient under the address's key; texts, variables and the fingerprint under the contact's where it is a reply, else under the address's
 * too. undefined for a reply to a contact that was erased: there is nobody to write to. Two questions to the vault however many requests there are.
 */
export async function sealRequests(
  vault: Pick<Vault, "name" | "seals">,
  partner: string,
  requests: readonly Sealable[],
): Promise<readonly (Sealable | undefined)[]> {
  const subjects = requests.map(({ data }) => {
    const { contact_id } = data;
    const [address, ...others] = [data, ...(data.failover ?? [])].map(({ channel, to }) =>
      addressSubject(vault, partner, channel, to),
    );
    const words = contact_id === undefined ? address! : { partner, subject: contact_id };
    return [address!, words, ...others];
  });
  const seals = (await vault.seals(subjects.flat())).values();
  return requests.map((each, index) => {
    const [address, words, ...others] = subjects[index]!.map(() => seals.next().value!);
    return sealed(each, address!, words!, others);
  });
}

/** `others`: of the further steps, each under the key of its own address. */
function sealed(
  { data, fingerprint }: Sealable,
  address: Seal,
  words: Seal,
  others: readonly Seal[],
): Sealable | undefined {
  if (!isSealed(words(""))) return undefined;
  const failover = data.failover?.map((step, index) => ({
    ...step,
    to: others[index]!(step.to),
    content: sealedContent(step.content, others[index]!),
  }));
  return {
    data: {
      ...data,
      to: address(data.to),
      content: sealedContent(data.content, words),
      ...(failover !== undefined && { failover }),
    },
    fingerprint: fingerprint === undefined ? undefined : words(fingerprint),
  };
}

function sealedContent(
  { text, html, subject, media, push, template }: Requested["content"],
  words: Seal,
): Requested["content"] {
  const variables =
    template &&
    Object.fromEntries(
      Object.entries(template.variables).map(([name, value]) => [name, words(String(value))]),
    );
  return {
    ...(text !== undefined && { text: words(text) }),
    ...(html !== undefined && { html: words(html) }),
    ...(subject !== undefined && { subject: words(subject) }),
    ...(media && { media: media.map((each) => sealedMedia(each, words)) }),
    ...(push && { push: sealedPush(push, words) }),
    ...(template && { template: { ...template, variables: variables! } }),
  };
}

/** What an application is told may be of the person as much as the words; how a device shows it is not. */
const sealedPush = ({ data, ...shown }: Push, words: Seal): Push => ({
  ...shown,
  ...(data && {
    data: Object.fromEntries(Object.entries(data).map(([key, value]) => [key, words(value)])),
  }),
});
type Push = NonNullable<Requested["content"]["push"]>;

/** The attachment too: once the key is gone nobody is given a link to it. */
const sealedMedia = (media: Media, words: Seal): Media => {
  const sealedOnes = (["url", "attachment_id", "name", "caption"] as const).flatMap((field) =>
    media[field] === undefined ? [] : [[field, words(media[field])] as const],
  );
  return { ...media, ...Object.fromEntries(sealedOnes) };
};
type Media = NonNullable<Requested["content"]["media"]>[number];
