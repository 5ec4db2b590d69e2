import { type EventData, failpoint, streamOf } from "@heliograph/contracts";
import { foldMessage } from "@heliograph/domain";
import { tellsLater } from "@heliograph/gateways";
import { change, ofType } from "@heliograph/log";
import { checkpointOf } from "@heliograph/runtime";
import { decideReread, readingsOf, type ReceiptsEvent, type Reread, telling } from "../correct.ts";
import { mayBeDelivered } from "../decide.ts";
import { addProviderIds } from "../tables/provider-ids.ts";
import { interpret } from "./interpret.ts";
import type { CallbackEvent, ReadingContext } from "./reading.ts";
import { providerIdsOf } from "./provider-ids.ts";
import { callbacksSchema as schema } from "./reactor.ts";
import { adoptAll, receiptOf } from "./record.ts";
import { rereadsOf, type SaidOfMessage } from "./rereads.ts";

/** Callbacks have a megabyte at most, and a few KB as a rule. */
const pageEvents = 100;
/** Of so many callbacks it is remembered which messages they tell of, 150 bytes each: a receipt stands right behind its callback unless its message became known much later. */
const rememberedCallbacks = 100_000;

export type RefoldRequest = {
  /** Only this gateway's. */
  readonly gateway: string | undefined;
  /** Callbacks after this position, up to and including that one. */
  readonly after: bigint;
  readonly to: bigint | undefined;
  readonly dryRun: boolean;
  readonly signal: AbortSignal;
  /** All up to this position is read again. */
  onProgress(position: bigint): void;
  /** A message whose outcome is not what was told. */
  onCorrection(correction: EventData<"MessageCorrected">): void;
};
export type Refolded = {
  readonly callbacks: number;
  readonly receipts: number;
  readonly corrected: number;
  /** Of people who were erased; on messages that are not known; that the parser of today cannot read. */
  readonly erased: number;
  readonly unmatched: number;
  readonly unreadable: number;
};

type Sums = { -readonly [Key in keyof Refolded]: number };
/** What was read in a callback, for the receipts that it led to before. */
type Remembered = { readonly event: CallbackEvent; readonly messages: ReadonlySet<string> };

const isCallback = ofType("CallbackReceived");

/**
 * Reads callbacks of the past by the parsers and settings of today. Where a receipt says something else than it was taken to say, that is appended to `receipts-<message id>`, and the reactor of
 * receipts corrects the message. What the reactor of callbacks has not read yet is left to it. Doing it again, or going on after a crash, appends only what is missing. Throws LogUnavailable.
 */
export async function refoldCallbacks(
  context: ReadingContext,
  request: RefoldRequest,
): Promise<Refolded> {
  const end = await checkpointOf(context.pool, schema);
  const last = request.to !== undefined && request.to < end ? request.to : end;
  const sums = { callbacks: 0, receipts: 0, corrected: 0, erased: 0, unmatched: 0, unreadable: 0 };
  const remembered = new Map<string, Remembered>();
  if (!request.dryRun) await learnAgain(context, request, end);
  let after = request.after;
  while (after < end) {
    request.signal.throwIfAborted();
    const types = ["CallbackReceived", "ReceiptReceived", "ReceiptReread"] as const;
    const page = await context.log.readAll({ after, limit: pageEvents, types });
    const events = page.events.filter(({ position }) => position <= end);
    const callbacks = events
      .filter(isCallback)
      .filter(({ position, data }) => position <= last && isOf(request, data.gateway));
    const said = await readAgain(context, request, callbacks, remembered, sums);
    for (const event of events)
      if (event.type !== "CallbackReceived") recollect(event, remembered, said);
    await compareAll(context, request, said, sums);
    after = page.position;
    request.onProgress(after < end ? after : end);
  }
  return sums;
}

const isOf = ({ gateway }: RefoldRequest, name: string): boolean =>
  gateway === undefined || gateway === name;

/** What a message is found by may be written in another way now: makes those that were sent known by that as well. */
async function learnAgain(
  context: ReadingContext,
  request: RefoldRequest,
  end: bigint,
): Promise<void> {
  let after = 0n;
  while (after < end) {
    request.signal.throwIfAborted();
    const types = ["MessageSent", "MessageResent"] as const;
    const page = await context.log.readAll({ after, limit: 10 * pageEvents, types });
    const sent = page.events.filter(
      ({ data }) => isOf(request, data.gateway) && tellsLater(data.gateway_kind),
    );
    if (sent.length > 0)
      await addProviderIds(context.pool, schema, await providerIdsOf(context, sent));
    after = page.position;
  }
}

/** What these callbacks say by now, by the message. */
async function readAgain(
  context: ReadingContext,
  { dryRun }: RefoldRequest,
  callbacks: readonly CallbackEvent[],
  remembered: Map<string, Remembered>,
  sums: Sums,
): Promise<Map<string, SaidOfMessage>> {
  const said = new Map<string, SaidOfMessage>();
  if (callbacks.length === 0) return said;
  const told = await interpret({ context, schema }, callbacks);
  if (!dryRun) await adoptAll(context.vault, told.receipts);
  const unmatched = new Set(told.unmatched.map(({ event }) => event));
  sums.callbacks += callbacks.length;
  sums.erased += told.erased.size;
  sums.unreadable += told.faults.size;
  sums.unmatched += unmatched.size;
  const byCallback = Map.groupBy(told.receipts, ({ event }) => event);
  for (const event of callbacks) {
    const own = byCallback.get(event) ?? [];
    // What is not understood takes nothing back.
    const isSound = ![told.erased, told.faults, told.unproven, unmatched].some((each) =>
      each.has(event),
    );
    for (const [id, about] of Map.groupBy(own, ({ to }) => to.message_id)) {
      const of = said.get(id) ?? { partner: about[0]!.to.partner, callbacks: [] };
      of.callbacks.push({
        event,
        receipts: about.map((each) => receiptOf(context, each)),
        isSound,
      });
      said.set(id, of);
    }
    if (isSound)
      remembered.set(event.id, { event, messages: new Set(own.map(({ to }) => to.message_id)) });
  }
  for (const id of remembered.keys()) {
    if (remembered.size <= rememberedCallbacks) break;
    remembered.delete(id);
  }
  return said;
}

/** A receipt whose callback says nothing of its message any more. */
function recollect(
  { metadata, data }: ReceiptsEvent,
  remembered: ReadonlyMap<string, Remembered>,
  said: Map<string, SaidOfMessage>,
): void {
  const callback = remembered.get(metadata.causation ?? "");
  if (callback === undefined || callback.messages.has(data.message_id)) return;
  const of = said.get(data.message_id) ?? { partner: metadata.partner ?? "", callbacks: [] };
  of.callbacks.push({ event: callback.event, receipts: [], isSound: true });
  said.set(data.message_id, of);
}

/** Appends what is read otherwise than before. */
async function compareAll(
  context: ReadingContext,
  request: RefoldRequest,
  said: ReadonlyMap<string, SaidOfMessage>,
  sums: Sums,
): Promise<void> {
  const { log } = context;
  const streams = await log.readStreams([...said.keys()].map((id) => streamOf("receipts", id)));
  for (const [id, of] of said) {
    const stream = streamOf("receipts", id);
    const events = streams.get(stream) ?? [];
    const rereads = rereadsOf(id, of, events);
    if (rereads.length === 0) continue;
    const correction = await correctionBy(context, id, events, rereads);
    if (!request.dryRun) await append(context, stream, (now) => rereadsOf(id, of, now));
    sums.receipts += rereads.length;
    if (correction === undefined) continue;
    sums.corrected++;
    request.onCorrection(correction);
  }
}

async function append(
  { log }: ReadingContext,
  stream: string,
  rereads: (events: readonly ReceiptsEvent[]) => readonly Reread[],
): Promise<void> {
  await failpoint("refold.before_append");
  const result = await change<ReceiptsEvent[]>(log, {
    stream,
    evolve: (events = [], event) => [...events, event as ReceiptsEvent],
    decide: (events = []) => ({ events: rereads(events) }),
  });
  await failpoint("refold.after_append");
  if (result.kind === "contended") throw new Error(`${stream} is written without a pause`);
}

/** What the reactor of receipts will make of it. */
async function correctionBy(
  { log }: ReadingContext,
  id: string,
  events: readonly ReceiptsEvent[],
  rereads: readonly Reread[],
): Promise<EventData<"MessageCorrected"> | undefined> {
  const state = foldMessage(await log.readStream(streamOf("message", id)));
  if (state === undefined || !mayBeDelivered(state)) return undefined;
  const receipts = telling(readingsOf([...events, ...rereads]));
  const found = decideReread(state, receipts, rereads.at(-1)!);
  const correction = found.find(({ type }) => type === "MessageCorrected");
  return correction?.data as EventData<"MessageCorrected"> | undefined;
}
