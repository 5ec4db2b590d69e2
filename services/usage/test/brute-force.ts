import { formatMoney } from "@heliograph/contracts";
import { foldMessage } from "@heliograph/domain";
import type { EventLog, RecordedEvent } from "@heliograph/log";

import { takenByMessage } from "./wallets.ts";

type Totals = {
  accepted: number;
  sent: number;
  delivered: number;
  read: number;
  failed: number;
  bounced: number;
  expired: number;
  rejected: number;
  canceled: number;
  segments: number;
  cost: bigint;
  toSent: number[];
  toDelivered: number[];
};
/** What is told of a group. */
export type Counted = Omit<Totals, "cost" | "toSent" | "toDelivered"> & {
  readonly cost: string;
  readonly toSent: readonly number[];
  readonly toDelivered: readonly number[];
};

const outcomes = [
  "delivered",
  "read",
  "failed",
  "bounced",
  "expired",
  "rejected",
  "canceled",
] as const;
const isCounted = (status: string): status is (typeof outcomes)[number] =>
  (outcomes as readonly string[]).includes(status);

const timeOf = ({ metadata, recordedAt }: RecordedEvent): number =>
  metadata.at === undefined ? recordedAt : Date.parse(metadata.at);

/** Every message of the log, one by one: an own count, by an own reading of the rule, that shares nothing with the rollups. The cost is that of the ledger. */
export async function bruteForce(
  log: EventLog,
  partner: string,
  groups: readonly string[],
): Promise<ReadonlyMap<string, Counted>> {
  const streams = new Map<string, RecordedEvent[]>();
  for (let after = 0n; ;) {
    const page = await log.readAll({ after, limit: 1_000 });
    for (const event of page.events)
      if (event.stream.startsWith("message-") && event.metadata.partner === partner)
        streams.set(event.stream, [...(streams.get(event.stream) ?? []), event]);
    after = page.position;
    if (after >= page.head) break;
  }
  const taken = await takenByMessage(log, partner);
  const totals = new Map<string, Totals>();
  for (const events of streams.values()) {
    const state = foldMessage(events)!;
    const { request } = state;
    const time = (...types: string[]): number | undefined => {
      const found = events.find(({ type }) => types.includes(type));
      return found && timeOf(found);
    };
    const ready = time("MessageQueued") ?? time("MessageRequested")!;
    const sent = time("MessageSent");
    // What was taken back was no delivery.
    const left = events.slice(events.findLastIndex(({ type }) => type === "MessageCorrected") + 1);
    const confirmed = left.find(
      ({ type }) => type === "MessageDelivered" || type === "MessageRead",
    );
    const last = events.findLast(
      ({ type, position }) =>
        (type === "MessageSent" || type === "MessageResent") &&
        (confirmed === undefined || position < confirmed.position),
    );
    const gateway =
      state.provider?.gateway ??
      (confirmed?.data as { gateway: string } | undefined)?.gateway ??
      null;
    const names: Record<string, string | null> = {
      day: request.created_at.slice(0, 10),
      hour: `${request.created_at.slice(0, 13)}:00:00.000Z`,
      channel: request.channel,
      country: request.price.country || null,
      status: state.status,
      gateway,
      template: request.content.template?.slug ?? null,
      currency: request.currency,
    };
    const tags = groups.includes("tag")
      ? new Set(
          request.tags?.length
            ? request.tags.map((tag) => tag.replaceAll("\u0000", "\ufffd"))
            : [null],
        )
      : [null];
    for (const tag of tags) {
      const name = JSON.stringify(
        [...groups, "currency"].map((group) => (group === "tag" ? tag : names[group]!)),
      );
      const row = totals.get(name) ?? {
        accepted: 0,
        sent: 0,
        delivered: 0,
        read: 0,
        failed: 0,
        bounced: 0,
        expired: 0,
        rejected: 0,
        canceled: 0,
        segments: 0,
        cost: 0n,
        toSent: [],
        toDelivered: [],
      };
      totals.set(name, row);
      row.accepted++;
      if (gateway !== null) row.sent++;
      if (state.status === "read") row.delivered++;
      if (isCounted(state.status)) row[state.status]++;
      row.segments += request.segments.count;
      row.cost += taken.get(request.message_id) ?? 0n;
      if (sent !== undefined) row.toSent.push(Math.max(0, sent - ready));
      if (confirmed !== undefined && last !== undefined)
        row.toDelivered.push(Math.max(0, timeOf(confirmed) - timeOf(last)));
    }
  }
  const ascending = (values: number[]): number[] => values.toSorted((left, right) => left - right);
  return new Map(
    [...totals].map(([name, row]) => [
      name,
      {
        ...row,
        cost: formatMoney(row.cost),
        toSent: ascending(row.toSent),
        toDelivered: ascending(row.toDelivered),
      },
    ]),
  );
}
