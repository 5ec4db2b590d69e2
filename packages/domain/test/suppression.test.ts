import type { EventData } from "@heliograph/contracts";
import fc from "fast-check";
import { expect, it } from "vitest";
import {
  afterStep,
  beginFailover,
  coveredBy,
  decideEnd,
  decideStart,
  evolveSuppression,
  stoppedBy,
  type Suppression,
} from "@heliograph/domain";

const base = { name: "N", channel: "sms", to: "t", evidence: {}, started_at: "s" } as const;
const reasons = ["keyword", "complaint", "bounce", "manual", "unsubscribe"] as const;
const extents = ["all", "marketing"] as const;

const command = fc.oneof(
  fc.record({
    start: fc.constantFrom(...reasons),
    applies_to: fc.constantFrom(...extents),
  }),
  fc.record({ forgive: fc.constant(true) }),
  fc.record({ end: fc.nat(20) }),
);

it("ends what it is told to end and nothing else, whatever began and ended before", () => {
  fc.assert(
    fc.property(fc.array(command, { maxLength: 40 }), (commands) => {
      let periods: Suppression = [];
      let active: readonly { readonly id: string }[] = [];
      for (const [index, step] of commands.entries()) {
        const before = periods;
        const end = { reason: "keyword", evidence: {}, ended_at: "e" } as const;
        const events =
          "start" in step
            ? decideStart(periods, {
                ...base,
                suppression_id: `sup_${index}`,
                reason: step.start,
                applies_to: step.applies_to,
              })
            : "forgive" in step
              ? decideEnd(periods, ({ reason }) => reason === "keyword", end)
              : decideEnd(
                  periods,
                  ({ suppression_id }) => suppression_id === `sup_${step.end}`,
                  end,
                );
        for (const event of events) {
          periods = evolveSuppression(periods, event);
          active = event.data.active;
        }
        const open = periods.filter(({ ended }) => ended === undefined);
        // The last event alone tells what a fold of all of them tells.
        expect(active.map(({ id }) => id)).toEqual(
          open.map(({ started }) => started.suppression_id),
        );
        expect(open.length).toBeLessThanOrEqual(10);
        if ("forgive" in step)
          expect(open).toEqual(
            before.filter(
              ({ started, ended }) => ended === undefined && started.reason !== "keyword",
            ),
          );
        if ("start" in step)
          expect(
            coveredBy(periods, { reason: step.start, applies_to: step.applies_to }),
          ).toBeDefined();
      }
    }),
  );
});

it("stops every category, or marketing alone", () => {
  const all = { id: "a", applies_to: "all", reason: "manual" } as const;
  const marketing = { id: "m", applies_to: "marketing", reason: "manual" } as const;
  for (const category of ["transactional", "marketing", "authentication"] as const) {
    expect(stoppedBy([all], category)).toBe(all);
    expect(stoppedBy([marketing], category)).toBe(category === "marketing" ? marketing : undefined);
    expect(stoppedBy([], category)).toBeUndefined();
  }
});

it.each([
  ["recipient_suppressed", "end"],
  ["recipient_opted_out", "end"],
  ["recipient_unreachable", "next"],
])("after a step that ends with %s a message comes to its %s", (code, type) => {
  const origin = { failover: [{ on: ["failed"] }] } as unknown as EventData<"MessageRequested">;
  const error = { code, class: "recipient", permanent: true } as const;
  expect(afterStep(beginFailover(origin)!, "failed", error).type).toBe(type);
});
