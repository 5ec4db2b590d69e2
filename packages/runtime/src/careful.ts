import { readEventFlaw } from "@heliograph/contracts";
import type { Batch, RecordedEvent } from "@heliograph/log";
import { isMachinery, messageOf } from "./faults.ts";

/** An event is set aside when it alone failed so often. */
const triesBeforeQuarantine = 3;

/**
 * Finds the event that is at fault. After a batch failed, its events are handed over one at a time; one that alone fails three times is set aside, and one that
 * breaks its schema at once. Kept over restarts of the consumer.
 */
export class Careful {
  /** Events up to here are handed over one at a time. */
  until = 0n;
  readonly #skip = new Set<bigint>();
  readonly #failures = new Map<bigint, number>();

  /** Takes a batch, by itself or event by event. Throws what the handler threw: the consumer starts again from its checkpoint. */
  async take(
    batch: Batch,
    handle: (batch: Batch) => Promise<void>,
    setAside: (event: RecordedEvent, reason: string) => Promise<void>,
  ): Promise<void> {
    if (this.until > 0n) return this.#takeOneByOne(batch, handle, setAside);
    try {
      await handle(batch);
    } catch (error) {
      this.suspect(error, batch.position);
      throw error;
    }
  }

  /** Something up to here failed that is not the machinery's fault. */
  suspect(error: unknown, position: bigint): void {
    if (!isMachinery(error) && position > this.until) this.until = position;
  }

  async #takeOneByOne(
    batch: Batch,
    handle: (batch: Batch) => Promise<void>,
    setAside: (event: RecordedEvent, reason: string) => Promise<void>,
  ): Promise<void> {
    const quarantine = async (event: RecordedEvent, reason: string): Promise<void> => {
      await setAside(event, reason);
      this.#skip.add(event.position);
    };
    for (const event of batch.events) {
      if (this.#skip.has(event.position)) continue;
      // The log checks its events when it appends them: this finds what came past it, and spares it the restarts that others get before they are set aside.
      const flaw = readEventFlaw(event);
      if (flaw !== undefined) {
        await quarantine(event, flaw);
        continue;
      }
      try {
        await handle({ ...batch, events: [event], position: event.position });
      } catch (error) {
        if (isMachinery(error)) throw error;
        const failures = (this.#failures.get(event.position) ?? 0) + 1;
        this.#failures.set(event.position, failures);
        if (failures >= triesBeforeQuarantine) await quarantine(event, messageOf(error));
        throw error;
      }
    }
    await handle({ ...batch, events: [] });
    if (batch.position < this.until) return;
    this.until = 0n;
    this.#failures.clear();
  }
}
