import {
  channelModule,
  type ExternalIdRef,
  externalIdName,
  knownExternalId,
  normalExternalId,
} from "@heliograph/channels";
import { type Channel, type EventData, failpoint, uuid5 } from "@heliograph/contracts";
import { poolOfInbox } from "@heliograph/domain";
import {
  bytesOf,
  type InboundReading,
  movesOf,
  parseInbound,
  receivedFileId,
  recordMove,
} from "@heliograph/gateways";
import { type NewEvent, type RecordedEvent } from "@heliograph/log";
import type { ServiceContext } from "@heliograph/runtime";
import { type Seal, erasedText } from "@heliograph/vault";
import { contactOfSender } from "../commands.ts";
import { following, reacting } from "../reacting.ts";
import { type ContactsContext, loadContact } from "../streams.ts";
import { lastSender } from "../tables/senders.ts";
import { ownerOfInbound } from "./owner.ts";
import { claimVariant, keepAlias } from "./variants.ts";

export type Received = RecordedEvent<"InboundReceived">;

/** What an inbound message says, read from its raw bytes; undefined where its key is gone with the contact that it named. */
export type Opened = { readonly event: Received; readonly reading: InboundReading | undefined };

export type Matching =
  | { readonly kind: "matched"; readonly event: NewEvent }
  /** `forgotten`: nothing is left to match; otherwise an operator can retry it. */
  | {
      readonly kind: "parked";
      readonly event: NewEvent;
      readonly reason: string;
      readonly forgotten: boolean;
    };

/** A contact that is erased while its message is matched is followed by a new one; so often in a row is a bug. */
const maxErasures = 10;
const maxName = 255;

/** Reads records whose texts are opened. Throws for bytes that are nothing of their kind of gateway. */
export async function readOpened(
  { directory, environment }: Pick<ServiceContext, "directory" | "environment">,
  event: Received,
): Promise<Opened> {
  const { gateway_kind: kind, gateway_id, channel, content_type } = event.data;
  if (event.data.raw === erasedText) return { event, reading: undefined };
  const name = gatewayOf({ directory, environment }, gateway_id)?.name ?? gateway_id;
  const reading = await parseInbound(kind, {
    raw: bytesOf(event.data),
    contentType: content_type,
    files: event.data.files,
    gateway: { name, channel },
  });
  return { event, reading };
}

const gatewayOf = (
  { directory, environment }: Pick<ServiceContext, "directory" | "environment">,
  id: string,
) => directory.gateways(environment).find(({ gateway_id }) => gateway_id === id);

/** The pool of the partner's that the address which was written to is in: said once, so that whoever reads it again comes to the same conversation. */
function poolAt(
  { directory, environment }: ServiceContext,
  partner: string,
  channel: Channel,
  inbox: string,
): { readonly pool_id?: string } {
  const pool = poolOfInbox(directory.senderPools(environment, partner), channel, inbox);
  return pool === undefined ? {} : { pool_id: pool.pool_id };
}

const ownerOf = (
  { directory, environment, projectionPool }: ServiceContext,
  { data: { gateway_id: gatewayId, partner_id: sandboxOf } }: Received,
  { to }: InboundReading,
) => {
  const gateway = gatewayOf({ directory, environment }, gatewayId);
  return ownerOfInbound(
    directory,
    { gatewayId, gatewayPartner: gateway?.partner_id, to, sandboxOf },
    (partner) => directory.spaceOf(environment, partner),
    () => lastSender(projectionPool, gateway?.name ?? gatewayId),
  );
};

/** The records of it become the partner's, and go with whoever has one of these names. */
const adoptRecords = (
  { vault }: ServiceContext,
  { data, metadata }: Received,
  partner: string,
  owners: readonly string[],
): Promise<void> =>
  vault.adopt(
    [
      metadata.partner === partner ? undefined : data.inbound_id,
      data.callback_id,
      ...(data.further_callback_ids ?? []),
    ]
      .filter((record) => record !== undefined)
      .map((subject) => ({ subject, partner, owners: [...owners] })),
  );

/** The address that a sender was first known by. */
async function firstOf(
  { log, vault }: ServiceContext,
  partner: string,
  channel: Channel,
  { source, id }: ExternalIdRef,
): Promise<ExternalIdRef> {
  if (channelModule(channel).moves === undefined) return { source, id };
  const { first } = await movesOf({ log, vault }, { partner, channel, address: id });
  return { source, id: first };
}

/** Nobody wrote it: a provider tells that the sender has another address now. */
async function keepMove(
  context: ServiceContext,
  event: Received,
  partner: string,
  from: ExternalIdRef,
  movedTo: string,
): Promise<Matching | undefined> {
  const { channel, message_id: correlation } = event.data;
  const to = normalExternalId(channel, movedTo);
  if (to.kind === "fault")
    return parked(event, `where its sender is now ${to.message}`, false, partner);
  const names = [from, to.value].map((id) => externalIdName(context.vault, partner, id));
  await adoptRecords(context, event, partner, names);
  const move = { partner, channel, from: from.id, to: to.value.id };
  await recordMove(context, move, { ...following(event, partner), correlation });
  return undefined;
}

/** Finds whose message it is and who wrote it; makes the contact where there is none. Undefined where nobody wrote it, and what it tells is kept elsewhere. */
export async function match(
  context: ServiceContext,
  { event, reading }: Opened,
): Promise<Matching | undefined> {
  const { data } = event;
  if (reading === undefined) return parked(event, "it was erased before it was matched", true);
  const gatewayName = gatewayOf(context, data.gateway_id)?.name ?? data.gateway_id;
  const owner = await ownerOf(context, event, reading);
  if (owner.kind === "unknown") return parked(event, owner.reason, false);
  const { partner, because } = owner;
  const address = knownExternalId(data.channel, reading.from);
  if (reading.movedTo !== undefined)
    return keepMove(context, event, partner, address, reading.movedTo);
  // Who has moved goes on where he was: his conversation is of the address that he had first.
  const known = await firstOf(context, partner, data.channel, address);
  const name = externalIdName(context.vault, partner, known);
  await adoptRecords(context, event, partner, [externalIdName(context.vault, partner, address)]);
  const own = reacting(context, event, partner);
  const unverified = isUnverified(data, reading, partner);
  // Whoever writes in somebody's name chooses what that person is called, too.
  const profileName = unverified ? undefined : reading.profileName;
  for (let tries = 0; tries < maxErasures; tries++) {
    await claimVariant(own, data.channel, address, reading.alias);
    const found = await sealable(own, address, profileName, data.message_id);
    if (found === undefined) continue;
    const { contact, seal } = found;
    const { logger } = context;
    await keepAlias({ ...own, logger }, contact, data.channel, reading.alias);
    const isKnown = contact.message_id !== data.message_id;
    const reason = `${because}; the sender ${isKnown ? "was known" : "is new"}`;
    const matched: EventData<"InboundMatched"> = {
      inbound_id: data.inbound_id,
      message_id: data.message_id,
      contact_id: contact.contact_id,
      known: isKnown,
      channel: data.channel,
      external_id: { source: known.source, id: seal(known.id), name },
      ...contentOf(
        { ...reading, from: address.id },
        [
          ...cameIn(data.inbound_id, data.files ?? []),
          ...fetchedIn(data.inbound_id, reading.files ?? []),
        ],
        seal,
      ),
      ...(unverified && { unverified: true }),
      provider: {
        gateway: gatewayName,
        name: gatewayName,
        message_id: data.provider_message_id,
      },
      gateway_id: data.gateway_id,
      ...poolAt(context, partner, data.channel, reading.to),
      received_at: data.received_at,
      reason,
    };
    return { kind: "matched", event: appended(own, event, "InboundMatched", matched) };
  }
  throw new Error(`${data.inbound_id}: its contact was erased over and over`);
}

/**
 * The sender's contact and a seal of its key. The key is taken before the contact is looked at again: an erasure that comes after that destroys it, and with it what this
 * message says. Undefined when it came before.
 */
async function sealable(
  own: ContactsContext,
  address: { readonly source: string; readonly id: string },
  called: string | undefined,
  messageId: string,
) {
  const profileName = called?.slice(0, maxName).toWellFormed();
  const found = await contactOfSender(own, address, {
    messageId,
    ...(profileName !== undefined && profileName !== "" && { profileName }),
  });
  if (found.kind === "refused") {
    if (found.error.code === "contact_erased") return undefined;
    throw found.error;
  }
  await failpoint("matching.contact");
  const { contact_id: subject } = found.contact;
  const seal = await own.vault.seal({ partner: own.partner, subject }).catch(() => undefined);
  const now = await loadContact(own, subject);
  return seal === undefined || now?.contact.status !== "active"
    ? undefined
    : { contact: now.contact, seal };
}

/** A mail that answers another partner's message says nothing to this one. */
const isUnverified = (
  { sender_proof: proof }: EventData<"InboundReceived">,
  { unverified = false }: InboundReading,
  partner: string,
): boolean =>
  unverified || proof?.by === "nothing" || (proof?.by === "answer" && proof.partner_id !== partner);

type Media = NonNullable<InboundReading["media"]>[number] & {
  readonly attachment_id?: string | undefined;
};

/** Files that came along: told of by the API at this path, by its own rules. One that was not kept has an id as well, under which `services/mobile` says why. */
const cameIn = (
  inboundId: string,
  files: NonNullable<Received["data"]["files"]>,
): readonly Media[] =>
  files.map(({ attachment_id, name, type, bytes }, place) => {
    const id = attachment_id ?? receivedFileId(inboundId, place);
    return { url: `/api/v1/attachments/${id}`, attachment_id: id, name, type, bytes };
  });

/** Those that the provider keeps are told of at once, by the ids under which they are kept once they are fetched (`services/mobile`). */
const fetchedIn = (
  inboundId: string,
  files: NonNullable<InboundReading["files"]>,
): readonly Media[] =>
  files.map(({ name, type, bytes }, place) => {
    const id = receivedFileId(inboundId, place);
    return { url: `/api/v1/attachments/${id}`, attachment_id: id, name, type, bytes };
  });

const mediaOf = (media: readonly Media[], seal: Seal) =>
  media.length === 0
    ? {}
    : {
        media: media.map(({ url, attachment_id, type, name, bytes }) => ({
          url: seal(url),
          ...(attachment_id !== undefined && { attachment_id }),
          ...(type !== undefined && { type }),
          ...(name !== undefined && { name: seal(name) }),
          ...(bytes !== undefined && { bytes }),
        })),
      };

const contentOf = (
  { from, to, text, html, subject, media = [], kind, about, automatic, references }: InboundReading,
  files: readonly Media[],
  seal: Seal,
) => ({
  from: seal(from),
  to,
  ...(text !== undefined && { text: seal(text) }),
  ...(html !== undefined && { html: seal(html) }),
  ...(subject !== undefined && { subject: seal(subject) }),
  ...mediaOf([...media, ...files], seal),
  kind,
  ...(about !== undefined && { about }),
  ...(automatic !== undefined && { automatic }),
  ...(references !== undefined && { references: [...references] }),
});

const appended = (
  own: Pick<ContactsContext, "metadata">,
  { id, data }: Received,
  type: "InboundMatched" | "InboundParked",
  body: EventData<"InboundMatched"> | EventData<"InboundParked">,
): NewEvent => ({
  id: uuid5(id, type),
  type,
  data: body,
  metadata: { ...own.metadata(), correlation: data.message_id },
});

function parked(
  event: Received,
  reason: string,
  forgotten: boolean,
  partner = event.metadata.partner ?? "",
): Matching {
  const { inbound_id, message_id } = event.data;
  const own = { metadata: () => following(event, partner) };
  const data = { inbound_id, message_id, reason };
  return {
    kind: "parked",
    event: appended(own, event, "InboundParked", data),
    reason,
    forgotten,
  };
}
