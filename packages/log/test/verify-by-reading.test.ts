import { expect, it } from "vitest";
import { openMemoryLog, verifyByReading, type RecordedEvent } from "../src/index.ts";
import { calm } from "./copy-support.ts";
import { event, newStream } from "./support.ts";

/** A log of five events, as it would be read after `change`. */
async function verified(change: (events: RecordedEvent[]) => unknown, flaw?: string) {
  const log = openMemoryLog();
  await log.append([
    { ...newStream(), events: [event(), event(), event()] },
    newStream(),
    newStream(),
  ]);
  const events = [...(await log.readAll({ after: 0n, limit: 10 })).events];
  change(events);
  const source = {
    head: async () => 5n,
    readAll: async () => ({ events, position: 5n, head: 5n }),
  };
  const flawOf = ({ position }: RecordedEvent) => (position === 4n ? flaw : undefined);
  return verifyByReading(source, { flawOf, signal: calm });
}

it("finds nothing in a sound log, and says how far it read", async () => {
  expect(await verified(() => undefined)).toEqual({ events: 5, position: 5n, compared: 0 });
});

it.each([
  [
    "a revision that is gone",
    (list: RecordedEvent[]) => list.splice(1, 1),
    3n,
    /revision 2 of test-\S+ follows 0/,
  ],
  [
    "a position that goes back",
    (list: RecordedEvent[]) => list.reverse(),
    4n,
    /comes after position 5/,
  ],
  [
    "an event that cannot be read",
    (list: RecordedEvent[]) =>
      list.splice(4, 1, { ...list[4]!, version: 0, metadata: { unreadable: "no JSON" } }),
    5n,
    /no JSON/,
  ],
])("names %s", async (_, change, position, what) => {
  expect((await verified(change)).flaw).toEqual({ position, what: expect.stringMatching(what) });
});

it("names an event that breaks its schema", async () => {
  const { flaw } = await verified(() => undefined, "data is odd");
  expect(flaw).toMatchObject({ position: 4n, what: expect.stringContaining("data is odd") });
});
