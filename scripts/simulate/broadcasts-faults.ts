import { streamOf } from "@heliograph/contracts";
import { ofType, type RecordedEvent } from "@heliograph/log";
import { evolveBroadcast, type Broadcast } from "../../services/ingress/src/broadcasts/decide.ts";
import { messageIdOf } from "../../services/ingress/src/broadcasts/sends.ts";
import type { RecipientRow } from "../../services/ingress/test/sim-tables.ts";
import { slowPerSecond, type Broadcasts } from "./broadcasts.ts";
import { partner, type Platform } from "./platform.ts";

type About = (what: string) => void;
type Requested = RecordedEvent<"MessageRequested">;
/** What the log tells of messages: the lives of all by their streams, and which each broadcast asked for. */
type Messages = {
  readonly lives: ReadonlyMap<string, readonly RecordedEvent[]>;
  readonly asked: ReadonlyMap<string, readonly Requested[]>;
};

const isFailure = ofType(
  "MessageFailed",
  "MessageRejected",
  "MessageExpired",
  "MessageCanceled",
  "MessageBounced",
);
const isSent = ofType("MessageSent", "MessageDelivered", "MessageRead");
const noMoney: ReadonlySet<string> = new Set(["insufficient_funds", "spend_limit_reached"]);
const isUnpaid = (life: readonly RecordedEvent[]): boolean =>
  life.some(({ type, data }) => type === "MessageRejected" && noMoney.has(data.error.code));

/** What does not hold of broadcasts, at rest: everybody of an audience has one message, or a reason why not, and the counts are what the log says. */
export async function faultsOfBroadcasts({
  broadcasts,
  sim,
}: Platform): Promise<readonly string[]> {
  if (broadcasts === undefined) return [];
  const { events } = await sim.log.readAll({ after: 0n, limit: 1_000_000 });
  const isRequest = ofType("MessageRequested");
  const own = events.filter(({ stream }) => stream.startsWith("message-"));
  const messages: Messages = {
    lives: Map.groupBy(own, ({ stream }) => stream),
    asked: Map.groupBy(own.filter(isRequest), ({ metadata }) => metadata.actor ?? ""),
  };
  const faults = [...broadcasts.kept.tables.faults];
  for (const id of broadcasts.ids)
    faultsOfOne(broadcasts, id, events, messages, (what) => void faults.push(`${id} ${what}`));
  return faults;
}

function faultsOfOne(
  { kept, stops }: Broadcasts,
  id: string,
  events: readonly RecordedEvent[],
  { lives, asked }: Messages,
  about: About,
): void {
  const own = events.filter(({ stream }) => stream === streamOf("broadcast", id));
  let state: Broadcast | undefined;
  for (const event of own) state = evolveBroadcast(state, event);
  const row = kept.tables.broadcasts.get(id);
  if (state === undefined || row === undefined) return about("is in no table");
  const { status, created } = state;
  if (row.status !== status) about(`is ${status}, and ${row.status} in the table`);
  if (status === "running") about("runs at rest");
  const recipients = kept.tables.of(id);
  const known = new Set<string>();
  for (const recipient of recipients) faultsOfRecipient(recipient, lives, known, about);
  const requests = asked.get(id) ?? [];
  for (const { data } of requests)
    if (!known.has(data.message_id)) about(`has sent ${data.message_id}, which is nobody's`);
  const count = (which: (recipient: RecipientRow) => boolean): number =>
    recipients.filter(which).length;
  const counted = {
    audience: recipients.length,
    accepted: count((each) => each.state === "accepted"),
    skipped: count((each) => each.state === "skipped"),
    sent: count((each) => each.outcome === "sent"),
    failed: count((each) => each.outcome === "failed"),
  };
  for (const [name, number] of Object.entries(counted))
    if (row[name as keyof typeof counted] !== number)
      about(`counts ${row[name as keyof typeof counted]} ${name} and not ${number}`);
  if (status === "done" && count((each) => each.state === "pending") > 0)
    about("is done, and some of its audience wait");
  const done = own.find(({ type }) => type === "BroadcastCompleted");
  const late = requests.filter(({ stream }) => done !== undefined && isAfter(lives, stream, done));
  if (late.length > 0) about(`was done before ${late.length} of its messages were`);
  if (row.collected)
    faultsOfAudience(created.audience, BigInt(row.started_position!), recipients, events, about);
  if (created.per_second !== undefined && created.per_second <= slowPerSecond)
    faultsOfStops(
      stops.filter((stop) => stop.id === id),
      own,
      requests,
      about,
    );
}

/** A message was neither sent nor over by then. */
const isAfter = (lives: Messages["lives"], stream: string, done: RecordedEvent): boolean =>
  lives
    .get(stream)!
    .every((event) => event.position > done.position || !(isSent(event) || isFailure(event)));

/** Has one message at most, each further one after a rejection for want of money, and the one that it has came to what the table says. */
function faultsOfRecipient(
  { broadcast_id, contact_id, message_id, attempt, state, outcome }: RecipientRow,
  lives: Messages["lives"],
  known: Set<string>,
  about: About,
): void {
  let last = "";
  for (let tried = 0; tried <= attempt; tried++) {
    if (tried > 0 && !isUnpaid(lives.get(streamOf("message", last)) ?? []))
      about(`has a further message for ${contact_id}, whose ${last} was paid for`);
    last = messageIdOf("live", partner, broadcast_id, { contact_id, attempt: tried });
    known.add(last);
  }
  if (last !== message_id) about(`has ${message_id} for ${contact_id} and not ${last}`);
  const life = lives.get(streamOf("message", message_id)) ?? [];
  const isThere = life.length > 0;
  if (isThere !== (state === "accepted"))
    about(`has ${contact_id} as ${state}, and its message is ${isThere ? "" : "not "}there`);
  const failed = life.some(isFailure);
  const sent = life.some((each) => isSent(each));
  const expected = failed ? "failed" : sent ? "sent" : null;
  if (outcome !== expected) about(`has ${message_id} as ${outcome}, and it is ${expected}`);
}

/** Who was a contact when it started, and was one person all the time, is of the audience of all; who was named is of that of a list. */
function faultsOfAudience(
  { tag, contact_ids }: Broadcast["created"]["audience"],
  startedAt: bigint,
  recipients: readonly RecipientRow[],
  events: readonly RecordedEvent[],
  about: About,
): void {
  const found = new Set(recipients.map(({ contact_id }) => contact_id));
  const expected = new Set(contact_ids);
  const madeAt = new Map<string, bigint>();
  const roots = new Set<string>();
  for (const { type, data, position } of events)
    if (type === "ContactCreated") madeAt.set(data.contact_id, position);
    else if (type === "ContactMerged") roots.add(data.into);
  if (tag === undefined && contact_ids === undefined) {
    for (const [id, position] of madeAt) if (position <= startedAt) expected.add(id);
    for (const { type, data } of events)
      if (type === "ContactMerged" || type === "ContactErasureRequested")
        expected.delete(data.contact_id);
  }
  for (const id of expected) if (!found.has(id)) about(`has left out ${id}`);
  for (const id of found)
    if (contact_ids === undefined && !roots.has(id) && (madeAt.get(id) ?? 0n) > startedAt)
      about(`has ${id}, who was no contact when it started`);
}

/** Who sends one at a time has at most that one under way when it is told to stop. */
function faultsOfStops(
  stops: Broadcasts["stops"],
  own: readonly RecordedEvent[],
  requests: readonly Requested[],
  about: About,
): void {
  for (const { position, owners } of stops) {
    const resumed = own.find(
      (event) => event.type === "BroadcastResumed" && event.position > position,
    );
    const late = requests.filter(
      (request) =>
        request.position > position &&
        (resumed === undefined || request.position < resumed.position),
    );
    if (late.length > owners)
      about(`sends ${late.length} after it was stopped at ${position}, when ${owners} were there`);
  }
}
