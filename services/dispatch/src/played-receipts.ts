import {
  playedReceipts,
  recordReceipts,
  type Receipt,
  type ReceiptSource,
} from "@heliograph/gateways";
import { LogUnavailable, type Batch, type RecordedEvent } from "@heliograph/log";
import {
  type Alarm,
  pause,
  reactor,
  type ReactorInstance,
  type ReactorTools,
  createAlarm,
  lazyWindow,
} from "@heliograph/runtime";
import { isSealed, type Vault } from "@heliograph/vault";
import { timeOfEvent } from "@heliograph/domain";
import { createFloor, type Floor, type Mark } from "./floor.ts";

/** Receipts that are due within this time are recorded together: they and what follows from them are two commits of the log, twenty times a second at most. */
const SLOT_MS = 50;
/** Receipts waiting in memory at most; the feed waits when it is reached. */
const MOST_WAITING = 20_000;
/** Most receipts in one append call. */
const MOST_RECORDED = 500;
/** Under load the checkpoint follows at this pace: a crash repeats so much, and repeated receipts are duplicates to the log. */
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
  return new Player(context, checkpoint, fail);
}

/** Keeps receipts until they are due, and records those of one slot together. */
class Player implements ReactorInstance<SentEvent["type"]> {
  readonly #context: ReactorTools["context"];
  readonly #fail: ReactorTools["fail"];
  /** By the clock that nobody sets. */
  readonly #slots = new Map<number, Waiting[]>();
  readonly #floor: Floor;
  readonly #stopped = new AbortController();
  readonly #alarm: Alarm;
  readonly #window: ReturnType<typeof lazyWindow>;
  #waiting = 0;
  #recording: Promise<void> = Promise.resolve();
  #wake: (() => void) | undefined;

  constructor(
    context: ReactorTools["context"],
    checkpoint: ReactorTools["checkpoint"],
    fail: ReactorTools["fail"],
  ) {
    this.#context = context;
    this.#fail = fail;
    this.#floor = createFloor(checkpoint.position);
    const broken = (error: unknown): void => this.#broken(error);
    this.#alarm = createAlarm(
      () => {
        this.#recording = this.#recording.then(() => this.#recordDue()).catch(broken);
      },
      () => performance.now(),
    );
    this.#window = lazyWindow({
      checkpoint,
      fail: broken,
      busyMs: CHECKPOINT_MS,
      position: () => this.#floor.position(),
    });
  }

  async handle(batch: Batch<SentEvent["type"]>): Promise<void> {
    const mark = this.#floor.begin();
    for (const event of await opened(this.#context.vault, batch.events)) this.#plan(event, mark);
    this.#floor.end(mark, batch.position);
    this.#window.reached();
    if (this.#waiting >= MOST_WAITING && !this.#stopped.signal.aborted)
      await new Promise<void>((resolve) => (this.#wake = resolve));
  }

  async stop(): Promise<void> {
    this.#stopped.abort();
    this.#alarm.cancel();
    this.#wake?.();
    // What still waits stays above the checkpoint; the next owner plays it.
    await this.#recording.catch(() => undefined);
    await this.#window.flush();
  }

  #broken(error: unknown): void {
    this.#stopped.abort();
    this.#wake?.();
    this.#fail(error);
  }

  #plan(event: SentEvent, mark: Mark): void {
    for (const { delayMs, receipt } of playedReceipts(event.data, timeOfEvent(event))) {
      // A message from long ago, after a pause, gets its receipts at once. The log's clock says only how long ago that is: one that is ahead delays nothing further.
      const agoMs = Math.min(delayMs, Math.max(0, Date.now() - event.recordedAt));
      const dueAt = performance.now() + delayMs - agoMs;
      const slot = Math.ceil(dueAt / SLOT_MS) * SLOT_MS;
      const waiting = { source: sourceOf(event, receipt), mark: this.#floor.hold(mark) };
      const list = this.#slots.get(slot);
      if (list === undefined) this.#slots.set(slot, [waiting]);
      else list.push(waiting);
      this.#waiting++;
      this.#alarm.at(slot);
    }
  }

  async #recordDue(): Promise<void> {
    const now = performance.now();
    const due = [...this.#slots.keys()]
      .filter((slot) => slot <= now)
      .toSorted((one, other) => one - other);
    // A turn that came late finds several slots due.
    const list = due.flatMap((slot) => this.#slots.get(slot)!);
    for (const slot of due) this.#slots.delete(slot);
    for (let from = 0; from < list.length; from += MOST_RECORDED)
      await this.#record(list.slice(from, from + MOST_RECORDED));
    if (this.#slots.size > 0) this.#alarm.at(Math.min(...this.#slots.keys()));
  }

  async #record(list: readonly Waiting[]): Promise<void> {
    const { signal } = this.#stopped;
    const sources = list.map(({ source }) => source);
    for (;;) {
      try {
        await recordReceipts(this.#context.log, sources, true);
        break;
      } catch (error) {
        if (!(error instanceof LogUnavailable) || signal.aborted) throw error;
        await pause(error.retryAfterMs, signal);
      }
    }
    this.#waiting -= list.length;
    for (const { mark } of list) this.#floor.release(mark);
    if (this.#waiting < MOST_WAITING / 2) this.#wake?.();
    this.#window.reached();
  }
}
