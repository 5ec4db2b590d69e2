import {
  newId,
  streamOf,
  uuid7,
  type EventData,
  type EventType,
  type Failure,
} from "@heliograph/contracts";
import type { EventLog, NewEvent } from "@heliograph/log";
import fc from "fast-check";
import { openTestWallets } from "./wallets.ts";

export const begin = Date.parse("2026-10-31T20:00:00.000Z");
const hour = 3_600_000;
const error: Failure = { code: "recipient_unreachable", class: "recipient", permanent: true };

/** What becomes of a message after it was accepted, as services append it. */
const endings = [
  [],
  ["MessageSent"],
  ["MessageSent", "MessageDelivered"],
  ["MessageSent", "MessageDelivered", "MessageRead"],
  ["MessageSent", "MessageRead"],
  ["MessageSent", "MessageDelivered", "MessageBounced"],
  ["MessageSent", "MessageBounced"],
  ["MessageSent", "BounceDeferred", "MessageResent", "MessageDelivered"],
  ["MessageSent", "DeliveryFailed", "MessageFailed"],
  ["MessageSent", "DeliveryFailed"],
  ["MessageSent", "DeliveryFailed", "MessageDelivered"],
  ["MessageSent", "MessageDelivered", "MessageRead", "MessageCorrected", "MessageFailed"],
  ["MessageSent", "MessageCorrected"],
  ["HoldLapsed", "MessageSent", "MessageBounced", "MessageCorrected", "MessageFailed"],
  ["DispatchAttemptFailed", "MessageSent", "MessageDelivered"],
  ["DispatchExhausted", "MessageFailed"],
  ["DispatchExhausted", "MessageDelivered"],
  ["HoldLapsed"],
  ["HoldLapsed", "MessageSent", "MessageDelivered"],
  ["HoldLapsed", "MessageSent", "MessageDelivered", "MessageRead"],
  ["HoldLapsed", "MessageSent", "DeliveryFailed", "MessageFailed"],
  ["HoldLapsed", "DispatchExhausted", "MessageFailed"],
  ["MessageSent", "HoldLapsed", "DeliveryFailed"],
  ["MessageRejected"],
  ["MessageExpired"],
  ["MessageCanceled"],
] as const satisfies readonly (readonly EventType[])[];

/** Gaps between the events of a message: all of a second, a minute, or a day. */
const gap = fc.integer({ min: 0, max: 90_000_000 });
export type Life = {
  readonly asked: Partial<Asked>;
  readonly types: readonly EventType[];
  readonly gaps: readonly number[];
  readonly gateways: readonly string[];
  /** What is charged late finds nothing left to charge. */
  readonly isPoor?: boolean;
};

export const life = (names: readonly string[] = ["a", "b", "=c", "\u0000"]): fc.Arbitrary<Life> =>
  fc
    .record({
      channel: fc.constantFrom("sms", "email", "whatsapp"),
      country: fc.constantFrom("US", "GB", ""),
      template: fc.option(fc.constantFrom("welcome", "receipt"), { nil: undefined }),
      tags: fc.option(fc.array(fc.constantFrom(...names), { maxLength: 3 }), { nil: undefined }),
      micros: fc.integer({ min: 0, max: 20_000 }),
      segments: fc.integer({ min: 1, max: 4 }),
      currency: fc.constantFrom("USD", "USD", "EUR"),
      createdAt: fc.integer({ min: 0, max: 60 * hour }),
      scheduled: fc.boolean(),
      ending: fc.constantFrom(...endings),
      isPoor: fc.boolean(),
      isBilled: fc.boolean(),
      gaps: fc.array(gap, { minLength: 7, maxLength: 7 }),
      gateways: fc.array(fc.constantFrom("sim-1", "sim-2"), { minLength: 2, maxLength: 2 }),
    })
    .map(({ ending, scheduled, gaps, gateways, isPoor, isBilled, ...rest }): Life => {
      const waits =
        scheduled && ending[0] !== "MessageCanceled" ? (["MessageQueued"] as const) : [];
      return {
        asked: { ...rest, scheduled, isBilled },
        types: [...waits, ...ending],
        gaps,
        gateways,
        isPoor,
      };
    });

type Asked = {
  readonly channel: "sms" | "email" | "whatsapp";
  readonly country: string;
  readonly template?: string | undefined;
  readonly tags?: readonly string[] | undefined;
  readonly micros: number;
  readonly segments: number;
  readonly currency: string;
  /** After `begin`. */
  readonly createdAt: number;
  readonly scheduled: boolean;
  /** A provider charges for it although it came to nothing. */
  readonly isBilled: boolean;
};

function requestOf(id: string, asked: Partial<Asked> = {}): EventData<"MessageRequested"> {
  const {
    channel = "sms",
    country = "US",
    template,
    tags,
    micros = 7_900,
    segments = 1,
    currency = "USD",
    createdAt = 0,
    scheduled = false,
  } = asked;
  return {
    message_id: id,
    channel,
    to: "+15551234567",
    content: {
      text: "Hi",
      ...(template !== undefined && {
        template: { id: newId("tpl"), slug: template, version: 1, language: "en", variables: {} },
      }),
    },
    category: "transactional",
    priority: 1,
    expires_at: "2027-05-24T14:22:17.000Z",
    ...(scheduled && { send_at: new Date(begin + createdAt + hour).toISOString() }),
    ...(tags !== undefined && { tags: [...tags] }),
    cost: (micros / 1_000_000).toFixed(6),
    currency,
    price: { list: "standard", version: 1, country, per_segment: "0.0079" },
    segments: { count: segments, encoding: "GSM-7", characters: 2 },
    created_at: new Date(begin + createdAt).toISOString(),
  };
}

/** The events of a life, the request first. */
export function eventsOf(
  { asked, types, gaps, gateways }: Life,
  id: string,
  partner: string,
): readonly NewEvent[] {
  const request = requestOf(id, asked);
  let at = Date.parse(request.created_at);
  const message = { channel: request.channel, to: request.to };
  const common = { message_id: id, message };
  const charge = { cost: request.cost, currency: request.currency };
  const billed = asked.isBilled ? { charge: request.cost } : {};
  const accepted = (gateway: string) => ({
    ...common,
    ...charge,
    attempt: 1,
    attempt_id: newId("atp"),
    gateway,
    gateway_kind: "simulator",
    choice: { reason: "only one" },
    provider: { name: "simulator", message_id: "p-1", status: "accepted" },
  });
  const delivered = {
    ...common,
    gateway: gateways[0],
    provider_message_id: "p-1",
    at: request.created_at,
  };
  const data: Partial<Record<EventType, object>> = {
    MessageQueued: { ...common, reason: "due" },
    DispatchAttemptFailed: {
      message_id: id,
      attempt: 1,
      attempt_id: newId("atp"),
      gateway: "sim-9",
      choice: { reason: "only one" },
      error,
      next: "retry",
      reason: "try again",
    },
    MessageSent: accepted(gateways[0]!),
    MessageResent: accepted(gateways[1]!),
    MessageDelivered: delivered,
    MessageRead: delivered,
    MessageBounced: { ...common, error, diagnostic: "550 no such user" },
    BounceDeferred: { message_id: id, attempt: 1, error },
    DeliveryFailed: { ...common, ...charge, ...billed, attempts: 1, error },
    DispatchExhausted: {
      ...common,
      ...charge,
      ...billed,
      attempts: 3,
      error,
      reason: "no attempts left",
    },
    MessageFailed: {
      ...common,
      error,
      retry_count: 0,
      refund: { amount: request.cost, currency: request.currency, transaction_id: newId("wtx") },
    },
    MessageCorrected: {
      ...common,
      status: "failed",
      before: { status: "delivered" },
      reason: "read again",
      gateway: gateways[0],
      provider_message_id: "p-1",
      at: request.created_at,
      error,
      refunds: true,
      cost: "0",
      currency: request.currency,
    },
    MessageRejected: { ...common, error },
    MessageExpired: {
      ...common,
      ...charge,
      ...billed,
      attempts: 0,
      expires_at: request.expires_at,
    },
    MessageCanceled: { ...common, ...charge },
    HoldLapsed: { message_id: id, currency: request.currency },
  };
  const event = (type: EventType, body: object): NewEvent => ({
    id: uuid7(),
    type,
    data: body,
    metadata: { partner, actor: "test", at: new Date(at).toISOString() },
  });
  return [
    event("MessageRequested", request),
    ...types.map((type, index) => {
      at += gaps[index]!;
      return event(type, data[type]!);
    }),
  ];
}

/** Appends lives so that their events mix as `picks` say, each life's in its own order, and what the wallet decides of each right behind it. */
export async function append(
  log: EventLog,
  lives: readonly Life[],
  partner: string,
  picks: readonly number[] = [0],
): Promise<void> {
  const open = lives.map((each) => {
    const id = newId("msg");
    return { id, life: each, events: [...eventsOf(each, id, partner)], revision: -1 };
  });
  const poor = new Set(open.filter(({ life: { isPoor } }) => isPoor).map(({ id }) => id));
  const wallets = openTestWallets(log, partner, poor);
  for (let step = 0; open.length > 0; step++) {
    const index = picks[step % picks.length]! % open.length;
    const one = open[index]!;
    const event = one.events.shift()!;
    const isOwn = event.type !== "HoldLapsed";
    const [outcome] = await log.append([
      {
        stream: streamOf(isOwn ? "message" : "hold", one.id),
        expected: one.revision < 0 || !isOwn ? "no_stream" : one.revision,
        events: [event],
      },
    ]);
    if (outcome?.kind !== "appended") throw new Error(JSON.stringify(outcome));
    await wallets.settle();
    if (isOwn) one.revision++;
    if (one.events.length === 0) open.splice(index, 1);
  }
}
