import { type EventData, parseMoney } from "@heliograph/contracts";
import {
  type Failover,
  type HoldStatus,
  type MessageStatus,
  beginFailover,
  evolveFailover,
  joinStatus,
  settlement,
  statusAfter,
  statusOf,
  walletCause,
} from "@heliograph/domain";
import type { RecordedEvent } from "@heliograph/log";

/** Every event that changes what a message counts as. */
export const countedTypes = [
  "MessageRequested",
  "MessageQueued",
  "MessageSent",
  "MessageResent",
  "MessageDelivered",
  "MessageRead",
  "MessageBounced",
  "MessageFailed",
  "MessageExpired",
  "MessageRejected",
  "MessageCanceled",
  // What gives the money back.
  "DispatchExhausted",
  "DeliveryFailed",
  "MessageCorrected",
  // Of a message with further steps: which of them it is now, and which is charged.
  "FailoverStarted",
  "FailoverStepFailed",
  "MessageSettled",
  // What was sent after its hold had expired and nobody pays: only the wallet knows.
  "FundsWrittenOff",
] as const;
export type CountedEvent = RecordedEvent<(typeof countedTypes)[number]>;
export type WrittenOff = RecordedEvent<"FundsWrittenOff">;
export type MessageEvent = Exclude<CountedEvent, WrittenOff>;
/** What a message's life is folded from: the events of its stream, and that it was written off, which is told of many messages at once. */
export type LifeEvent = MessageEvent | Pick<WrittenOff, "type" | "position">;

const hourMs = 3_600_000;

/** What usage counts a message as, folded from its own stream. Names are those it is counted under. */
export type Life = {
  readonly partner: string;
  /** Of `created_at`, in hours since 1970 UTC: every column counts here, whenever its event comes. */
  readonly hour: number;
  readonly channel: string;
  readonly country: string;
  readonly template: string;
  readonly tags: readonly string[];
  readonly currency: string;
  readonly segments: number;
  /** Of a message with further steps: what each of them counts as. */
  readonly steps: readonly Counted[];
  /** Which of them counts. */
  readonly failover: Failover | undefined;
  /** Micro-units: what the wallet holds for the message, and what became of that. */
  readonly price: bigint;
  readonly hold: HoldStatus;
  /** Sent too late, and on the house: it costs nothing from then on, whatever else comes. */
  readonly isWrittenOff: boolean;
  readonly status: MessageStatus;
  /** That of the last acceptance, of the step that counts once no further one begins; "" as long as no provider took the message. */
  readonly gateway: string;
  /** When the message could be sent: accepted or, of a scheduled one, due. By the log's clock, epoch milliseconds, as the other times. */
  readonly readyAt: number;
  readonly acceptedToSentMs: number | undefined;
  readonly sentAt: number | undefined;
  readonly sentToDeliveredMs: number | undefined;
};

/** What differs between the steps of a message. */
type Counted = Pick<Life, "channel" | "country" | "segments">;
const countedAs = (step: {
  readonly channel: string;
  readonly price: { readonly country: string };
  readonly segments: { readonly count: number };
}): Counted => ({
  channel: step.channel,
  country: step.price.country,
  segments: step.segments.count,
});

/** Gives the names that a request's template and tags are counted under. */
export type Naming = (
  partner: string,
  hour: number,
  names: { readonly template: string; readonly tags: readonly string[] },
) => { readonly template: string; readonly tags: readonly string[] };

export const hourOf = (time: string): number => Math.floor(Date.parse(time) / hourMs);

/** By the log's clock; in a sandbox whose clock was set forward, by that one. Epoch milliseconds. */
const happenedAt = ({ metadata, recordedAt }: MessageEvent): number =>
  metadata.at === undefined ? recordedAt : Date.parse(metadata.at);

const noSteps: readonly Counted[] = [];

function begin(event: RecordedEvent<"MessageRequested">, naming: Naming): Life {
  const { data, metadata } = event;
  const { partner } = metadata;
  const price = parseMoney(data.hold ?? data.cost);
  const hour = hourOf(data.created_at);
  if (partner === undefined || price === undefined || !Number.isSafeInteger(hour))
    throw new Error(`${event.type} at ${event.position} cannot be counted`);
  return {
    partner,
    hour,
    ...countedAs(data),
    ...naming(partner, hour, namesOf(data)),
    currency: data.currency,
    failover: beginFailover(data),
    steps: data.failover === undefined ? noSteps : [data, ...data.failover].map(countedAs),
    price,
    hold: "held",
    isWrittenOff: false,
    status: data.send_at === undefined ? "queued" : "scheduled",
    gateway: "",
    readyAt: happenedAt(event),
    acceptedToSentMs: undefined,
    sentAt: undefined,
    sentToDeliveredMs: undefined,
  };
}

/** PostgreSQL keeps neither NUL nor half a surrogate pair: such a tag is counted with the character that stands for what cannot be shown. */
const storable = (name: string): string => name.replaceAll("\u0000", "\ufffd").toWellFormed();

export const namesOf = ({ content, tags = [] }: EventData<"MessageRequested">) => ({
  template: content.template?.slug ?? "",
  tags: tags.map(storable),
});

/** The life after an event; undefined before the request. */
export function evolveLife(
  life: Life | undefined,
  event: LifeEvent,
  naming: Naming,
): Life | undefined {
  if (event.type === "MessageRequested") return life ?? begin(event, naming);
  if (life === undefined) return undefined;
  if (event.type === "FundsWrittenOff") return { ...life, isWrittenOff: true };
  const next: { -readonly [Key in keyof Life]: Life[Key] } = {
    ...life,
    ...fundsAfter(life, event),
  };
  if (event.type in statusOf)
    next.status = joinStatus(life.status, statusOf[event.type as keyof typeof statusOf]);
  switch (event.type) {
    case "MessageQueued":
      next.readyAt = happenedAt(event);
      break;
    case "MessageSent":
    case "MessageResent":
      next.gateway = event.data.gateway;
      next.sentAt = happenedAt(event);
      next.acceptedToSentMs ??= Math.max(0, happenedAt(event) - life.readyAt);
      break;
    case "MessageDelivered":
    case "MessageRead":
      // That of a message of which nobody knew whether it was taken is told by its receipt.
      next.gateway ||= event.data.gateway;
      if (life.sentAt !== undefined)
        next.sentToDeliveredMs ??= Math.max(0, happenedAt(event) - life.sentAt);
      break;
    case "MessageCorrected": {
      const { status } = event.data;
      next.status = status;
      // A time to a delivery that was none is no time; one that is told so late neither.
      if (status !== "delivered" && status !== "read") next.sentToDeliveredMs = undefined;
      break;
    }
    default:
  }
  return next.failover === undefined ? next : { ...next, ...stepAfter(next, next.failover, event) };
}

/** What of a message with further steps counts, by the rules that its own view goes by: the step that is under way, or the one on which it ended, and who took that. */
function stepAfter(life: Life, before: Failover, event: MessageEvent): Partial<Life> {
  const failover = evolveFailover(before, event);
  const { step, over, steps } = failover;
  const taken = over ? steps[step]!.taken.at(-1) : undefined;
  const { gateway } = taken ?? life;
  return { failover, ...life.steps[step], gateway };
}

/** The wallet's own rules, so that usage and ledger cannot disagree. */
function fundsAfter({ hold, price }: Life, event: MessageEvent): Pick<Life, "hold" | "price"> {
  const cause = walletCause(event);
  if (cause?.kind === "keep") return kept({ hold, price }, cause.amount);
  if (cause?.kind !== "capture" && cause?.kind !== "return") return { hold, price };
  const settled = settlement(hold, cause.kind, cause.kind === "return" && cause.corrects);
  const isCharged =
    cause.kind === "capture" &&
    (settled !== undefined || (hold === "captured" && cause.anew === true));
  return {
    hold: settled === undefined ? hold : statusAfter[settled],
    price: isCharged ? parseMoney(cause.amount!)! : price,
  };
}

/** A message that came to nothing and costs something nevertheless; never more than it was charged already. */
function kept(before: Pick<Life, "hold" | "price">, amount: string): Pick<Life, "hold" | "price"> {
  const settled = settlement(before.hold, "keep");
  if (settled === undefined) return before;
  const price = parseMoney(amount)!;
  return { hold: statusAfter.FundsKept, price: price < before.price ? price : before.price };
}
