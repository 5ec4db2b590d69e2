import { loosely } from "@heliograph/testkit";
import { newId, uuid5 } from "@heliograph/contracts";
import {
  chargeOf,
  evolveMessage,
  joinStatus,
  type MessageState,
  type MessageStatus,
} from "@heliograph/domain";
import type { NewEvent } from "@heliograph/log";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { CallbackEvent } from "../src/callbacks/reading.ts";
import { rereadsOf, type SaidOfMessage } from "../src/callbacks/rereads.ts";
import { decideReread, readingsOf, type ReceiptsEvent, telling } from "../src/correct.ts";
import { decideReceipts, decideRefunded, type Receipt } from "../src/decide.ts";
import { fact, partner, receiptOf, requestOf, requested, sent } from "./facts.ts";

const id = newId("msg");
type Status = Receipt["status"];
/** One callback, and what one reading makes of it; nothing: it is no receipt. */
type Reading = Status | "nothing";

/** A message with what its receipts led to, and its money, as the wallet would move it. */
function message(channel: "sms" | "email") {
  const request = requestOf(id, { channel });
  let state: MessageState | undefined;
  let revision = 0;
  const moved: string[] = ["charged"];
  const apply = (event: NewEvent, money = "FundsRefunded"): void => {
    const stored = { ...event, position: BigInt(revision + 1), stream: "", version: 1 };
    state = evolveMessage(state, loosely({ ...stored, revision: revision++, recordedAt: 0 }));
    const { refunds } = loosely(event.data);
    const ends = event.type === "DeliveryFailed" || event.type === "DispatchExhausted";
    if (!ends && refunds !== true) return;
    moved.push("refunded");
    const cause = loosely({ ...fact(money, {}), type: money });
    const failed = decideRefunded(state!, cause, request.cost);
    if (failed) apply(fact(failed.type, failed.data));
  };
  apply(requested(request));
  apply(sent(request));
  return { apply, moved, state: () => state! };
}

const callback = (index: number): CallbackEvent =>
  loosely({
    id: uuid5("callback", `${index}`),
    data: { callback_id: `cbk_${index}` },
  });
const receipt = (index: number, status: Status): Receipt =>
  loosely(receiptOf(id, status, `${index}`).data);

/** All of them read anew. The provider's word for the event is the same, whatever is made of it. */
const said = (readings: readonly Reading[]): SaidOfMessage => ({
  partner,
  callbacks: readings.map((status, index) => ({
    event: callback(index),
    isSound: true,
    receipts:
      status === "nothing"
        ? []
        : [{ ...receipt(index, status), provider_event_id: `event ${index}` }],
  })),
});

const received = (readings: readonly Reading[]): ReceiptsEvent[] =>
  said(readings).callbacks.flatMap(({ event, receipts }) =>
    receipts.map((data) =>
      loosely({
        ...fact("ReceiptReceived", data),
        metadata: { partner, causation: event.id },
      }),
    ),
  );

function reread(on: ReturnType<typeof message>, events: ReceiptsEvent[], now: readonly Reading[]) {
  const rereads = rereadsOf(id, said(now), events);
  events.push(...rereads);
  const cause = rereads.at(-1);
  if (cause === undefined) return [];
  const facts = decideReread(on.state(), telling(readingsOf(events)), cause);
  for (const { type, data } of facts) on.apply(fact(type, data));
  return rereads;
}

const meaning = (channel: "sms" | "email", status: Reading): MessageStatus => {
  if (status === "delivered" || status === "read") return status;
  if (status === "bounced" && channel === "email") return "bounced";
  return status === "undelivered" || status === "bounced" ? "failed" : "sent";
};
const outcomeOf = (channel: "sms" | "email", readings: readonly Reading[]): MessageStatus =>
  readings.map((status) => meaning(channel, status)).reduce(joinStatus, "sent");

const readings = fc.array(
  fc.constantFrom<Reading>("nothing", "sent", "delivered", "read", "undelivered", "bounced"),
  { minLength: 3, maxLength: 3 },
);

describe("a message whose receipts are read again", () => {
  it("is what they say now, whatever they were taken to say; money comes back once and is never charged again", () => {
    const channels = fc.constantFrom("sms" as const, "email" as const);
    fc.assert(
      fc.property(
        channels,
        readings,
        fc.array(readings, { maxLength: 4 }),
        (channel, first, more) => {
          const on = message(channel);
          const events = received(first);
          const { facts } = decideReceipts(on.state(), telling(readingsOf(events)));
          for (const { type, data } of facts) on.apply(fact(type, data));
          for (const now of more) {
            reread(on, events, now);
            const told = outcomeOf(channel, now);
            const paid = on.moved.length === 1;
            // Nothing is known any more: what is paid may be there, what is not paid has failed.
            expect(on.state().status).toBe(told === "sent" && !paid ? "failed" : told);
            expect(on.state().charged).toBe(paid);
            expect(on.moved.length).toBeLessThanOrEqual(2);
            if (told === "failed") expect(paid).toBe(false);
            // Again, there is nothing to tell.
            expect(reread(on, events, now)).toEqual([]);
          }
        },
      ),
      { numRuns: 150 },
    );
  });

  it("tells what was told before, and why, and that it costs nothing where it failed", () => {
    const on = message("sms");
    const events = received(["delivered"]);
    for (const { type, data } of decideReceipts(on.state(), telling(readingsOf(events))).facts)
      on.apply(fact(type, data));
    const [first] = rereadsOf(id, said(["undelivered"]), events);
    const receipts = telling(readingsOf([...events, first!]));
    const [correction] = decideReread(on.state(), receipts, first!);
    expect(correction).toMatchObject({
      type: "MessageCorrected",
      data: {
        status: "failed",
        before: { status: "delivered" },
        reason:
          "a receipt of sim-sms was read again: it says undelivered, and was taken for delivered",
        error: { code: "undelivered" },
        refunds: true,
        cost: "0",
      },
    });
  });

  describe("that failed and cost something nevertheless", () => {
    const error = { code: "content_rejected", class: "content", permanent: true } as const;
    /** One callback: what it says, and whether its provider charges for it; or that it is no receipt. */
    const saying = (status: Status, billable: boolean | undefined): SaidOfMessage => ({
      partner,
      callbacks: [
        {
          event: callback(0),
          isSound: true,
          receipts:
            billable === undefined
              ? []
              : [
                  {
                    ...receipt(0, status),
                    provider_event_id: "event 0",
                    error: { ...error, ...(billable && { billable }) },
                  },
                ],
        },
      ],
    });
    /** As it failed, and what the wallet answered. */
    function failed(status: Status = "undelivered", money = "FundsKept") {
      const on = message("sms");
      const events: ReceiptsEvent[] = saying(status, true).callbacks.flatMap(
        ({ event, receipts }) =>
          receipts.map((data) =>
            loosely({
              ...fact("ReceiptReceived", data),
              metadata: { partner, causation: event.id },
            }),
          ),
      );
      for (const { type, data } of decideReceipts(on.state(), telling(readingsOf(events))).facts)
        on.apply(fact(type, data), money);
      const again = (billable?: boolean) => {
        const rereads = rereadsOf(id, saying(status, billable), events);
        events.push(...rereads);
        return rereads.flatMap((cause) =>
          decideReread(on.state(), telling(readingsOf(events)), cause),
        );
      };
      return { on, again };
    }
    const backFor = (reason: string) => ({
      type: "MessageCorrected",
      data: {
        status: "failed",
        before: { status: "failed" },
        refunds: true,
        cost: "0",
        reason: `a receipt of sim-sms was read again: ${reason}`,
      },
    });

    it("gives that back once where its provider does not charge for it after all", () => {
      const { on, again } = failed();
      expect(on.state()).toMatchObject({ charge: "0.0079", refund: { amount: "0" } });
      expect(again(true), "as it was").toEqual([]);
      const [correction, ...others] = again(false);
      expect([correction, others]).toMatchObject([
        backFor("its provider does not charge for it"),
        [],
      ]);
      on.apply(fact(correction!.type, correction!.data));
      expect(on.state()).toMatchObject({ status: "failed", charge: undefined, charged: false });
      expect(on.state().refund!.amount).not.toBe("0");
      expect(again(false)).toEqual([]);
      // And back: money that came back is not taken again.
      expect(again(true)).toEqual([]);
      expect(again(false)).toEqual([]);
    });

    it("gives that back where there is no receipt after all", () => {
      expect(failed().again()).toMatchObject([
        backFor("it says nothing, and was taken for undelivered"),
      ]);
    });

    it("gives that back where it was billed for a try that was repeated, unless dispatch was answered so as well", () => {
      for (const isAnswered of [false, true]) {
        const { on, again } = failed("deferred");
        if (isAnswered)
          on.apply(
            fact("DispatchAttemptFailed", {
              attempt: 2,
              error: { ...error, billable: true },
              next: "give_up",
            }),
          );
        expect(on.state()).toMatchObject({ billed: "0.0079", charged: true });
        const { charge } = chargeOf(on.state()) as { readonly charge: string };
        on.apply(fact("DispatchExhausted", { attempts: 2, error, charge }), "FundsKept");
        expect(on.state()).toMatchObject({ status: "failed", charge: "0.0079" });
        const back = [backFor("its provider does not charge for it")];
        expect(again(false)).toMatchObject(isAnswered ? [] : back);
      }
    });

    it("is left as it is where the wallet had nothing to keep", () => {
      const { on, again } = failed("undelivered", "FundsReturnedBefore");
      expect(on.state()).toMatchObject({ status: "failed", charge: undefined });
      const { refund } = on.state();
      expect(again(false)).toEqual([]);
      expect(on.state().refund).toEqual(refund);
    });
  });

  it("keeps what another callback said of the same event, and what a callback that is not understood said before", () => {
    const events = received(["delivered"]);
    const [own] = said(["undelivered"]).callbacks;
    const other = { ...own!, event: callback(7) };
    expect(rereadsOf(id, { partner, callbacks: [other] }, events)).toEqual([]);
    const unread = { ...own!, receipts: [], isSound: false };
    expect(rereadsOf(id, { partner, callbacks: [unread] }, events)).toEqual([]);
    expect(
      rereadsOf(id, { partner, callbacks: [{ ...unread, isSound: true }] }, events),
    ).toMatchObject([{ data: { status: "nothing", before: "delivered", callback_id: "cbk_0" } }]);
  });
});
