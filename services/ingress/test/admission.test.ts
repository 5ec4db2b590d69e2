import { Company } from "@heliograph/log";
import fc from "fast-check";
import { expect, test } from "vitest";
import { Admission } from "../src/messages/admission.ts";

const limits = { alone: 10, shared: 3, waitingPerName: 50, waiting: 120 };

/** Sends that go and end when they are told to. */
function open(now = () => 0) {
  const admission = new Admission(limits, new Company(now));
  const underWay: string[] = [];
  const going: Promise<void>[] = [];
  const enter = (name: string) => {
    const entering = admission.enter(name, 1);
    if (entering === undefined) underWay.push(name);
    else going.push(entering.then(() => void underWay.push(name)));
    return entering === undefined;
  };
  const end = async (index: number) => {
    const [name] = underWay.splice(index, 1);
    admission.leave(name!, 1);
    // What goes now does so in microtasks.
    await new Promise(setImmediate);
    return name!;
  };
  const of = (name: string) => underWay.filter((each) => each === name).length;
  return { admission, underWay, going, enter, end, of };
}

test("one alone has all the room there is, and less from the moment when another comes, who goes at once", async () => {
  let now = 0;
  const { enter, end, of } = open(() => now);
  for (let n = 0; n < 30; n++) enter("large");
  expect(of("large")).toBe(10);
  expect(enter("small")).toBe(true);
  for (let n = 0; n < 9; n++) expect(await end(0)).toBe("large");
  expect([of("large"), of("small")]).toEqual([2, 1]);
  // The other has sent nothing more for long.
  now = 2_000;
  await end(0);
  expect(of("large")).toBeGreaterThanOrEqual(9);
});

test("whose last send has ended does not wait for those of another that take long", async () => {
  const { underWay, enter, end, of } = open();
  for (let n = 0; n < 30; n++) enter("large");
  for (let n = 0; n < 3; n++) enter("small");
  expect([of("large"), of("small")]).toEqual([10, 1]);
  for (let n = 0; n < 3; n++) {
    expect(of("small")).toBe(1);
    await end(underWay.indexOf("small"));
  }
  expect([of("large"), of("small")]).toEqual([10, 0]);
});

test("what waits of one is bounded, and takes nothing from another", () => {
  const { enter } = open();
  for (let n = 0; n < 60; n++) enter("large");
  expect(() => enter("large")).toThrow(
    expect.objectContaining({ code: "rate_limited", retryAfterSeconds: 1 }),
  );
  expect(enter("small")).toBe(true);
});

test("what waits of all is bounded too, and who has nothing under way goes all the same", () => {
  const { enter } = open();
  for (const name of ["a", "b", "c"]) for (let n = 0; n < 43; n++) enter(name);
  const refused = expect.objectContaining({ code: "overloaded", retryAfterSeconds: 1 });
  expect(() => {
    for (let n = 0; n < 10; n++) enter("c");
  }).toThrow(refused);
  expect(enter("d")).toBe(true);
  expect(() => enter("d")).toThrow(refused);
});

test("no more go than may, who has nothing under way goes at once, all go in the end, and no room stays empty while somebody waits", async () => {
  const names = ["a", "b", "c", "d"] as const;
  const steps = fc.array(
    fc.oneof(
      fc.record({ enter: fc.constantFrom(...names), count: fc.integer({ min: 1, max: 12 }) }),
      fc.record({ end: fc.nat({ max: 20 }) }),
    ),
    { maxLength: 40 },
  );
  await fc.assert(
    fc.asyncProperty(steps, async (all) => {
      const { underWay, enter, end, of } = open();
      let entered = 0;
      const check = () => {
        const waiting = entered - ended - underWay.length;
        expect(underWay.length).toBeLessThanOrEqual(limits.alone + names.length);
        if (waiting > 0) expect(underWay.length).toBeGreaterThanOrEqual(limits.shared);
      };
      let ended = 0;
      for (const step of all) {
        if ("enter" in step)
          for (let n = 0; n < step.count && entered - ended < 50; n++, entered++) {
            const idle = of(step.enter) === 0;
            expect(enter(step.enter) || !idle).toBe(true);
          }
        else if (underWay.length > 0) {
          await end(step.end % underWay.length);
          ended++;
        }
        check();
      }
      while (underWay.length > 0) {
        await end(0);
        ended++;
      }
      expect(ended).toBe(entered);
    }),
    { numRuns: 60 },
  );
});

test("of two that wait each goes as often as the other, whoever has more", async () => {
  const { enter, end } = open();
  for (let n = 0; n < 40; n++) enter("large");
  for (let n = 0; n < 8; n++) enter("small");
  const order: string[] = [];
  for (let n = 0; n < 48; n++) order.push(await end(0));
  const last = order.lastIndexOf("small");
  // Before they shared ten of the first were under way.
  expect(last).toBeLessThanOrEqual(10 + 2 * 8 + limits.shared);
});
