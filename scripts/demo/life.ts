import { isCharged, type Case, type Expected } from "./cases.ts";

export type FeedEvent = {
  readonly id: string;
  readonly type: string;
  readonly sequence: number;
  readonly timestamp: string;
  readonly data: { readonly message_id?: string };
};

/** What is known of one message so far. */
export type Life = {
  readonly case: Case;
  readonly id: string;
  readonly sentAtMs: number;
  /** Log events that were shown, by event id, and their types. */
  readonly shown: Set<string>;
  readonly types: Set<string>;
  /** Events of the feed by their id. */
  readonly feed: Map<string, FeedEvent>;
  endedAtMs: number | undefined;
};

export const newLife = (ofCase: Case, id: string, sentAtMs: number): Life => ({
  case: ofCase,
  id,
  sentAtMs,
  shown: new Set(),
  types: new Set(),
  feed: new Map(),
  endedAtMs: undefined,
});

/** The public event that ends a life as expected. */
const lastType: Readonly<Record<Exclude<Expected, "refused">, string>> = {
  sent: "message.sent",
  delivered: "message.delivered",
  read: "message.read",
  failed: "message.failed",
  bounced: "message.bounced",
  expired: "message.expired",
};

/** Whether everything was seen that must come: the last public event, the wallet's part and, where they can arrive, all its webhooks. */
export function isSettled(life: Life, verified: ReadonlyMap<string, number> | undefined): boolean {
  const { expected } = life.case;
  if (expected === "refused") return true;
  const events = [...life.feed.values()];
  const money = isCharged(expected)
    ? life.types.has("FundsCaptured")
    : life.types.has("FundsReleased") || life.types.has("FundsRefunded");
  return (
    money &&
    events.some((event) => event.type === lastType[expected]) &&
    (verified === undefined || events.every((event) => verified.has(event.id)))
  );
}
