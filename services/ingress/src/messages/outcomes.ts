import { type EventTypeOf, streamOf, typesIn } from "@heliograph/contracts";
import { evolveMessage, type MessageState } from "@heliograph/domain";
import { ofType, type RecordedEvent } from "@heliograph/log";

/** What a message is folded from. */
export const messageTypes = typesIn("message") as readonly EventTypeOf<"message">[];
type MessageEvent = RecordedEvent<EventTypeOf<"message">>;

/** What ends `Prefer: wait`: the provider took the message, which of an uncertain one only its receipt may tell, or it never will. */
const isOutcome = ofType(
  "MessageSent",
  "MessageDelivered",
  "MessageRead",
  "MessageBounced",
  "MessageFailed",
  "MessageRejected",
  "MessageExpired",
  "MessageCanceled",
);

/** The callers that wait for one message, and what its events came to since the first of them did. */
type Expected = { state: MessageState | undefined; readonly wakes: Set<() => void> };

/** Wakes callers that wait for the outcome of a message. */
export class Outcomes {
  readonly #waiting = new Map<string, Expected>();

  seen(event: MessageEvent): void {
    if (this.#waiting.size === 0) return;
    const expected = this.#waiting.get(event.stream);
    if (expected === undefined) return;
    expected.state = evolveMessage(expected.state, event);
    if (isOutcome(event)) for (const wake of expected.wakes) wake();
  }

  /**
   * Registers at once, so that an outcome between the append and the wait is not missed. `wait` gives true when there was one within
   * `timeoutMs`; `state` is what the message then is, of one that was stored since: nothing is read for it. `cancel` must be called when it is not waited for.
   */
  expect(messageId: string): {
    wait(timeoutMs: number, signal: AbortSignal): Promise<boolean>;
    readonly state: MessageState | undefined;
    cancel(): void;
  } {
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const wake = (): void => resolve(true);
    const stream = streamOf("message", messageId);
    // A repetition of the same call waits beside the first, and must not take its place.
    const expected: Expected = this.#waiting.get(stream) ?? { state: undefined, wakes: new Set() };
    expected.wakes.add(wake);
    this.#waiting.set(stream, expected);
    const cancel = (): void => {
      expected.wakes.delete(wake);
      if (expected.wakes.size === 0 && this.#waiting.get(stream) === expected)
        this.#waiting.delete(stream);
    };
    return {
      cancel,
      get state() {
        return expected.state;
      },
      async wait(timeoutMs, signal) {
        const giveUp = (): void => resolve(false);
        const timer = setTimeout(giveUp, timeoutMs);
        signal.addEventListener("abort", giveUp, { once: true });
        if (signal.aborted) giveUp();
        try {
          return await promise;
        } finally {
          clearTimeout(timer);
          signal.removeEventListener("abort", giveUp);
          cancel();
        }
      },
    };
  }
}
