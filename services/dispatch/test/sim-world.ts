import { streamOf, uuid5, validateEvent } from "@heliograph/contracts";
import { messageContext, quietUntil } from "@heliograph/domain";
import type { GatewayConfig, SendResult } from "@heliograph/gateways";
import { openMemoryLog, type Append, type RecordedEvent } from "@heliograph/log";
import type { Verdict } from "../src/clearance.ts";
import type { Connection } from "../src/connections.ts";
import type { Called } from "../src/job.ts";
import type { State } from "../src/state.ts";
import { history, send, type Order } from "./harness.ts";
import { Tables } from "./sim-tables.ts";

const EPOCH = 1_767_225_600_000;
/** Half of the first wait of the ordinary schedule: no back-off is shorter. */
/** What a provider that takes nothing names, ms. */
const retryAfters = [undefined, 500, 5_000, 600_000] as const;
const SHORTEST_BACKOFF_MS = 1_000;

/** Draws from [0, 1), the same for the same seed (mulberry32). */
export function drawsOf(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let bits = Math.imul(state ^ (state >>> 15), state | 1);
    bits ^= bits + Math.imul(bits ^ (bits >>> 7), bits | 61);
    return ((bits ^ (bits >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** `billed`: the provider charges for it nevertheless. */
export const failure = (permanent: boolean, billed = false) => ({
  code: "provider_error",
  class: "provider" as const,
  permanent,
  ...(billed && { billable: true as const }),
});

/** Reads something on behalf of a process, in its time. */
export type Look = <Result>(act: () => Promise<Result>) => Promise<Result>;
/** How a process learns whether a message may go. */
export type Clearing = { clear(state: State): Promise<Verdict>; close(): void };

/** What is there whatever happens to a dispatcher: the log, the tables, the providers and those who write to the log too. It knows what may not happen, and keeps what did. */
export class World {
  readonly log = openMemoryLog({ validate: validateEvent });
  readonly tables = new Tables();
  readonly draw: () => number;
  readonly configured: readonly Partial<GatewayConfig>[];
  now = EPOCH;
  /** The latest time that any clock has shown. */
  latest = EPOCH;
  /** Whether clocks are set: then nobody can say how long a wait was that the log gives no time for. */
  clocksMove = false;
  /** Whether things go wrong by themselves. */
  wild = true;
  /** Without it all may go, but for what waits. */
  opensClearing?: (look: Look) => Clearing;
  /** Calls that reached a provider, by attempt. */
  readonly calls = new Map<string, number>();
  readonly faults: string[] = [];
  /** Messages for which somebody who looked for evidence found a receipt. */
  readonly proven = new Set<string>();
  /** Attempts that a provider has, with whose they are. */
  readonly taken = new Map<string, { readonly messageId: string; readonly gateway: string }>();
  readonly #inFlight = new Map<Connection, number>();
  /** Since when a gateway, or a recipient at it, is known to take no more for now. */
  readonly #restsSince = new Map<string, number>();
  /** By message and attempt: who took over may have made the next one, which came back too. */
  readonly #bouncedAt = new Map<string, number>();

  constructor(seed: number, configured: readonly Partial<GatewayConfig>[]) {
    this.draw = drawsOf(seed);
    this.configured = configured;
  }

  oneOf<Item>(items: readonly Item[]): Item {
    return items[Math.floor(this.draw() * items.length)]!;
  }
  goesWrong(share: number): boolean {
    return this.wild && this.draw() < share;
  }

  /** A dispatcher whose clock says `now` is about to make a call. */
  begins({ messageId, task: { state }, given: { connection } }: Called, now: number): void {
    const { request, phase, sent, retryAt } = state;
    const about = (what: string): void => void this.faults.push(`${messageId} ${what}`);
    const inFlight = (this.#inFlight.get(connection) ?? 0) + 1;
    this.#inFlight.set(connection, inFlight);
    if (inFlight > connection.config.max_concurrent)
      about(`is one call too many for ${connection.name}`);
    const until = connection.rest.until(now, request.to);
    if (until !== undefined) {
      // In the moment in which that is heard of, calls that were decided on in the same moment begin.
      const rest = `${connection.name} ${until}`;
      const since = this.#restsSince.get(rest) ?? now;
      this.#restsSince.set(rest, since);
      if (since < now) about(`goes to ${connection.name}, which takes no more for now`);
    }
    if (!sent && Date.parse(request.expires_at) <= now) about("is sent after its validity");
    const { quiet_hours: quiet } = request;
    // A clock that is set in between may show them all of a sudden.
    if (quiet !== undefined && !this.clocksMove && quietUntil(quiet, now) !== undefined)
      about(`is sent in its quiet hours, ${quiet.from} to ${quiet.to}`);
    if (request.send_at !== undefined && this.latest < Date.parse(request.send_at))
      about("is sent early");
    if (phase === "failing" && this.latest < retryAt) about("is tried again early");
    const bouncedAt = this.#bouncedAt.get(`${messageId} ${state.attempt}`) ?? 0;
    if (phase === "bounced" && !this.clocksMove && this.latest < bouncedAt + SHORTEST_BACKOFF_MS)
      about("is sent again early");
  }
  ended({ given: { connection } }: Called): void {
    this.#inFlight.set(connection, this.#inFlight.get(connection)! - 1);
  }

  async call({ task, given }: Called): Promise<SendResult> {
    const { attemptId } = given.sending;
    if (this.goesWrong(0.1)) return this.#takesNothing();
    const before = this.calls.get(attemptId) ?? 0;
    const doubts = (await history(this.log, task.messageId)).filter(
      ({ type, data }) =>
        type === "DispatchUncertain" && (data as { attempt_id: string }).attempt_id === attemptId,
    );
    if (before > doubts.length) this.faults.push(`${attemptId} is sent twice without a doubt`);
    if (before > 0 && given.connection.config.on_uncertain === "at_most_once")
      this.faults.push(`${attemptId} is sent twice where it may be once at most`);
    this.calls.set(attemptId, before + 1);
    const draw = this.wild ? this.draw() : 1;
    if (draw < 0.2)
      return { type: "rejected", error: failure(draw < 0.05, draw < 0.02 || draw > 0.16) };
    if (draw >= 0.3 || this.draw() < 0.5) {
      const { messageId } = task;
      this.taken.set(attemptId, { messageId, gateway: given.connection.name });
    }
    if (draw < 0.3) return { type: "uncertain", cause: "timeout" };
    return accepted(attemptId);
  }
  /** It cannot be reached, or takes no more for now, of whomever. */
  #takesNothing(): SendResult {
    const error = failure(false);
    const throttles = this.oneOf([undefined, "gateway", "recipient", "unknown"] as const);
    const retryAfterMs = this.oneOf(retryAfters);
    return {
      type: "unavailable",
      error,
      ...(throttles !== undefined && { throttles }),
      ...(retryAfterMs !== undefined && { retryAfterMs }),
    };
  }
  lookUp(attemptId: string): SendResult | "unknown" | undefined {
    if (this.goesWrong(0.2)) return undefined;
    if (this.taken.has(attemptId)) return accepted(attemptId);
    // It may also say that it took the call and would not have the message.
    return this.goesWrong(0.2) ? { type: "rejected", error: failure(false) } : "unknown";
  }

  accept(orders: readonly Order[], partner: string): Promise<readonly string[]> {
    return send(this.log, orders, partner);
  }
  /** Others write to a message's streams: its provider, and its sender. */
  async meddle(
    messageId: string,
    type: "BounceDeferred" | "MessageCanceled" | "ReceiptReceived",
  ): Promise<void> {
    const events = await history(this.log, messageId);
    const append =
      type === "BounceDeferred"
        ? this.#bounce(messageId, events)
        : type === "MessageCanceled"
          ? this.#cancel(messageId, events)
          : this.#receipt(messageId, events);
    if (append === undefined) return;
    const [outcome] = await this.log.append([append]);
    if (outcome!.kind === "invalid") throw new Error(outcome!.message);
  }
  #bounce(messageId: string, events: readonly RecordedEvent[]): Append | undefined {
    const sent = events.findLast(
      ({ type }) => type === "MessageSent" || type === "MessageResent",
    ) as RecordedEvent<"MessageSent"> | undefined;
    if (sent === undefined) return undefined;
    const { attempt } = sent.data;
    // A second bounce of the same attempt changes nothing.
    if (sent === events.at(-1)) this.#bouncedAt.set(`${messageId} ${attempt}`, this.latest);
    const data = { message_id: messageId, attempt, error: failure(false) };
    return eventOf("BounceDeferred", messageId, data, events);
  }
  #cancel(messageId: string, events: readonly RecordedEvent[]): Append | undefined {
    const { data: request } = events[0] as RecordedEvent<"MessageRequested">;
    if (events.length > 1 || request.send_at === undefined) return undefined;
    const { cost, currency } = request;
    const data = { message_id: messageId, message: messageContext(request), cost, currency };
    return eventOf("MessageCanceled", messageId, data, events);
  }
  /** The provider reports what it took although nobody knows of it. */
  #receipt(messageId: string, events: readonly RecordedEvent[]): Append | undefined {
    const last = events.at(-1);
    if (last?.type !== "DispatchUncertain" || !this.taken.has(last.data.attempt_id))
      return undefined;
    const { attempt_id: attemptId, gateway } = last.data;
    const data = {
      message_id: messageId,
      gateway,
      provider_message_id: `p-${attemptId}`,
      provider_event_id: attemptId,
      status: "delivered",
      occurred_at: new Date(this.now).toISOString(),
    };
    const id = uuid5(attemptId, "ReceiptReceived");
    const stream = streamOf("receipts", messageId);
    const { metadata } = events[0]!;
    return { stream, expected: "any", events: [{ id, type: "ReceiptReceived", data, metadata }] };
  }
}

const accepted = (attemptId: string): SendResult => ({
  type: "accepted",
  providerMessageId: `p-${attemptId}`,
  status: "accepted",
});

const eventOf = (
  type: string,
  messageId: string,
  data: object,
  events: readonly RecordedEvent[],
): Append => ({
  stream: streamOf("message", messageId),
  expected: events.length - 1,
  events: [
    {
      id: uuid5(messageId, type, String(events.length)),
      type,
      data,
      metadata: events[0]!.metadata,
    },
  ],
});
