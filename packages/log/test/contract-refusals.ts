import { describe, expect, it } from "vitest";
import type { EventLog } from "../src/index.ts";
import { event, newStream } from "./support.ts";

/** Appends that are refused, and what comes in their company. */
export function refusalsContract(
  log: () => EventLog,
  expectCount: (count: number) => Promise<void>,
): void {
  describe("refusals", () => {
    it("refuses several events like one, alone and in company, and stores what goes well beside them", async () => {
      const known = { ...newStream(), events: [event(), event()] };
      await log().append([known]);
      const two = { events: [event(), event()] };
      for (const [refused, kind] of [
        [{ ...newStream(), ...two, expected: 4 }, "conflict"],
        [{ ...known, ...two, expected: 5 }, "conflict"],
        [{ ...known, ...two, expected: 0 }, "conflict"],
        [known, "duplicate"],
      ] as const) {
        expect(await log().append([refused])).toMatchObject([{ kind }]);
        const fine = { ...newStream(), events: [event(), event()] };
        const outcomes = await log().append([newStream(), refused, fine]);
        expect(outcomes.map((outcome) => outcome.kind)).toEqual(["appended", kind, "appended"]);
      }
      await expectCount(2 + 4 * 3);
    });
  });
}
