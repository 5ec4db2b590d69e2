import { loosely } from "@heliograph/testkit";
import { deterministicId, newId, type EventData, type EventType } from "@heliograph/contracts";
import {
  evolveMessage,
  joinStatus,
  messageView,
  type FoldableEvent,
  type MessageState,
  type MessageStatus,
} from "@heliograph/domain";
import type { NewEvent, RecordedEvent } from "@heliograph/log";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { appendOf, decideDeclined, decideReceipts, decideRefunded } from "../src/decide.ts";
import { fact, failure, receiptOf, requestOf, requested, sent } from "./facts.ts";

const id = newId("msg");
/** As the log would give it; whoever takes it knows of what type it is. */
const recorded = <Type extends EventType>(event: NewEvent, revision = 0): RecordedEvent<Type> =>
  loosely({
    ...event,
    position: BigInt(revision + 1),
    stream: "message-x",
    revision,
    version: 1,
    recordedAt: 0,
  });

/** A message in memory: facts are folded at once, as the reactor does after its append. */
function begin(request: EventData<"MessageRequested">) {
  const types: string[] = [];
  let state: MessageState | undefined;
  const apply = (event: NewEvent): void => {
    types.push(event.type);
    state = evolveMessage(state, recorded(event, types.length - 1) as FoldableEvent);
  };
  const refund = (): void => {
    const failed = decideRefunded(state!, recorded(fact("FundsRefunded", {})), "0.0079");
    if (failed) apply(fact(failed.type, failed.data));
  };
  apply(requested(request));
  return {
    types,
    apply,
    refund,
    get state() {
      return state!;
    },
    receipts(...receipts: NewEvent[]): boolean {
      const { facts, park } = decideReceipts(
        state,
        receipts.map((event) => recorded<"ReceiptReceived">(event)),
      );
      for (const { type, data } of facts) apply(fact(type, data));
      return park;
    },
  };
}

function sentMessage(channel: "sms" | "email" = "sms") {
  const request = requestOf(id, { channel });
  const message = begin(request);
  message.apply(sent(request));
  return message;
}

const meaning = (channel: "sms" | "email", status: string): MessageStatus =>
  status === "delivered" || status === "read"
    ? status
    : status === "bounced" && channel === "email"
      ? "bounced"
      : "failed";

describe("the final status", () => {
  it("is the same for any order, number and batching of the receipts, whenever the refund comes", () => {
    const status = fc.constantFrom("delivered", "read", "undelivered", "bounced", "complained");
    const batches = fc.array(
      fc.record({
        statuses: fc.array(status, { minLength: 1, maxLength: 3 }),
        refund: fc.boolean(),
      }),
      { minLength: 1, maxLength: 6 },
    );
    fc.assert(
      fc.property(fc.constantFrom("sms" as const, "email" as const), batches, (channel, plan) => {
        const message = sentMessage(channel);
        const seen: string[] = [];
        for (const { statuses, refund } of plan) {
          message.receipts(...statuses.map((name) => receiptOf(id, name as "read")));
          seen.push(...statuses);
          if (refund) message.refund();
        }
        message.refund();
        const told = seen.filter((name) => name !== "complained");
        const expected = told.map((name) => meaning(channel, name)).reduce(joinStatus, "sent");
        expect(message.state.status).toBe(expected);
        const complaints = message.types.filter((type) => type === "MessageComplained").length;
        expect(complaints, seen.join()).toBe(told.length < seen.length ? 1 : 0);
        for (const type of [
          "MessageDelivered",
          "MessageRead",
          "MessageBounced",
          "DeliveryFailed",
          "MessageFailed",
        ])
          expect(message.types.filter((item) => item === type).length).toBeLessThanOrEqual(1);
      }),
      { numRuns: 2_000 },
    );
  });
});

describe("receipts", () => {
  it("that contradict each other in one batch cause no refund", () => {
    const message = sentMessage();
    message.receipts(receiptOf(id, "undelivered"), receiptOf(id, "delivered"));
    expect(message.types).toEqual(["MessageRequested", "MessageSent", "MessageDelivered"]);
  });

  it("of a read that overtakes its delivery give both facts in order, once", () => {
    const message = sentMessage();
    message.receipts(receiptOf(id, "read"));
    message.receipts(receiptOf(id, "delivered"));
    expect(message.types.slice(2)).toEqual(["MessageDelivered", "MessageRead"]);
  });

  it("of a broadcast confirm nothing, and may still say that it was lost", () => {
    const request = requestOf(id, { channel: "broadcast", to: "spring_news" });
    const message = begin(request);
    message.apply(sent(request));
    message.receipts(receiptOf(id, "delivered"), receiptOf(id, "read"));
    expect(message.state.status).toBe("sent");
    message.receipts(receiptOf(id, "undelivered"));
    message.refund();
    expect(message.state.status).toBe("failed");
  });

  it("of an earlier attempt by another gateway name that gateway, and not the provider of the last", () => {
    const { state } = sentMessage();
    const receipt = receiptOf(id, "read");
    const other = { ...receipt, data: { ...receipt.data, gateway: "sim-2" } };
    const { facts } = decideReceipts(state, [recorded<"ReceiptReceived">(other)]);
    expect(facts.map(({ data }) => data)).toMatchObject([
      { gateway: "sim-2", provider: { name: "sim-2", status: "read" } },
      { gateway: "sim-2", provider: { name: "sim-2", status: "read" } },
    ]);
  });

  it("of a complaint before the provider's answer wait for it, and of one about a message that never went are dropped", () => {
    const message = begin(requestOf(id));
    expect(message.receipts(receiptOf(id, "complained"))).toBe(true);
    message.apply(fact("MessageCanceled", {}));
    expect(message.receipts(receiptOf(id, "complained"))).toBe(false);
    expect(message.types).toEqual(["MessageRequested", "MessageCanceled"]);
  });

  it("of a transient bounce feed the retry budget once per attempt", () => {
    const message = sentMessage("email");
    message.receipts(receiptOf(id, "deferred", "a"), receiptOf(id, "bounced", "b", 1, false));
    message.receipts(receiptOf(id, "deferred", "c"));
    expect(message.types.slice(2)).toEqual(["BounceDeferred"]);
    expect(message.state).toMatchObject({ status: "sent", deferredAttempt: 1 });
  });

  it("with bad news about the coming attempt wait for it, and those about a past one are dropped", () => {
    const message = sentMessage("email");
    message.receipts(receiptOf(id, "deferred"));
    expect(message.receipts(receiptOf(id, "bounced", "", 2))).toBe(true);
    const { data } = sent(message.state.request, 2);
    message.apply(fact("MessageResent", data));
    expect(message.receipts(receiptOf(id, "bounced", "", 1))).toBe(false);
    expect(message.state.status).toBe("sent");
    message.receipts(receiptOf(id, "bounced", "", 2));
    expect(message.state).toMatchObject({
      status: "bounced",
      error: { code: "bounced", permanent: true },
    });
  });

  it("wait while no provider has answered, and are dropped after the message ended", () => {
    const message = begin(requestOf(id));
    expect(message.receipts(receiptOf(id, "delivered"))).toBe(true);
    message.apply(fact("MessageCanceled", {}));
    expect(message.receipts(receiptOf(id, "delivered"))).toBe(false);
    expect(message.types).toEqual(["MessageRequested", "MessageCanceled"]);
    const early = recorded<"ReceiptReceived">(receiptOf(id, "delivered"));
    expect(decideReceipts(undefined, [early])).toEqual({
      facts: [],
      park: true,
    });
  });

  it("of a delivery count although dispatch had given up, and then no failure follows the refund", () => {
    const message = begin(requestOf(id));
    message.apply(fact("DispatchExhausted", { attempts: 3, error: failure }));
    message.receipts(receiptOf(id, "undelivered"));
    message.receipts(receiptOf(id, "delivered"));
    message.refund();
    expect(message.types).toEqual(["MessageRequested", "DispatchExhausted", "MessageDelivered"]);
  });
});

describe("a failure that the provider charges for", () => {
  const billed = { ...failure, billable: true } as const;
  const undelivered = (error: object) =>
    fact("ReceiptReceived", {
      ...(receiptOf(id, "undelivered").data as object),
      error,
    });

  it("costs the price, which the wallet's word ends it with; any other failure costs nothing", () => {
    for (const [error, charge] of [
      [billed, "0.0079"],
      [failure, undefined],
    ] as const) {
      const message = sentMessage();
      message.receipts(undelivered(error));
      expect(message.state).toMatchObject({ failing: "DeliveryFailed", charged: false, charge });
      expect(messageView(message.state, "live")["cost"]).toBe(charge ?? "0");
    }
    const message = sentMessage();
    message.receipts(undelivered(billed));
    const failed = decideRefunded(message.state, recorded(fact("FundsKept", {})), "0.0079")!;
    expect(failed.data).toMatchObject({
      error: billed,
      refund: { amount: "0", transaction_id: deterministicId("wtx", id, "capture") },
      charge: "0.0079",
    });
  });

  it("before the attempt that failed last costs the price too, once, and one that was sent after all costs no more", () => {
    const tried = { attempt: 1, error: { ...billed, permanent: false }, next: "retry" };
    const message = begin(requestOf(id));
    message.apply(fact("DispatchAttemptFailed", tried));
    message.apply(fact("DispatchAttemptFailed", { ...tried, attempt: 2, error: failure }));
    expect(message.state.billed).toBe("0.0079");
    message.apply(sent(requestOf(id), 3));
    expect(messageView(message.state, "live")["cost"]).toBe("0.0079");
    message.receipts(receiptOf(id, "undelivered", "", 3));
    expect(message.state.charge).toBe("0.0079");
  });
});

describe("the ids of what is appended", () => {
  it("differ for the messages of one batch of the wallet, and are the same when it is decided again", () => {
    const declined = recorded<"FundsDeclined">(
      fact("FundsDeclined", { reason: "insufficient_funds" }),
    );
    const idsOf = (messageId: string): string[] => {
      const { state } = begin(requestOf(messageId));
      const facts = [decideDeclined(state, declined)!];
      return appendOf("message-x", state, facts).events.map((event) => event.id);
    };
    const [one, other] = [newId("msg"), newId("msg")];
    expect(idsOf(one)).not.toEqual(idsOf(other));
    expect(idsOf(one)).toEqual(idsOf(one));
  });
});
