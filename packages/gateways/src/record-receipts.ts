import { failpoint, streamOf, uuid5 } from "@heliograph/contracts";
import type { EventLog, NewEvent } from "@heliograph/log";
import type { Receipt } from "./types.ts";

/** A receipt with what its event's metadata needs. */
export type ReceiptSource = {
  readonly receipt: Receipt;
  readonly partner: string;
  /** The event (or the stored callback) that the receipt follows from. */
  readonly causation?: string;
  readonly actor?: string;
};

/** Lost races on one stream before the machinery is called broken; each means that another writer added a receipt in between. */
const MAX_ROUNDS = 20;

/**
 * Appends receipts to `receipts-<message id>`, one event per provider event however often and by whomever it is reported: the event's
 * id comes from (message, gateway, provider event), and what the stream has already is dropped. Gives how many are new.
 * Throws LogUnavailable; repeating the call is safe.
 */
export async function recordReceipts(
  log: EventLog,
  sources: readonly ReceiptSource[],
): Promise<number> {
  let open = new Map<string, NewEvent[]>();
  for (const source of sources) {
    const event = receiptEvent(source);
    const stream = streamOf("receipts", source.receipt.message_id);
    const events = open.get(stream);
    if (events === undefined) open.set(stream, [event]);
    else if (!events.some(({ id }) => id === event.id)) events.push(event);
  }
  let recorded = 0;
  let revisions: ReadonlyMap<string, number> = new Map();
  await failpoint("receipts.before_append");
  for (let round = 0; open.size > 0; round++) {
    if (round === MAX_ROUNDS)
      throw new Error(`receipts of ${open.size} messages lost ${MAX_ROUNDS} races`);
    const streams = [...open.keys()];
    const outcomes = await log.append(
      streams.map((stream) => ({
        stream,
        expected: revisions.get(stream) ?? "no_stream",
        events: open.get(stream)!,
      })),
    );
    const conflicting: string[] = [];
    for (const [index, outcome] of outcomes.entries()) {
      const stream = streams[index]!;
      if (outcome.kind === "conflict") conflicting.push(stream);
      else if (outcome.kind === "invalid")
        throw new Error(`receipt on ${stream}: ${outcome.message}`);
      else if (outcome.kind === "appended") recorded += open.get(stream)!.length;
    }
    if (conflicting.length === 0) break;
    const stored = await log.readStreams(conflicting);
    revisions = new Map(
      conflicting.map((stream) => [stream, (stored.get(stream)?.length ?? 0) - 1]),
    );
    open = new Map(
      conflicting.flatMap((stream) => {
        const known = new Set(stored.get(stream)?.map(({ id }) => id));
        const missing = open.get(stream)!.filter(({ id }) => !known.has(id));
        return missing.length > 0 ? [[stream, missing] as const] : [];
      }),
    );
  }
  await failpoint("receipts.after_append");
  return recorded;
}

function receiptEvent({ receipt, partner, causation, actor }: ReceiptSource): NewEvent {
  return {
    id: uuid5(receipt.message_id, receipt.gateway, receipt.provider_event_id),
    type: "ReceiptReceived",
    data: receipt,
    metadata: {
      partner,
      actor: actor ?? `gateway:${receipt.gateway}`,
      correlation: receipt.message_id,
      ...(causation === undefined ? {} : { causation }),
    },
  };
}
