import fc from "fast-check";
import { expect, test } from "vitest";
import { Fifo } from "../src/fifo.ts";
import { PartnerTurns } from "../src/partner-turns.ts";

type Item = { readonly name: string; readonly place: number };

test("each partner waits for one turn of each of the others at most, and each in its own order", () => {
  const steps = fc.array(
    fc.oneof(
      fc.record({
        add: fc.constantFrom("a", "b", "c", "d"),
        count: fc.integer({ min: 1, max: 30 }),
      }),
      fc.record({ turns: fc.integer({ min: 1, max: 10 }) }),
    ),
    { maxLength: 40 },
  );
  fc.assert(
    fc.property(steps, (all) => {
      const turns = new PartnerTurns(() => new Fifo<Item>());
      const added = new Map<string, number>();
      const had = new Map<string, number>();
      /** Turns of others since a partner has had his, or has begun to wait. */
      const passed = new Map<string, string[]>();
      for (const step of all) {
        if ("add" in step) {
          if (turns.sizeOf(step.add) === 0) passed.set(step.add, []);
          for (let n = 0; n < step.count; n++) {
            const place = added.get(step.add) ?? 0;
            added.set(step.add, place + 1);
            turns.of(step.add).push({ name: step.add, place });
          }
          continue;
        }
        let left = step.turns;
        for (const [name, own] of turns) {
          if (left-- === 0) break;
          const item = own.shift()!;
          turns.had(name);
          expect(item).toEqual({ name, place: had.get(name) ?? 0 });
          had.set(name, item.place + 1);
          const others = passed.get(name)!;
          expect(new Set(others).size).toBe(others.length);
          for (const [other, seen] of passed)
            if (other !== name && turns.sizeOf(other) > 0) seen.push(name);
          passed.set(name, []);
        }
      }
      for (const name of ["a", "b", "c", "d"])
        expect(turns.sizeOf(name)).toBe((added.get(name) ?? 0) - (had.get(name) ?? 0));
    }),
  );
});
