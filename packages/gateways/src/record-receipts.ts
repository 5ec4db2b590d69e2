import { type EventData, failpoint, streamOf, uuid5 } from "@heliograph/contracts";
import {
  change,
  type EventLog,
  type Metadata,
  type NewEvent,
  type RecordedEvent,
} from "@heliograph/log";
import type { Receipt } from "./types.ts";

/** A receipt with what its event's metadata needs. */
export type ReceiptSource = {
  readonly receipt: Receipt;
  readonly partner: string;
  /** The event (or the stored callback) that the receipt follows from. */
  readonly causation?: string;
  readonly actor?: string;
  /** When it came, where that is not the real time. */
  readonly at?: Metadata["at"];
};

/**
 * Appends receipts to `receipts-<message id>`, one event per provider event however often and by whomever it is reported: the event's
 * id comes from (message, gateway, provider event), and what the stream has already is dropped. Gives how many are new.
 * `patient`: nobody waits for them. Throws LogUnavailable; repeating the call is safe.
 */
export async function recordReceipts(
  log: EventLog,
  sources: readonly ReceiptSource[],
  patient?: true,
): Promise<number> {
  const offered = new Map<string, NewEvent[]>();
  for (const source of sources) {
    const event = receiptEvent(source);
    const stream = streamOf("receipts", source.receipt.message_id);
    const events = offered.get(stream);
    if (events === undefined) offered.set(stream, [event]);
    else if (!events.some(({ id }) => id === event.id)) events.push(event);
  }
  await failpoint("receipts.before_append");
  // Appends of the same moment share a commit.
  const recorded = await Promise.all(
    [...offered].map(([stream, events]) => recordOn(log, stream, events, patient)),
  );
  await failpoint("receipts.after_append");
  return recorded.reduce((sum, count) => sum + count, 0);
}

/** A report on a message that is not known: it waits in the stream of its stand-in. */
export type UnmatchedSource = {
  readonly standIn: string;
  /** What the stand-in is of: a gateway, or that through which several are told, where an event counts once by whichever it comes. */
  readonly under: string;
  readonly data: EventData<"ReceiptUnmatched">;
  readonly causation: string;
};

/** Appends them, once however often they are told. Throws LogUnavailable; repeating the call is safe. */
export async function recordUnmatched(
  log: EventLog,
  sources: readonly UnmatchedSource[],
): Promise<void> {
  for (const [standIn, all] of Map.groupBy(sources, (source) => source.standIn)) {
    const events = all.map(({ under, data, causation }): NewEvent => ({
      id: uuid5(standIn, under, data.provider_event_id),
      type: "ReceiptUnmatched",
      data,
      metadata: { actor: `gateway:${data.gateway}`, correlation: standIn, causation },
    }));
    const once = [...new Map(events.map((event) => [event.id, event])).values()];
    await recordOn(log, streamOf("unmatched", standIn), once);
  }
}

async function recordOn(
  log: EventLog,
  stream: string,
  events: readonly NewEvent[],
  patient?: true,
): Promise<number> {
  let missing = events;
  const result = await change<ReadonlySet<string>>(log, {
    stream,
    evolve: withId,
    decide(known) {
      missing = events.filter(({ id }) => known?.has(id) !== true);
      return { events: missing };
    },
    // Most receipts are the first of their message.
    guess: { revision: -1 },
    ...(patient && { patient }),
  });
  if (result.kind === "contended") throw new Error(`${stream} is written without a pause`);
  return result.kind === "changed" && !result.repeated ? missing.length : 0;
}

/** The set grows in place: a fold has it to itself. */
const withId = (known: ReadonlySet<string> | undefined, { id }: RecordedEvent): Set<string> =>
  ((known as Set<string> | undefined) ?? new Set<string>()).add(id);

function receiptEvent({ receipt, partner, causation, actor, at }: ReceiptSource): NewEvent {
  return {
    id: uuid5(receipt.message_id, receipt.gateway, receipt.provider_event_id),
    type: "ReceiptReceived",
    data: receipt,
    metadata: {
      partner,
      actor: actor ?? `gateway:${receipt.gateway}`,
      correlation: receipt.message_id,
      ...(causation === undefined ? {} : { causation }),
      ...(at === undefined ? {} : { at }),
    },
  };
}
