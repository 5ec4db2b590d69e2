import {
  playedReceipts,
  recordReceipts,
  type Receipt,
  type ReceiptSource,
} from "@heliograph/gateways";
import { LogUnavailable, type RecordedEvent } from "@heliograph/log";
import {
  pause,
  reactor,
  type ReactorInstance,
  type ReactorTools,
  createAlarm,
} from "@heliograph/runtime";
import { isSealed, type Vault } from "@heliograph/vault";
import { timeOfEvent } from "@heliograph/domain";
import { createFloor, type Mark } from "./floor.ts";

/** Receipts that are due within this time are recorded together. */
const SLOT_MS = 10;
/** Receipts waiting in memory at most; the feed waits when it is reached. */
const MOST_WAITING = 20_000;
/** Most receipts in one append call. */
const MOST_RECORDED = 500;
/** The checkpoint follows at this pace: a crash repeats so much, and repeated receipts are duplicates to the log. */
const CHECKPOINT_MS = 200;

/**
 * Plays the providers that cannot send receipts themselves: what their gateways accepted gets its receipts after a short delay. The checkpoint stays below what waits in memory, so a crash loses none.
 */
export const playedReceiptsReactor = reactor({
  // Checkpoints stand under these names since there was but one such provider.
  name: "simulator-receipts",
  kind: "reactor",
  schema: "simulator_receipts",
  types: ["MessageSent", "MessageResent"],
  migrations: [],
  start,
});

type Waiting = { readonly source: ReceiptSource; readonly mark: Mark };

type SentEvent = RecordedEvent<"MessageSent" | "MessageResent">;

/** What is played depends on the recipient. */
async function opened(vault: Vault, events: readonly SentEvent[]): Promise<readonly SentEvent[]> {
  const recipients = events.map(({ data }) => data.message.to);
  if (!recipients.some(isSealed)) return events;
  const open = await vault.open(undefined, recipients);
  return events.map((event) => ({ ...event, data: open(event.data) }) as SentEvent);
}

const sourceOf = ({ id, metadata }: SentEvent, receipt: Receipt): ReceiptSource => ({
  receipt,
  partner: metadata.partner ?? "",
  causation: id,
  ...(metadata.at !== undefined && { at: receipt.occurred_at }),
});

async function start({
  context,
  checkpoint,
  fail,
}: ReactorTools): Promise<ReactorInstance<SentEvent["type"]>> {
  const slots = new Map<number, Waiting[]>();
  const floor = createFloor(checkpoint.position);
  const stopped = new AbortController();
  let waiting = 0;
  let recording: Promise<void> = Promise.resolve();
  let wake: (() => void) | undefined;
  const alarm = createAlarm(() => void (recording = recording.then(recordDue).catch(stop)));
  const checkpointAlarm = createAlarm(() => void commit().catch(stop));

  function stop(error: unknown): void {
    stopped.abort();
    wake?.();
    fail(error);
  }

  function plan(event: SentEvent, mark: Mark): void {
    for (const { delayMs, receipt } of playedReceipts(event.data, timeOfEvent(event))) {
      // A message from long ago, after a pause, gets its receipts at once. The log's clock says only how long ago that is: one that is ahead delays nothing further.
      const now = Date.now();
      const agoMs = Math.min(delayMs, Math.max(0, now - event.recordedAt));
      const dueAt = now + delayMs - agoMs;
      const slot = Math.ceil(dueAt / SLOT_MS) * SLOT_MS;
      const source = sourceOf(event, receipt);
      const list = slots.get(slot);
      if (list === undefined) slots.set(slot, [{ source, mark: floor.hold(mark) }]);
      else list.push({ source, mark: floor.hold(mark) });
      waiting++;
      alarm.at(slot);
    }
  }

  async function recordDue(): Promise<void> {
    const now = Date.now();
    const due = [...slots.keys()]
      .filter((slot) => slot <= now)
      .toSorted((one, other) => one - other);
    for (const slot of due) {
      const list = slots.get(slot)!;
      slots.delete(slot);
      for (let from = 0; from < list.length; from += MOST_RECORDED)
        await record(list.slice(from, from + MOST_RECORDED));
    }
    if (slots.size > 0) alarm.at(Math.min(...slots.keys()));
  }

  async function record(list: readonly Waiting[]): Promise<void> {
    const sources = list.map(({ source }) => source);
    for (;;) {
      try {
        await recordReceipts(context.log, sources);
        break;
      } catch (error) {
        if (!(error instanceof LogUnavailable) || stopped.signal.aborted) throw error;
        await pause(error.retryAfterMs, stopped.signal);
      }
    }
    waiting -= list.length;
    for (const { mark } of list) floor.release(mark);
    if (waiting < MOST_WAITING / 2) wake?.();
    checkpointAlarm.at(Date.now() + CHECKPOINT_MS);
  }

  async function commit(): Promise<void> {
    if (floor.position() > checkpoint.position) await checkpoint.commit(floor.position());
  }

  return {
    async handle(batch) {
      const mark = floor.begin();
      for (const event of await opened(context.vault, batch.events)) plan(event, mark);
      floor.end(mark, batch.position);
      checkpointAlarm.at(Date.now() + CHECKPOINT_MS);
      if (waiting >= MOST_WAITING && !stopped.signal.aborted)
        await new Promise<void>((resolve) => (wake = resolve));
    },
    async stop() {
      stopped.abort();
      alarm.cancel();
      checkpointAlarm.cancel();
      wake?.();
      // What still waits stays above the checkpoint; the next owner plays it.
      await recording.catch(() => undefined);
      await commit();
    },
  };
}
