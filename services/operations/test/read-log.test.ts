import { randomUUID } from "node:crypto";
import type { Category } from "@heliograph/contracts";
import { type EventLog, openMemoryLog, type RecordedEvent } from "@heliograph/log";
import { beforeAll, describe, expect, test } from "vitest";
import { type Asked, readLog } from "../src/read-log.ts";

const streams = ["message-A", "message-B", "wallet-A", "template-rare"];
let log: EventLog;
let all: readonly RecordedEvent[];

beforeAll(async () => {
  log = openMemoryLog();
  for (let index = 0; index < 1_300; index++) {
    const stream = index === 200 ? streams[3]! : streams[index % 3]!;
    const type = stream.startsWith("message")
      ? "MessageSent"
      : stream.startsWith("wallet")
        ? "FundsHeld"
        : "TemplateCreated";
    const event = { id: randomUUID(), type, data: {}, metadata: {} };
    await log.append([{ stream, expected: "any", events: [event] }]);
  }
  all = (await log.readAll({ after: 0n, limit: 2_000 })).events;
});

type Filter = { stream?: string; category?: Category; asOf?: bigint };
const everything = 10n ** 17n;

/** All pages one after the other, from either end. */
async function walk(way: "after" | "before", filter: Filter, limit: number) {
  const found: RecordedEvent[] = [];
  let place: bigint | undefined = way === "after" ? 0n : everything;
  for (let pages = 0; place !== undefined; pages++) {
    if (pages > 200) throw new Error("the pages have no end");
    const asked = { asOf: everything, limit, ...filter, [way]: place } as Asked;
    const page = await readLog(log, asked);
    expect(page.events.length).toBeLessThanOrEqual(limit);
    if (way === "after") found.push(...page.events);
    else found.unshift(...page.events);
    place = way === "after" ? page.next : page.previous;
  }
  return found.map(({ position }) => position);
}

describe.each<[string, Filter]>([
  ["everything", {}],
  ["a stream", { stream: "message-B" }],
  ["a stream with one event", { stream: "template-rare" }],
  ["a category", { category: "message" }],
  ["a category with one event, far back", { category: "template" }],
  ["a category that has no events of its own kind", { category: "routing" }],
  ["everything as of a position", { asOf: 700n }],
  ["a stream as of a position", { stream: "wallet-A", asOf: 700n }],
  ["a category as of a position", { category: "wallet", asOf: 700n }],
])("%s", (_, filter) => {
  const { stream, category, asOf = everything } = filter;
  const wanted = (): readonly bigint[] =>
    all
      .filter((event) => event.position <= asOf)
      .filter((event) => stream === undefined || event.stream === stream)
      .filter((event) => category === undefined || event.stream.startsWith(`${category}-`))
      .map(({ position }) => position);
  test.each([7, 100])("is read once and whole from either end, %i at a time", async (limit) => {
    expect(await walk("after", filter, limit)).toEqual(wanted());
    expect(await walk("before", filter, limit)).toEqual(wanted());
  });
  test("begins with its newest where a page is asked for from the end", async () => {
    const page = await readLog(log, { ...filter, asOf, limit: 5, before: everything });
    expect(page.events.map(({ position }) => position)).toEqual(wanted().slice(-5));
    expect(page.next).toBeUndefined();
  });
});

test("a page in the middle leads both ways", async () => {
  const page = await readLog(log, { asOf: everything, limit: 10, before: 100n });
  expect(page.events.map(({ position }) => position)).toEqual(
    all.slice(89, 99).map(({ position }) => position),
  );
  const after = await readLog(log, { asOf: everything, limit: 10, after: page.next! });
  expect(after.events[0]!.position).toBe(100n);
});
