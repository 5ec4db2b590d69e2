import { randomUUID } from "node:crypto";
import { newId, streamOf } from "@heliograph/contracts";
import { openMemoryLog } from "@heliograph/log";
import { expect, test } from "vitest";
import type { Entry, Part, Range } from "../src/audit/entry.ts";
import { DerivedCheck, fromLog } from "../src/index.ts";

const lapsed = (partner: string) => {
  const message = newId("msg");
  const data = { message_id: message, currency: "EUR" };
  const metadata = { partner, actor: "service:wallet" };
  const event = { id: randomUUID(), type: "HoldLapsed", data, metadata };
  return { stream: streamOf("hold", message), expected: "any", events: [event] } as const;
};

/** What a check finds where the API's source gives what `alter` makes of the right entries. */
async function checked(events: number, alter: (entry: Entry) => readonly Entry[]) {
  const log = openMemoryLog();
  await log.append(Array.from({ length: events }, (_, index) => lapsed(`ptn_${index}`)));
  const source = fromLog("sandbox-log", "sandbox", log);
  const read = async (filter: object, range: Range): Promise<Part> => {
    const part = await source.read(filter, range);
    return { ...part, entries: part.entries.flatMap((entry) => alter(entry)) };
  };
  const check = new DerivedCheck("sandbox", { name: source.name, read }, 0n);
  for (let after = 0n; after < BigInt(events); after += 400n) {
    const page = await log.readAll({ after, limit: 400 });
    await check.offer(page.events);
  }
  await check.end();
  return check;
}
const at = (number: number): string => `row sandbox-log-${String(number).padStart(16, "0")}`;

test("finds nothing where each row is served as it follows from the log, over many pages", async () => {
  const { rows, differences } = await checked(1_234, (entry) => [entry]);
  expect({ rows, differences }).toEqual({ rows: 1_234, differences: 0 });
});

test("names each row that is missing, was added, or is another, in the order of the log", async () => {
  const { named } = await checked(1_234, (entry) => {
    if (entry.key === "7") return [];
    if (entry.key === "600") return [{ ...entry, actor: "key_1", ip: "::1" }];
    return entry.key === "1200" ? [{ ...entry, action: "KeyExpiring" }, entry] : [entry];
  });
  expect(named).toEqual([
    `${at(7)} (HoldLapsed) is missing`,
    `${at(600)} (HoldLapsed) is not as it follows from the log: actor, ip`,
    `${at(1200)} (KeyExpiring) was added: nothing in the log leads to it`,
  ]);
});

test("names the first twenty, and counts the others", async () => {
  const { named, differences } = await checked(700, () => []);
  expect(named).toHaveLength(20);
  expect(differences).toBe(700);
});
