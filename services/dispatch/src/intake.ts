import { streamOf } from "@heliograph/contracts";
import type { RecordedEvent } from "@heliograph/log";
import { roomOf, type Turn } from "./desk.ts";
import type { Mark } from "./floor.ts";
import type { LookedAt } from "./job.ts";
import { lookAt, release } from "./leave.ts";
import { begin } from "./looks.ts";
import { momentOf } from "./moment.ts";

/** A message for which its partner has no room in memory is looked at again after this. */
const ASIDE_MS = 1_000;
/** Rows that wait for one commit, some 3 MB: the feed brings more than the database takes when a flood is set aside. */
const MOST_ROWS = 10_000;

/** The feed has brought a batch. */
export function batchRead(turn: Turn, events: readonly RecordedEvent[], position: bigint): void {
  const { desk } = turn;
  desk.intake = { events, position, mark: desk.floor.begin(), next: 0, reading: false };
  takeUp(turn);
}

/**
 * Turns the batch into jobs as long as there is room, and waits with the rest. A partner has at most as many jobs as there is room left, so that the others' messages, which stand
 * behind a flood in the feed, come to their turn: one alone half of memory, two a third each. What is more becomes rows.
 */
export function takeUp(turn: Turn): void {
  const { desk, effects } = turn;
  for (let intake = desk.intake; intake !== undefined && !intake.reading; intake = desk.intake) {
    const { events, next, mark, position } = intake;
    // What is not taken up stays above the checkpoint, and the next owner sees it.
    const over = desk.life !== "open";
    if (!over && next < events.length && (roomOf(desk) <= 0 || desk.rows.count >= MOST_ROWS))
      return;
    if (over || next === events.length) {
      if (!over) desk.floor.end(mark, position);
      desk.intake = undefined;
      effects.push({ type: "batch over" });
      return;
    }
    try {
      const jobs = take(turn, events[next]!, mark);
      desk.intake = { ...intake, next: next + 1, reading: jobs.length > 0 };
      if (jobs.length > 0) effects.push({ type: "read", jobs, for: "feed" });
    } catch (error) {
      // Who hands over the batch knows what to do about an event that cannot be taken up.
      desk.intake = undefined;
      effects.push({ type: "batch over", error });
    }
  }
}

/** The streams of the event's messages are read: the rest of the batch may follow. */
export function intakeRead({ desk }: Turn): void {
  if (desk.intake !== undefined) desk.intake = { ...desk.intake, reading: false };
}

/** Takes up an event; gives the messages whose streams have to be read first. */
function take(turn: Turn, event: RecordedEvent, mark: Mark): readonly LookedAt[] {
  const { jobs, requests, rows, floor } = turn.desk;
  switch (event.type) {
    case "MessageRequested":
      requests.set(event.data.message_id, event);
      return [];
    case "FundsHeld":
      return held(turn, event, mark);
    case "BounceDeferred":
    case "FailoverStarted": {
      const { message_id: messageId } = event.data;
      if (!jobs.has(messageId)) return [look(turn, messageId, mark, event)];
      // What holds the checkpoint for it would hold it for as long as this owner is there.
      if (jobs.isStranded(messageId)) {
        setAside(turn, messageId, event);
        return [];
      }
      // Its last outcome is on its way into the log.
      const { partner } = event.metadata;
      release(turn, jobs.want(messageId, { mark: floor.hold(mark), partner })?.mark);
      return [];
    }
    case "MessageCanceled":
      if (!jobs.has(event.data.message_id)) rows.remove(event.data.message_id);
      return [];
    default:
      return [];
  }
}

function held(turn: Turn, event: RecordedEvent<"FundsHeld">, mark: Mark): readonly LookedAt[] {
  const { desk } = turn;
  const looks: LookedAt[] = [];
  for (const { message_id: messageId } of event.data.entries) {
    // At work already, on behalf of a row.
    if (desk.jobs.has(messageId)) continue;
    if (desk.jobs.sizeOf(event.metadata.partner) >= roomOf(desk)) {
      desk.requests.delete(messageId);
      setAside(turn, messageId, event);
      continue;
    }
    const request = event.position > desk.headAtStart ? desk.requests.get(messageId) : undefined;
    const job = look(turn, messageId, mark, event);
    if (request === undefined) looks.push(job);
    else {
      desk.requests.delete(messageId);
      begin(turn, job, request, event.id);
    }
  }
  return looks;
}

/** The message's row is durable with the position that lies behind it. It may have one that says more, where the feed is read again: what it waits for its stream tells. */
function setAside({ desk, at }: Turn, messageId: string, { metadata }: RecordedEvent): void {
  const { partner } = metadata;
  const dueAt = at.clock.now(partner) + ASIDE_MS;
  desk.rows.set(messageId, { dueAt, kind: "look", partner, revision: -1 });
}

function look(turn: Turn, messageId: string, mark: Mark, cause: RecordedEvent): LookedAt {
  return lookAt(turn, {
    messageId,
    stream: streamOf("message", messageId),
    mark: turn.desk.floor.hold(mark),
    waited: -1,
    ...momentOf(turn.at.clock, cause),
  });
}
