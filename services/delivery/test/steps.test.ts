import { newId, uuid5, type EventType, type FailoverTrigger } from "@heliograph/contracts";
import {
  afterStep,
  chargeOf,
  costOf,
  decideWallet,
  emptyWallet,
  evolveMessage,
  evolveWallet,
  formatTime,
  messageContext,
  type FoldableEvent,
  type Hold,
  type MessageState,
  noteHolds,
  receiptWait,
  requestOfStep,
  startProof,
  validityMs,
  type Wallet,
  walletCause,
} from "@heliograph/domain";
import { loosely } from "@heliograph/testkit";
import fc from "fast-check";
import { expect, it } from "vitest";
import { decideReceipts, decideRefunded } from "../src/decide.ts";
import { failure, requestOf } from "./facts.ts";

const id = newId("msg");
const wallet0: Wallet = { ...emptyWallet, currency: "USD", available: 100_000_000n };
const triggers = ["failed", "expired", "no_receipt"] as const;
const channels = ["whatsapp", "email", "telegram", "push"] as const;

type Order = readonly { readonly on: readonly FailoverTrigger[]; readonly cost: string }[];

/** A message whose first step costs 0.5, with these further ones. */
function requestWith(order: Order) {
  const base = requestOf(id, { cost: "0.5" });
  const { content, price, segments } = base;
  const failover = order.map(({ on, cost }, index) => ({
    channel: channels[index]!,
    to: `to-${index}`,
    content,
    on: [...on],
    after_seconds: 10,
    cost,
    price,
    segments,
  }));
  const hold = [base.cost, ...order.map(({ cost }) => cost)].toSorted((a, b) => +b - +a)[0]!;
  return { ...base, failover, hold };
}

/** One message with everyone who decides about it: delivery's rules as they are, the wallet's too, and dispatch as an order of what its rules allow. */
class Life {
  readonly events: FoldableEvent[] = [];
  state!: MessageState;
  wallet = wallet0;
  readonly holds = new Map<string, Hold>();
  readonly walletTypes: string[] = [];
  readonly #proof = startProof();
  #position = 0n;

  constructor(order: Order) {
    this.#book("FundsToppedUp", {
      covers: "0",
      available: "100",
      held: "0",
      currency: "USD",
      entries: [{ transaction_id: newId("wtx"), amount: "100" }],
    });
    this.append("MessageRequested", requestWith(order));
  }

  append(type: string, data: object): void {
    const at = Number(this.#position);
    const event: FoldableEvent = loosely({
      id: uuid5(id, type, String(at)),
      type,
      data,
      metadata: { partner: "ptn_1" },
      position: ++this.#position,
      revision: this.events.length,
      recordedAt: at,
    });
    this.events.push(event);
    this.state = evolveMessage(this.state, event)!;
    const cause = walletCause(event);
    if (cause === undefined) return;
    for (const told of decideWallet(this.wallet, this.holds, [cause]).events)
      this.#book(told.type, told.data);
  }

  #book(type: string, data: object): void {
    const event: FoldableEvent = loosely({
      id: newId("evt"),
      type,
      data,
      metadata: {},
      position: this.#position,
      recordedAt: 0,
      revision: this.wallet.revision + 1,
    });
    this.walletTypes.push(type);
    this.wallet = evolveWallet(this.wallet, loosely(event));
    noteHolds(this.holds, event);
    this.#proof.add(loosely(event));
    if (!["FundsReleased", "FundsRefunded", "FundsKept"].includes(type)) return;
    const [entry] = (data as { entries: { amount: string }[] }).entries;
    const fact = decideRefunded(this.state, loosely(event), entry!.amount);
    if (fact !== undefined) this.append(fact.type, fact.data);
  }

  get proof() {
    return this.#proof.result();
  }
  /** What dispatch may do with the step that is under way: it is done with everything that has ended. */
  get isOpen(): boolean {
    const ends: readonly EventType[] = ["MessageDelivered", "DispatchExhausted", "DeliveryFailed"];
    return !this.events.some(({ type }) => ends.includes(type)) && !this.#isLeft;
  }
  /** It fell back on an earlier step. */
  get #isLeft(): boolean {
    return this.events.some(({ type }) => type === "MessageSettled");
  }
  get current() {
    return this.state.failover!.steps[this.state.failover!.step]!;
  }

  accepted(step = this.state.failover!.step): void {
    const { failover, attempts } = this.state;
    const request = requestOfStep(failover!.origin, step);
    const waits = receiptWait({ ...failover!, step }, Date.parse(request.expires_at), 0);
    const attempt = attempts + 1;
    this.append("MessageSent", {
      message_id: id,
      message: messageContext(request),
      attempt,
      attempt_id: newId("atp"),
      gateway: `g-${step}`,
      gateway_kind: "simulator",
      choice: { reason: "x" },
      step,
      provider: { name: `g-${step}`, message_id: `p-${step}`, status: "accepted" },
      cost: request.cost,
      currency: "USD",
      ...(waits !== undefined && { settles: false }),
    });
  }

  ends(what: FailoverTrigger): void {
    const { failover, request, attempts } = this.state;
    const after = afterStep(failover!, what);
    const message = messageContext(request);
    if (after.type === "end")
      return this.append("DispatchExhausted", {
        message_id: id,
        message,
        attempts: Math.max(1, attempts),
        error: failure,
        cost: request.cost,
        currency: "USD",
        reason: "x",
        ...chargeOf(this.state),
      });
    if (what === "failed")
      this.append("FailoverStepFailed", {
        message_id: id,
        message,
        step: failover!.step,
        error: failure,
        reason: "x",
      });
    if (after.type === "fall_back") return this.settle(after.step);
    this.append("FailoverStarted", {
      message_id: id,
      message,
      step: after.step,
      trigger: what,
      reason: "x",
      expires_at: formatTime(validityMs(failover!.origin)),
    });
  }

  settle(step: number): void {
    const request = requestOfStep(this.state.failover!.origin, step);
    this.append("MessageSettled", {
      message_id: id,
      message: messageContext(request),
      step,
      reason: "x",
      cost: request.cost,
      currency: "USD",
    });
  }

  receipts(...told: readonly (readonly [step: number, status: string])[]): void {
    const known = told.filter(([step]) => this.state.failover!.steps[step]!.taken.length > 0);
    const receipts = known.map(([step, status], index) => ({
      id: uuid5(id, String(this.#position), String(index)),
      metadata: {},
      data: {
        message_id: id,
        gateway: `g-${step}`,
        provider_message_id: `p-${step}`,
        ...(status === "filtered"
          ? { status: "undelivered", error: { ...failure, billable: true } }
          : { status }),
        provider_event_id: `${step}-${status}`,
        occurred_at: "2026-05-23T15:00:00.000Z",
      },
    }));
    const { facts } = decideReceipts(this.state, loosely(receipts));
    for (const { type, data } of facts) this.append(type, data);
  }
}

const order = fc.array(
  fc.record({
    on: fc.uniqueArray(fc.constantFrom(...triggers), { minLength: 1, maxLength: 3 }),
    cost: fc.constantFrom("0.1", "0.5", "0.9"),
  }),
  { minLength: 1, maxLength: 4 },
);
const receipt = fc.tuple(
  fc.nat(3),
  fc.constantFrom("delivered", "undelivered", "filtered", "read", "deferred", "bounced"),
);
const happening = fc.oneof(
  { weight: 3, arbitrary: fc.constant("accepted") },
  { weight: 2, arbitrary: fc.constantFrom("failed", "expired", "unheard", "overtaken") },
  { weight: 3, arbitrary: fc.array(receipt, { minLength: 1, maxLength: 3 }) },
);

function happen(life: Life, what: string | readonly (readonly [number, string])[]): void {
  const { failover, request } = life.state;
  if (typeof what !== "string")
    return life.receipts(...what.filter(([step]) => step < failover!.steps.length));
  if (what === "overtaken") {
    // Its call was made, and before it is recorded an earlier step is known to be delivered.
    if (!life.isOpen || life.current.status !== "under_way" || failover!.step === 0) return;
    const called = failover!.step;
    life.receipts([called - 1, "delivered"]);
    return life.accepted(called);
  }
  if (!life.isOpen) return;
  if (what === "unheard") {
    if (life.current.status !== "sent") return;
    const wait = receiptWait(failover!, Date.parse(request.expires_at), 0);
    if (wait?.outcome === "no_receipt") life.ends("no_receipt");
    else if (wait?.outcome === "settle") life.settle(failover!.step);
    return;
  }
  if (life.current.status !== "under_way") return;
  if (what === "accepted") life.accepted();
  else life.ends(what as FailoverTrigger);
}

function holdsNow(life: Life): void {
  const { events, state, holds, proof } = life;
  const types = events.map(({ type }) => type);
  const delivered = types.indexOf("MessageDelivered");
  const begun = events.flatMap((event) =>
    event.type === "FailoverStarted" ? [event.data.step] : [],
  );
  expect(begun).toEqual(begun.map((_, index) => index + 1));
  const lost = events.flatMap((event) =>
    event.type === "FailoverStepFailed" ? [event.data.step] : [],
  );
  expect(new Set(lost).size).toBe(lost.length);
  if (delivered >= 0) expect(types.lastIndexOf("FailoverStarted")).toBeLessThan(delivered);
  expect(proof).toMatchObject({ matches: true });
  expect(life.walletTypes.filter((type) => type === "FundsCaptured").length).toBeLessThan(2);
  const { status, amount } = holds.get(id)!;
  expect(state.charged).toBe(status === "captured");
  if (state.charged) expect(amount).toBe(state.request.cost);
  if (status === "kept") expect(costOf(state)).toBe(amount);
  if (state.status === "failed" && state.charge !== undefined) expect(status).toBe("kept");
  else if (state.status === "failed") expect(["released", "refunded"]).toContain(status);
  if (state.status === "bounced" && state.failing === undefined) expect(status).toBe("captured");
  if (delivered >= 0 && !types.includes("MessageFailed") && state.failing === undefined)
    expect(status).toBe("captured");
}

it("In any order of answers, receipts and times: each step begins once, none after delivery was known, and one step is charged, also where it bounced", () => {
  fc.assert(
    fc.property(order, fc.array(happening, { maxLength: 14 }), (steps, happenings) => {
      const life = new Life(steps);
      for (const what of happenings) {
        happen(life, what);
        holdsNow(life);
      }
    }),
    {
      examples: [
        // The one that counts bounces when it had been delivered, and then another is heard of as read.
        [
          [
            { on: ["failed"], cost: "0.1" },
            { on: ["failed"], cost: "0.9" },
          ],
          [
            "accepted",
            [[0, "undelivered"]],
            "accepted",
            [[1, "undelivered"]],
            "accepted",
            [[2, "delivered"]],
            [[2, "bounced"]],
            [[0, "read"]],
          ],
        ],
        // An e-mail comes back while it waits for a receipt, after which alone the next step would begin.
        [
          [
            { on: ["no_receipt"], cost: "0.1" },
            { on: ["no_receipt"], cost: "0.1" },
            { on: ["no_receipt"], cost: "0.9" },
          ],
          [
            "accepted",
            "unheard",
            "accepted",
            [[0, "undelivered"]],
            "unheard",
            "accepted",
            [[1, "undelivered"]],
            [[2, "bounced"]],
          ],
        ],
        // A provider charges for the dearer of two, which is heard of when the cheaper one is charged already, and lost too.
        [
          [{ on: ["no_receipt"], cost: "0.1" }],
          ["accepted", "unheard", "accepted", [[0, "filtered"]], [[1, "undelivered"]]],
        ],
        // Two steps are heard of at once, and the later one as read.
        [
          [{ on: ["no_receipt"], cost: "0.1" }],
          [
            "accepted",
            "unheard",
            "accepted",
            [
              [1, "read"],
              [0, "delivered"],
            ],
          ],
        ],
      ],
      numRuns: Number(process.env["STEPS_RUNS"] ?? 1_000),
    },
  );
});
