import { streamOf } from "@heliograph/contracts";
import { boundedCache, weighRequest } from "@heliograph/domain";
import type { Batch, RecordedEvent } from "@heliograph/log";
import type { Active } from "./active.ts";
import type { Committer } from "./committer.ts";
import type { Floor, Mark } from "./floor.ts";
import type { PartnerClock } from "@heliograph/runtime";
import { momentOf } from "./moment.ts";
import type { Look, Resumer } from "./resume.ts";

export type Feed = {
  handle(batch: Batch): Promise<void>;
  /** There may be room again. */
  wake(): void;
};

type Options = {
  readonly resumer: Resumer;
  readonly committer: Committer;
  readonly floor: Floor;
  readonly active: Active;
  /** How many jobs memory has room for. */
  readonly room: () => number;
  readonly closing: () => boolean;
  readonly clock: PartnerClock;
  /** Up to here a predecessor may have acted: its traces are in the messages' streams, which are read. */
  readonly headAtStart: bigint;
  /** Memory for requests whose funds are not decided yet; one that is forgotten is read from the log. */
  readonly requestBytes: number;
};

/** A message for which its partner has no room in memory is looked at again after this. */
const ASIDE_MS = 1_000;

/** A message's row is durable with the position that lies behind it. */
const setAsideWith =
  (committer: Committer, clock: PartnerClock) =>
  (messageId: string, { metadata: { partner } }: RecordedEvent): void =>
    committer.timer(messageId, { dueAt: clock.now(partner) + ASIDE_MS, kind: "waiting", partner });

/** Where batches wait until there is room; `asked` is called for each that comes. */
function openGate(asked: () => void): {
  readonly opened: () => Promise<void>;
  readonly open: () => void;
} {
  let waiters: (() => void)[] = [];
  return {
    opened() {
      asked();
      return new Promise((resolve) => waiters.push(resolve));
    },
    open() {
      const waiting = waiters;
      waiters = [];
      for (const resolve of waiting) resolve();
    },
  };
}

/**
 * Turns the feed into jobs, and waits with the next batch while memory is full. A partner has at most as many jobs as there is room left, so that the others' messages, which stand
 * behind a flood in the feed, come to their turn: one alone half of memory, two a third each. What is more becomes rows.
 */
export function createFeed({
  resumer,
  committer,
  floor,
  active,
  room,
  closing,
  clock,
  headAtStart,
  requestBytes,
}: Options): Feed {
  const requests = boundedCache<string, RecordedEvent<"MessageRequested">>(
    requestBytes,
    ({ data }) => weighRequest(data),
  );
  const gate = openGate(() => committer.pump());

  const setAside = setAsideWith(committer, clock);

  async function handle(batch: Batch): Promise<void> {
    const mark = floor.begin();
    for (const event of batch.events) {
      if (room() <= 0) await gate.opened();
      // What is not taken up stays above the checkpoint, and the next owner sees it.
      if (closing()) return;
      const looks = take(event, mark);
      if (looks.length > 0) await resumer.resume(looks);
    }
    floor.end(mark, batch.position);
    committer.pump();
  }

  /** Takes up an event; gives the messages whose streams have to be read first. */
  function take(event: RecordedEvent, mark: Mark): readonly Look[] {
    switch (event.type) {
      case "MessageRequested":
        requests.set(event.data.message_id, event);
        return [];
      case "FundsHeld":
        return held(event, mark);
      case "BounceDeferred":
        if (!active.has(event.data.message_id)) return [look(event.data.message_id, mark, event)];
        // Its last outcome is on its way into the log.
        active.again(event.data.message_id, mark, event.metadata.partner);
        return [];
      case "MessageCanceled":
        if (!active.has(event.data.message_id)) committer.timerDone(event.data.message_id);
        return [];
      default:
        return [];
    }
  }

  function held(event: RecordedEvent<"FundsHeld">, mark: Mark): readonly Look[] {
    const looks: Look[] = [];
    for (const { message_id: messageId } of event.data.entries) {
      // At work already, on behalf of a row.
      if (active.has(messageId)) continue;
      if (active.sizeOf(event.metadata.partner) >= room()) {
        requests.delete(messageId);
        setAside(messageId, event);
        continue;
      }
      const request = event.position > headAtStart ? requests.get(messageId) : undefined;
      if (request === undefined) looks.push(look(messageId, mark, event));
      else {
        requests.delete(messageId);
        resumer.begin(look(messageId, mark, event), request, event.id);
      }
    }
    return looks;
  }

  function look(messageId: string, mark: Mark, cause: RecordedEvent): Look {
    active.add(messageId, cause.metadata.partner);
    return {
      messageId,
      stream: streamOf("message", messageId),
      mark: floor.hold(mark),
      due: false,
      ...momentOf(clock, cause),
    };
  }

  return {
    handle,
    wake() {
      if (room() > 0 || closing()) gate.open();
    },
  };
}
