import { uuid5 } from "@heliograph/contracts";
import { eventName, readingsOf, type ReceiptsEvent, type Reread } from "../correct.ts";
import type { Receipt, ReceiptEvent } from "../decide.ts";
import type { CallbackEvent } from "./reading.ts";

/** What callbacks say of one message by now, in the order in which they came. */
export type SaidOfMessage = {
  readonly partner: string;
  readonly callbacks: {
    readonly event: CallbackEvent;
    readonly receipts: readonly Receipt[];
    /** All of it is understood: what it does not say any more, it does not say. */
    readonly isSound: boolean;
  }[];
};

/**
 * What has to be told of a message's receipts so that they stand as they are read now; nothing where they do. Of callbacks that report the same provider event the first counts, as when they came. Pure.
 */
export function rereadsOf(
  messageId: string,
  { partner, callbacks }: SaidOfMessage,
  events: readonly ReceiptsEvent[],
): readonly Reread[] {
  const readings = new Map(readingsOf(events));
  const lastIds = new Map(events.map(({ id, data }) => [eventName(data), id]));
  const rereads: Reread[] = [];

  function tell(
    { id: causation, data: { callback_id } }: CallbackEvent,
    said: Omit<Receipt, "status"> & { readonly status: Reread["data"]["status"] },
  ): void {
    const name = eventName(said);
    const before: Reread["data"]["before"] = readings.get(name)?.data.status ?? "nothing";
    const data = { ...said, before, callback_id };
    const id = uuid5(causation, messageId, name, said.status, lastIds.get(name) ?? "");
    const metadata = { partner, actor: "ops", correlation: messageId, causation };
    const event: Reread = { id, type: "ReceiptReread", data, metadata };
    rereads.push(event);
    lastIds.set(name, id);
    const { status } = said;
    if (status === "nothing") readings.delete(name);
    else readings.set(name, { id, metadata, data: { ...said, status } });
  }

  for (const { event, receipts, isSound } of callbacks) {
    const names = new Set(receipts.map(eventName));
    if (isSound)
      for (const [name, { metadata, data }] of readings)
        if (metadata.causation === event.id && !names.has(name)) {
          const { error: _, diagnostic: __, permanent: ___, ...rest } = data;
          tell(event, { ...rest, status: "nothing" });
        }
    for (const receipt of receipts)
      if (isNews(readings.get(eventName(receipt)), receipt, event.id)) tell(event, receipt);
  }
  return rereads;
}

function isNews(before: ReceiptEvent | undefined, receipt: Receipt, causation: string): boolean {
  // That a provider has it, the message itself says.
  if (before === undefined) return receipt.status !== "sent";
  return before.metadata.causation === causation && !saysTheSame(before.data, receipt);
}

/** Its words may be others, but not whether it costs something. */
const saysTheSame = (one: Receipt, other: Receipt): boolean =>
  one.status === other.status &&
  one.permanent === other.permanent &&
  one.error?.billable === other.error?.billable &&
  one.part?.number === other.part?.number &&
  one.part?.of === other.part?.of;
