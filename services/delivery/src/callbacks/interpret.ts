import { externalIdName } from "@heliograph/channels";
import { streamOf } from "@heliograph/contracts";
import {
  providerIdKeys,
  readCallback,
  storedCallback,
  type CalledGateway,
  type CallbackItem,
  type Report,
} from "@heliograph/gateways";
import type { RecordedEvent } from "@heliograph/log";
import type { ServiceContext } from "@heliograph/runtime";
import { erasedText } from "@heliograph/vault";
import { findProviderIds, type ProviderId } from "../tables/provider-ids.ts";
import { gatewayNow, standInOf } from "./provider-ids.ts";

export type CallbackEvent = RecordedEvent<"CallbackReceived">;
export type Of<Kind extends CallbackItem["kind"]> = Extract<CallbackItem, { kind: Kind }>;

/** What reading takes. */
export type ReadingContext = Pick<
  ServiceContext,
  "environment" | "log" | "pool" | "vault" | "directory" | "masterKey"
>;

/** A report with its message. `providerMessageId` is as the provider answered with it, which may be written in another way than it reports with. */
export type Told = {
  readonly event: CallbackEvent;
  readonly report: Report;
  readonly to: Pick<ProviderId, "message_id" | "partner" | "owner">;
  readonly providerMessageId: string;
};
/** What callbacks say, sorted by what is done about it. */
export type Interpreted = {
  readonly receipts: readonly Told[];
  /** Under each key by which the message could become known. */
  readonly unmatched: readonly {
    readonly event: CallbackEvent;
    readonly report: Report;
    readonly standIn: string;
  }[];
  readonly inbound: readonly { readonly event: CallbackEvent; readonly item: Of<"inbound"> }[];
  readonly parts: readonly { readonly event: CallbackEvent; readonly item: Of<"part"> }[];
  readonly ignored: number;
  /** Those about people who were erased: nothing of them can be read any more. */
  readonly erased: ReadonlySet<CallbackEvent>;
  /** What an operator has to look at. */
  readonly faults: ReadonlyMap<CallbackEvent, string>;
};

type Pending = {
  readonly event: CallbackEvent;
  readonly gateway: CalledGateway;
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
  const inbound: { event: CallbackEvent; item: Of<"inbound"> }[] = [];
  const parts: { event: CallbackEvent; item: Of<"part"> }[] = [];
  const pending: Pending[] = [];
  const { masterKey } = context;
  let ignored = 0;
  const open = await context.vault.open(undefined, ...events.map(({ data }) => data));
  for (const event of events) {
    const data = open(event.data);
    if (data.raw === erasedText) {
      erased.add(event);
      continue;
    }
    const { gateway_id: gatewayId, gateway: name, gateway_kind: kind, channel } = data;
    const gateway = gatewayNow(context, { name, kind, channel });
    const signer = { gatewayId, masterKey };
    for (const item of await readCallback(gateway, storedCallback(data), signer)) {
      if (item.kind === "unreadable") faults.set(event, item.why);
      else if (item.kind === "ignored") ignored++;
      else if (item.kind === "inbound") inbound.push({ event, item });
      else if (item.kind === "part") parts.push({ event, item });
      else {
        const { providerMessageId, otherIds = [] } = item.report;
        const ids = [providerMessageId, ...otherIds].map((id) => ({
          id,
          keys: providerIdKeys(gateway, id),
        }));
        pending.push({ event, gateway, report: item.report, ids });
      }
    }
  }
  const found = await find({ context, schema }, pending);
  const receipts: Told[] = [];
  const unmatched = pending.flatMap((each) => {
    const { event, gateway, ids } = each;
    const named = (id: string): Report => ({ ...each.report, providerMessageId: id });
    const { id: reported = "", about = [] } = found.get(each) ?? {};
    const [to] = about;
    if (to === undefined)
      return ids.flatMap(({ id, keys }) =>
        keys.map((key) => {
          return { event, report: named(id), standIn: standInOf({ gateway: gateway.name, key }) };
        }),
      );
    const report = named(reported);
    if (about.some(({ message_id }) => message_id !== to.message_id))
      faults.set(event, `${about.length} messages have the provider's id that it names`);
    else receipts.push({ event, report, to, providerMessageId: to.provider_message_id });
    return [];
  });
  return { receipts, unmatched, inbound, parts, ignored, erased, faults };
}

/** The messages that reports are about; more than one where the provider's id does not tell. */
async function find(
  { context, schema }: { readonly context: ReadingContext; readonly schema: string },
  pending: readonly Pending[],
): Promise<ReadonlyMap<Pending, Found>> {
  const wanted = pending.flatMap(({ gateway, ids }) =>
    ids.flatMap(({ keys }) => keys.map((key) => ({ gateway: gateway.name, key }))),
  );
  const known = Map.groupBy(await findProviderIds(context.pool, schema, wanted), nameOf);
  const found = new Map<Pending, Found>();
  for (const each of pending) {
    const gateway = each.gateway.name;
    const byId = each.ids.map(({ id, keys }) => {
      return { id, about: keys.flatMap((key) => known.get(nameOf({ gateway, key })) ?? []) };
    });
    const first = byId.find(({ about }) => about.length > 0);
    if (first !== undefined) found.set(each, first);
    else if (each.report.messageId !== undefined) {
      const named = await byOurId(context, each);
      if (named !== undefined) found.set(each, { id: named.key, about: [named] });
    }
  }
  return found;
}

const nameOf = ({ gateway, key }: Pick<ProviderId, "gateway" | "key">): string =>
  `${gateway}\u001f${key}`;

/** A message whose id the provider gave back: that of an attempt whose answer is not recorded, and may never be. */
async function byOurId(
  { log, vault }: ReadingContext,
  { gateway, report }: Pending,
): Promise<ProviderId | undefined> {
  const message_id = report.messageId!;
  const [first] = await log.readStream(streamOf("message", message_id), { limit: 1 });
  if (first?.type !== "MessageRequested") return undefined;
  const partner = first.metadata.partner ?? "";
  const { channel } = first.data;
  const id = (await vault.open(partner, first.data.to))(first.data.to);
  return {
    gateway: gateway.name,
    key: report.providerMessageId,
    message_id,
    provider_message_id: report.providerMessageId,
    partner,
    owner: externalIdName(vault, partner, { source: channel, id }),
  };
}
