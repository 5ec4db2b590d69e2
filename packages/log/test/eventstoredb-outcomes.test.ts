import { randomUUID } from "node:crypto";
import { until } from "@heliograph/testkit";
import { eventStoreDouble } from "@heliograph/testkit/eventstore";
import { afterEach, beforeEach, expect, it } from "vitest";
import { LogUnavailable, openEventStoreLog, type Append, type EventLog } from "../src/index.ts";
import { newStream } from "./support.ts";

type Double = Awaited<ReturnType<typeof eventStoreDouble>>;
let double: Double;
let log: EventLog;
beforeEach(async () => {
  double = await eventStoreDouble();
});
afterEach(async () => {
  await log.close();
  await double.close();
});

async function open(connectionString = double.connectionString): Promise<void> {
  log = await openEventStoreLog({ connectionString, namespace: "test", appendTimeoutMs: 500 });
}

async function failureOf(appends: readonly Append[]): Promise<LogUnavailable> {
  const error: unknown = await log.append(appends).catch((caught: unknown) => caught);
  expect(error).toBeInstanceOf(LogUnavailable);
  return error as LogUnavailable;
}

const timesStored = ({ events }: Append): number =>
  double.events().filter(({ id }) => id === events[0]!.id).length;

/** When it is stored, what was held back before it has had its turn. */
const appendAtLast = () =>
  until(() => log.append([newStream()]), { what: "appends are taken again", timeoutMs: 15_000 });

it("an append that was stored is not called unstored because another of the same call was not sent", async () => {
  await open();
  double.faults.failStreamReads = true;
  const stored = newStream();
  // Where its stream ends has to be read first.
  const unsent: Append = { ...newStream(), expected: "any" };
  const failure = await failureOf([stored, unsent]);
  expect([timesStored(stored), timesStored(unsent)]).toEqual([1, 0]);
  expect(failure.outcomeUnknown).toBe(true);
});

it("says of a call of which nothing was sent that nothing was stored", async () => {
  await open();
  double.faults.failStreamReads = true;
  const failure = await failureOf([{ ...newStream(), expected: "any" }]);
  expect(failure.outcomeUnknown).toBe(false);
});

it("an append that was stored and cannot be read back has an unknown outcome", async () => {
  await open();
  double.faults.muteSubscriptions();
  double.faults.failStreamReads = true;
  const append = newStream();
  expect((await failureOf([append])).outcomeUnknown).toBe(true);
  expect(timesStored(append)).toBe(1);
});

it("an append that was given up while a node was looked for is not sent when one is found", async () => {
  await open(double.discoverString);
  await double.stop();
  const append = newStream();
  expect((await failureOf([append])).outcomeUnknown).toBe(true);
  await double.start();
  await appendAtLast();
  expect(timesStored(append)).toBe(0);
});

it("an append that was given up while it waited for room is not sent when there is some", async () => {
  await open();
  await log.append([newStream()]);
  double.freeze();
  // More than the call takes at once, 16 messages: these are on their way when the last wants to follow.
  const data = { text: "x".repeat(100_000) };
  const before = Array.from({ length: 40 }, () => newStream({ data }));
  const last = newStream();
  expect((await failureOf([...before, last])).outcomeUnknown).toBe(true);
  double.thaw();
  await appendAtLast();
  expect([timesStored(before[0]!), timesStored(last)]).toEqual([1, 0]);
});

it("neither a read nor closing waits for a cluster of which no member answers", async () => {
  await open(double.discoverString);
  double.freeze();
  double.cut();
  const startedAt = performance.now();
  const stream = `test-${randomUUID()}`;
  await until(() =>
    log.readStream(stream).then(
      () => undefined,
      (error: unknown) => String(error).includes("within 3000 ms"),
    ),
  );
  await log.close();
  // Looking for a member goes on for 50 s and more: the client asks ten times.
  expect(performance.now() - startedAt).toBeLessThan(9_000);
}, 60_000);
