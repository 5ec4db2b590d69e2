import { loosely } from "@heliograph/testkit";
import { randomUUID } from "node:crypto";
import { expect, it } from "vitest";
import type { Append, EventLog } from "../src/index.ts";
import { onDouble } from "./eventstoredb-setting.ts";
import { newStream } from "./support.ts";

const { open, at } = onDouble();

/** Records of a namespace, stored without a log. */
function fill(namespace: string, count: number, type: string): void {
  for (let n = 0; n < count; n++)
    at().store.append(`${namespace}.filled-${n}`, "any", [
      {
        id: randomUUID(),
        type,
        contentType: "application/json",
        data: Buffer.from("{}"),
        metadata: new Uint8Array(),
      },
    ]);
}
const rare = (log: EventLog, after = 0n) =>
  log.readAll({ after, limit: 500, types: loosely(["Rare"]) });

it("a page passes any number of others' records, none of which leaves the node", async () => {
  fill("other", 12_000, "Rare");
  const log = await open();
  await log.append([newStream({ type: "Rare" })]);
  const before = at().faults.messages;
  for (const page of [await log.readAll({ after: 0n, limit: 500 }), await rare(log)]) {
    expect(page.events.map(({ type }) => type)).toEqual(["Rare"]);
    expect(page.position).toBe(await log.head());
  }
  expect(at().faults.messages - before).toBeLessThan(100);
});

it("a page of a rare type goes on by types, so that the rest of the namespace stays at the node", async () => {
  fill("test", 12_000, "Frequent");
  const log = await open();
  await log.append([newStream({ type: "Rare" })]);
  for (const mostMessages of [1_000, 100]) {
    const before = at().faults.messages;
    const page = await rare(log);
    expect(page.events.map(({ type }) => type)).toEqual(["Rare"]);
    expect(page.position).toBe(await log.head());
    expect(at().faults.messages - before).toBeLessThan(mostMessages);
  }
});

it("a page of a type that is rare here and frequent elsewhere ends after so many records, and says how far it looked", async () => {
  for (let round = 0; round < 6; round++) {
    fill("test", 2_000, "Frequent");
    fill("other", 2_000, "Rare");
  }
  const log = await open();
  await log.append([newStream({ type: "Rare" })]);
  const head = await log.head();
  const first = await rare(log);
  expect(first.events).toEqual([]);
  expect(first.position).toBeGreaterThan(0n);
  expect(first.position).toBeLessThan(head);
  const second = await rare(log, first.position);
  expect(second.events.map(({ type }) => type)).toEqual(["Rare"]);
  expect(second.position).toBe(head);
});

it("moves on where a node looks for longer than a read may take and finds nothing", async () => {
  const log = await open();
  const positionOf = async (append: Append): Promise<bigint> =>
    ((await log.append([append]))[0] as { readonly position: bigint }).position;
  fill("other", 5_000, "Foreign");
  const first = await positionOf(newStream());
  fill("other", 5_000, "Foreign");
  const second = await positionOf(newStream());
  at().faults.slowSearch = true;
  // From the start, from an own record, which the node gives at once, and from the last.
  const pages = [0n, first, second].map((after) => log.readAll({ after, limit: 1 }));
  expect(
    (await Promise.all(pages)).map(({ events, position }) => [events.length, position]),
  ).toEqual([
    [1, first],
    [1, second],
    [0, second],
  ]);
});
