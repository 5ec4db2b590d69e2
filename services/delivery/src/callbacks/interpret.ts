import { externalIdName } from "@heliograph/channels";
import { streamOf } from "@heliograph/contracts";
import {
  deliveredTo,
  hasMailDomain,
  providerIdKeys,
  readCallback,
  storedCallback,
  toldThrough,
  type CalledGateway,
  type GatewayConfig,
  type Report,
} from "@heliograph/gateways";
import { ofType } from "@heliograph/log";
import { erasedText } from "@heliograph/vault";
import { findProviderIds, type ProviderId } from "../tables/provider-ids.ts";
import { gatewayNow, standInOf } from "./provider-ids.ts";
import {
  keysAt,
  nameOf,
  saidBy,
  type CallbackEvent,
  type Of,
  type ReadingContext,
} from "./reading.ts";
import { proveSenders, type SenderProof, type Unproven } from "./senders.ts";

/** A report with its message, and the gateway that this was sent by. `providerMessageId` is as the provider answered with it, which may be written in another way than it reports with. */
export type Told = {
  readonly event: CallbackEvent;
  readonly report: Report;
  readonly to: Pick<ProviderId, "gateway" | "message_id" | "partner" | "owner">;
  readonly providerMessageId: string;
};
/** What callbacks say, sorted by what is done about it. */
export type Interpreted = {
  readonly receipts: readonly Told[];
  /** Under each key by which the message could become known. */
  readonly unmatched: readonly {
    readonly event: CallbackEvent;
    readonly report: Report;
    /** As in the stand-in. */
    readonly under: string;
    readonly standIn: string;
    /** Whether it may be of a message that becomes known yet. Anybody can write a mail that reports on a message which never was, and by mail a report comes after its message is known. */
    readonly waits: boolean;
  }[];
  readonly inbound: readonly Written[];
  readonly parts: readonly { readonly event: CallbackEvent; readonly item: Of<"part"> }[];
  readonly ignored: number;
  /** Those with something that was proven by a key which is not given any more: what was made of them stands. */
  readonly unproven: ReadonlySet<CallbackEvent>;
  /** Those about people who were erased: nothing of them can be read any more. */
  readonly erased: ReadonlySet<CallbackEvent>;
  /** What an operator has to look at. */
  readonly faults: ReadonlyMap<CallbackEvent, string>;
};

/** What a person wrote; `to` is the address of ours that a mail came to. */
type Written = {
  readonly event: CallbackEvent;
  readonly item: Of<"inbound">;
  readonly to: string | undefined;
  readonly proof: SenderProof | undefined;
  /** Opened. */
  readonly files: CallbackEvent["data"]["files"];
};

type Pending = {
  readonly event: CallbackEvent;
  readonly gateway: CalledGateway;
  /** It came by mail. */
  readonly isMail: boolean;
  /** Those that may have sent the message: by mail those to whose address it may have come back, else those that are told by the same provider. */
  readonly senders: readonly string[];
  /** Where it waits while its message is not known: at its gateway, or in the one place of all that are told together with it. */
  readonly under: string;
  readonly report: Report;
  /** Its ids, and by what each is found. */
  readonly ids: readonly { readonly id: string; readonly keys: readonly string[] }[];
};
/** Messages that a report may be about, and the id of it by which they were found. */
type Found = { readonly id: string; readonly about: readonly ProviderId[] };

/** Reads callbacks and finds the messages that they are about. Appends nothing. */
export async function interpret(
  { context, schema }: { readonly context: ReadingContext; readonly schema: string },
  events: readonly CallbackEvent[],
): Promise<Interpreted> {
  const faults = new Map<CallbackEvent, string>();
  const erased = new Set<CallbackEvent>();
  const unproven = new Set<CallbackEvent>();
  const written: Unproven[] = [];
  const parts: { event: CallbackEvent; item: Of<"part"> }[] = [];
  const pending: Pending[] = [];
  let ignored = 0;
  const open = await context.vault.open(undefined, ...events.map(({ data }) => data));
  for (const event of events) {
    const data = open(event.data);
    if (data.raw === erasedText) {
      erased.add(event);
      continue;
    }
    const { gateway: name, gateway_kind: kind, channel } = data;
    const gateway = gatewayNow(context, { name, kind, channel });
    const callback = storedCallback(data);
    const { to, isMail, alike, senders, under, signer } = surroundings(
      context,
      data,
      gateway,
      callback,
    );
    for (const item of await readCallback(gateway, callback, signer)) {
      if (item.kind === "unreadable") faults.set(event, item.why);
      else if (item.kind === "ignored") {
        ignored++;
        if (item.unproven) unproven.add(event);
      } else if (item.kind === "inbound")
        written.push({ event, item, to, gateway, senders, files: data.files });
      else if (item.kind === "part") parts.push({ event, item });
      else {
        const { report } = item;
        const from = senderOf([{ gateway_id: data.gateway_id, name }, ...alike], report);
        const by = from === undefined ? { senders, under } : { senders: [from], under: from };
        pending.push({ event, gateway, isMail, ...by, report, ids: idsOf(gateway, report) });
      }
    }
  }
  const found = await find({ context, schema }, pending);
  const inbound = await proveSenders({ context, schema }, written);
  const receipts: Told[] = [];
  const unmatched = pending.flatMap((each) => {
    const { event, gateway, isMail } = each;
    const named = (id: string): Report => ({ ...each.report, providerMessageId: id });
    const { id: reported = "", about = [] } = found.get(each) ?? {};
    const [to] = about;
    if (to === undefined) return waitingPlaces(each);
    const report =
      to.gateway === gateway.name || isMail ? named(reported) : saidBy(to.gateway, named(reported));
    if (about.some(({ message_id }) => message_id !== to.message_id))
      faults.set(event, `${about.length} messages have the provider's id that it names`);
    else receipts.push({ event, report, to, providerMessageId: to.provider_message_id });
    return [];
  });
  return { receipts, unmatched, inbound, parts, ignored, unproven, erased, faults };
}

/** Where a report on a message that is not known may be found once it is. */
function waitingPlaces({ event, isMail, under, ids, report }: Pending): Interpreted["unmatched"] {
  const waits = !isMail && !report.mayBeOthers;
  return ids.flatMap(({ id, keys }) =>
    keys.map((key) => {
      const standIn = standInOf({ gateway: under, key });
      return { event, report: { ...report, providerMessageId: id }, under, standIn, waits };
    }),
  );
}

/** Who may have sent what a callback tells of, and whose signatures count in it. */
function surroundings(
  context: ReadingContext,
  { gateway_id: gatewayId, gateway: name }: Pick<CallbackEvent["data"], "gateway_id" | "gateway">,
  gateway: CalledGateway,
  callback: ReturnType<typeof storedCallback>,
) {
  const mailedTo = deliveredTo(callback.url);
  const to = mailedTo?.address;
  const isMail = to !== undefined;
  const [through] = isMail ? [] : toldThrough(gateway, callback);
  const isTold = (each: GatewayConfig): boolean =>
    each.name !== name && through !== undefined && toldThrough(each).includes(through);
  const alike = sharing(context, gateway).filter((each) => isMail || isTold(each));
  const senders = sendersOf(name, alike, mailedTo?.domain ?? "");
  const { masterKey } = context;
  const signer = { gatewayId, sharing: (at: string) => ofDomain(alike, at), masterKey };
  const under = through === undefined || alike.length === 0 ? name : through;
  return { to, isMail, alike, senders, under, signer };
}

const idsOf = (gateway: CalledGateway, { providerMessageId, otherIds = [] }: Report) =>
  [providerMessageId, ...otherIds].map((id) => ({ id, keys: providerIdKeys(gateway, id) }));

/** The one whose signature a report bears; undefined where it bears none. */
function senderOf(
  gateways: readonly Pick<GatewayConfig, "gateway_id" | "name">[],
  { sentBy }: Report,
): string | undefined {
  return gateways.find((each) => each.gateway_id === sentBy)?.name;
}

/** The messages that reports are about; more than one where the provider's id does not tell. */
async function find(
  { context, schema }: { readonly context: ReadingContext; readonly schema: string },
  pending: readonly Pending[],
): Promise<ReadonlyMap<Pending, Found>> {
  const wanted = pending.flatMap(({ senders, ids }) =>
    ids.flatMap(({ keys }) => keysAt(senders, keys)),
  );
  const known = Map.groupBy(await findProviderIds(context.pool, schema, wanted), nameOf);
  const found = new Map<Pending, Found>();
  for (const each of pending) {
    const byId = each.ids.map(({ id, keys }) => ({
      id,
      about: keysAt(each.senders, keys).flatMap((key) => known.get(nameOf(key)) ?? []),
    }));
    const first = byId.find(({ about }) => about.length > 0);
    if (first !== undefined) found.set(each, first);
    else if (each.report.messageId !== undefined) {
      const named = await byOurId(context, each);
      if (named !== undefined) found.set(each, { id: named.key, about: [named] });
    }
  }
  return found;
}

/** Those of one kind and channel. */
const sharing = (
  { directory, environment }: Pick<ReadingContext, "directory" | "environment">,
  { kind, channel }: CalledGateway,
) => directory.gateways(environment, channel).filter((each) => each.kind === kind);

const ofDomain = (alike: readonly GatewayConfig[], domain: string): readonly string[] =>
  alike.filter((each) => hasMailDomain(each, domain)).map((each) => each.gateway_id);

/** Anybody can write a mail, and each id that it names is looked for at every one of these. */
export const maxSenders = 100;

/** Those by which a mail may have gone out that something came back to: the one that it came to, and before all others those of its domain. */
export function sendersOf(
  name: string,
  alike: readonly GatewayConfig[],
  domain: string,
): readonly string[] {
  const near = alike.filter((each) => hasMailDomain(each, domain));
  return [...new Set([name, ...[...near, ...alike].map((each) => each.name)])].slice(0, maxSenders);
}

/** A message whose id the provider gave back: one of which no name is known, or of an attempt whose answer is not recorded, and may never be. */
async function byOurId(
  { log, vault }: ReadingContext,
  { gateway, isMail, senders, report }: Pending,
): Promise<ProviderId | undefined> {
  const message_id = report.messageId!;
  const [first, ...others] = await log.readStream(streamOf("message", message_id));
  if (first?.type !== "MessageRequested") return undefined;
  const sent = others
    .filter(ofType("MessageSent", "MessageResent"))
    .find(({ data }) => data.attempt === report.attempt)?.data;
  const partner = first.metadata.partner ?? "";
  const { channel } = first.data;
  const id = (await vault.open(partner, first.data.to))(first.data.to);
  const tried = others
    .filter(ofType("DispatchUncertain", "DispatchAttemptFailed"))
    .find(({ data }) => data.attempt === report.attempt)?.data;
  return {
    // Of those that are told by one provider each says the same, so that what is told twice is told once.
    gateway: sent?.gateway ?? tried?.gateway ?? (isMail ? gateway.name : senders.toSorted()[0]!),
    key: report.providerMessageId,
    message_id,
    provider_message_id: sent?.provider.message_id ?? report.providerMessageId,
    partner,
    owner: externalIdName(vault, partner, { source: channel, id }),
  };
}
