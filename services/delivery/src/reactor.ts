import { failpoint, shardPart, streamOf } from "@heliograph/contracts";
import type { MessageState } from "@heliograph/domain";
import { LogUnavailable, type Batch, type RecordedEvent, ofType } from "@heliograph/log";
import { reactor, type ReactorInstance, type ReactorTools } from "@heliograph/runtime";
import {
  decideKept,
  decideReread,
  readingsOf,
  type ReceiptsEvent,
  type Reread,
  telling,
} from "./correct.ts";
import {
  appendOf,
  decideDeclined,
  decideReceipts,
  decideRefunded,
  type Fact,
  mayBeDelivered,
  type ReceiptEvent,
} from "./decide.ts";
import { maxParked, openParked, type Parked } from "./parked.ts";
import { openStates, type States } from "./states.ts";
import { parkedDdl, parkedPartnerDdl, readParked } from "./store.ts";

/** Every event of a message stream, so that the states kept in memory stand at the revision an append must expect. */
const messageTypes = [
  "MessageRequested",
  "MessageQueued",
  "DispatchAttemptFailed",
  "MessageSent",
  "MessageResent",
  "DispatchUncertain",
  "DispatchExhausted",
  "MessageExpired",
  "MessageCanceled",
  "MessageRejected",
  "BounceDeferred",
  "DeliveryFailed",
  "MessageDelivered",
  "MessageRead",
  "MessageBounced",
  "MessageComplained",
  "MessageFailed",
  "MessageCorrected",
  "SendDelayed",
  "FailoverStarted",
  "FailoverStepFailed",
  "MessageSettled",
] as const;
const fundsTypes = [
  "FundsDeclined",
  "FundsReleased",
  "FundsRefunded",
  "FundsReturnedBefore",
  "FundsKept",
] as const;
type ConsumedType = (typeof messageTypes | typeof fundsTypes)[number] | ReceiptsEvent["type"];
type FundsEvent = RecordedEvent<(typeof fundsTypes)[number]>;

/** After one of these, receipts that waited can be decided. */
const unparks: ReadonlySet<string> = new Set(["MessageSent", "MessageResent", "DispatchExhausted"]);
/** After one of these, no provider has the message, so nothing waits for it any more. */
const ends: ReadonlySet<string> = new Set(["MessageExpired", "MessageCanceled", "MessageRejected"]);

/** A conflict means that dispatch wrote at the same moment; it writes a few events per message, so a handful of rounds is plenty. */
const maxRounds = 10;

/** What a batch says about one message. */
type Work = {
  readonly id: string;
  receipts: readonly ReceiptEvent[];
  /** The last of its receipts that was read again: all of them are then looked at anew. */
  reread?: Reread;
  funds: { readonly cause: FundsEvent; readonly amount: string } | undefined;
  /** Of a failure that costs something: its receipts, where they were read again before the wallet said so. */
  kept?: { readonly receipts: readonly ReceiptEvent[]; readonly cause: Reread };
};

/** Turns receipts and refunds into the facts of the message: delivered, read, bounced, complained about, failed, rejected. */
export const receiptsReactor = reactor({
  kind: "reactor",
  name: "receipts",
  schema: "delivery",
  types: [...messageTypes, "ReceiptReceived", "ReceiptReread", ...fundsTypes],
  sharded: "asked",
  spaces: { parked: "partner" },
  migrations: [parkedDdl, parkedPartnerDdl],
  start: startReceipts,
});

async function startReceipts(tools: ReactorTools): Promise<ReactorInstance<ConsumedType>> {
  const { context, schema, shard, checkpoint, fail, logger } = tools;
  const states = openStates(context.log);
  const most = shardPart(maxParked, shard, 1);
  const waiting = await readParked(context.pool, schema, most, shard);
  const parked = openParked(waiting, checkpoint, fail, most);

  async function handle(batch: Batch<ConsumedType>): Promise<void> {
    const { works, recalled } = collect(batch.events, states, parked);
    if (works.size > 0) {
      const unknown = [...works.keys()].filter((id) => states.get(id) === undefined);
      if (unknown.length > 0) await states.load(unknown);
      // What one receipt was taken to say is not to be believed where another reading has replaced it.
      for (const id of works.keys()) if (states.get(id)?.corrected) recalled.add(id);
      if (recalled.size > 0) await recall(tools, works, recalled);
      await recallKept(tools, [...works.values()]);
      await settle([...works.values()]);
    }
    parked.reached(batch.position);
  }

  /** Decides and appends everything in one call; what met a conflict is read and decided again. */
  async function settle(works: readonly Work[]): Promise<void> {
    let open = works;
    for (let round = 0; open.length > 0; round++) {
      if (round === maxRounds)
        throw new LogUnavailable(
          `${open.length} messages kept changing while their receipts were decided`,
        );
      const decided = open.flatMap((work) => decideWork(work, states, parked, logger));
      if (decided.length === 0) return;
      await failpoint("delivery.before_append");
      const outcomes = await context.log.append(decided.map(({ append }) => append));
      await failpoint("delivery.after_append");
      const again: Work[] = [];
      /** Another owner decided the same before: what is stored counts. */
      const repeated: string[] = [];
      let invalid: string | undefined;
      for (const [index, outcome] of outcomes.entries()) {
        const { work, append } = decided[index]!;
        if (outcome.kind === "conflict") again.push(work);
        else if (outcome.kind === "invalid") invalid = `${append.stream}: ${outcome.message}`;
        else if (outcome.kind === "duplicate") repeated.push(work.id);
        else states.appended(append, outcome);
      }
      if (invalid !== undefined) throw new Error(invalid);
      const changed = [...repeated, ...again.map((work) => work.id)];
      if (changed.length > 0) await states.load(changed);
      open = again;
    }
  }

  return { handle, stop: () => parked.flush() };
}

/** Feeds the states and collects what there is to decide, per message. */
function collect(
  events: readonly RecordedEvent<ConsumedType>[],
  states: States,
  parked: Parked,
): { readonly works: Map<string, Work>; readonly recalled: Set<string> } {
  const works = new Map<string, Work>();
  /** Of these the receipts that came before count too. */
  const recalled = new Set<string>();
  const workOf = (id: string): Work => {
    let work = works.get(id);
    if (work === undefined) works.set(id, (work = { id, receipts: [], funds: undefined }));
    return work;
  };
  for (const event of events) {
    if (event.type === "ReceiptReceived") {
      // That a provider has it, the message itself says.
      const { message_id, status } = event.data;
      if (status !== "sent") received(workOf(message_id), event);
      // One part says little about the others.
      if (event.data.part !== undefined) recalled.add(event.data.message_id);
    } else if (event.type === "ReceiptReread") {
      workOf(event.data.message_id).reread = event;
      recalled.add(event.data.message_id);
    } else if (isFunds(event)) {
      for (const entry of event.data.entries)
        workOf(entry.message_id).funds = { cause: event, amount: entry.amount };
    } else {
      states.see(event);
      const id = event.data.message_id;
      if (unparks.has(event.type) && parked.has(id)) recalled.add(id);
      else if (ends.has(event.type)) parked.remove(id);
    }
  }
  for (const id of recalled) workOf(id);
  return { works, recalled };
}

/** The receipts that came before, from the log: all of the message's, so that nothing depends on which of them were parked. */
async function recall(
  { context }: ReactorTools,
  works: ReadonlyMap<string, Work>,
  ids: ReadonlySet<string>,
): Promise<void> {
  const streams = await context.log.readStreams([...ids].map((id) => streamOf("receipts", id)));
  for (const id of ids) {
    const receipts = streams.get(streamOf("receipts", id)) ?? [];
    works.get(id)!.receipts = telling(readingsOf(receipts));
  }
}

/** The wallet's word on what a failure costs may come after a reading by which it costs nothing. */
async function recallKept({ context }: ReactorTools, works: readonly Work[]): Promise<void> {
  const kept = works.filter(({ funds }) => funds?.cause.type === "FundsKept");
  if (kept.length === 0) return;
  const streams = await context.log.readStreams(kept.map(({ id }) => streamOf("receipts", id)));
  for (const work of kept) {
    const events: readonly ReceiptsEvent[] = streams.get(streamOf("receipts", work.id)) ?? [];
    const cause = events.findLast((event) => event.type === "ReceiptReread");
    if (cause !== undefined) work.kept = { receipts: telling(readingsOf(events)), cause };
  }
}

const received = (work: Work, event: ReceiptEvent): void => {
  work.receipts = [...work.receipts, event];
};

const isFunds = ofType(...fundsTypes);
const isDeclined = ofType("FundsDeclined");

function decideWork(work: Work, states: States, parked: Parked, logger: ReactorTools["logger"]) {
  const state = states.get(work.id);
  const facts: Fact[] = [];
  if (work.reread !== undefined && state !== undefined && mayBeDelivered(state))
    facts.push(...decideReread(state, work.receipts, work.reread));
  else if (work.receipts.length > 0) {
    const decision = decideReceipts(state, work.receipts);
    facts.push(...decision.facts);
    if (!decision.park) parked.remove(work.id);
    else if (!parked.add(work.id, work.receipts[0]!.metadata.partner, Date.now()))
      logger.warn({ message: work.id }, "too many receipts wait; this one is kept in the log only");
  }
  if (state === undefined) return [];
  // Receipts that lead to a fact in the same batch outrank a failure, or start one whose money is not back yet. A complaint is no word about the status.
  if (work.funds !== undefined && facts.every(({ type }) => type === "MessageComplained")) {
    const fact = decideFunds(state, work.funds);
    if (fact !== undefined) facts.push(fact);
  }
  if (work.kept !== undefined) facts.push(...decideKept(state, facts, work.kept));
  if (facts.length === 0) return [];
  const append = appendOf(streamOf("message", work.id), state, facts);
  // What receipts come to nobody waits for as for the end of a message that cannot be paid.
  return [
    { work, append: work.funds === undefined ? { ...append, patient: true as const } : append },
  ];
}

const decideFunds = (state: MessageState, { cause, amount }: NonNullable<Work["funds"]>) =>
  isDeclined(cause) ? decideDeclined(state, cause) : decideRefunded(state, cause, amount);
