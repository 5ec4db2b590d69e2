import { randomUUID } from "node:crypto";
import { inspect } from "node:util";
import { loosely, selfSignedCertificate, until } from "@heliograph/testkit";
import { eventStoreDouble } from "@heliograph/testkit/eventstore";
import { describe, expect, it } from "vitest";
import { InvalidConnectionString, LogUnavailable, type Append } from "../src/index.ts";
import { onDouble } from "./eventstoredb-setting.ts";
import { event, inOrder, newStream, watch } from "./support.ts";

const { open, errors, at } = onDouble();

/** How often each id is stored: once, or something was done twice. */
const timesStored = (id: string): number =>
  at()
    .events()
    .filter((record) => record.id === id).length;

describe("an answer that does not come", () => {
  it("is asked for again with the same ids, and the append is reported as done", async () => {
    const log = await open();
    at().faults.loseAnswers(1);
    const append = newStream();
    const [outcome] = await log.append([append]);
    expect(outcome).toMatchObject({ kind: "appended", revision: 0 });
    expect(timesStored(append.events[0]!.id)).toBe(1);
    expect(errors).not.toEqual([]);
  });

  it("ends in LogUnavailable that says the outcome is unknown, and a retry tells what it was", async () => {
    const log = await open("test", { appendTimeoutMs: 1_000 });
    at().faults.loseAnswers(Number.POSITIVE_INFINITY);
    const append = newStream();
    const error = await log.append([append]).catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(LogUnavailable);
    expect((error as LogUnavailable).outcomeUnknown).toBe(true);
    at().faults.loseAnswers(0);
    const outcome = await until(() => log.append([append]), {
      what: "the log takes appends again",
    });
    expect(outcome[0]).toMatchObject({ kind: "duplicate", revision: 0 });
    expect(timesStored(append.events[0]!.id)).toBe(1);
  });

  it("is safe to ask for again where any revision was expected", async () => {
    const log = await open();
    const stream = `test-${randomUUID()}`;
    await log.append([{ stream, expected: "any", events: [event()] }]);
    at().faults.loseAnswers(1);
    const append: Append = { stream, expected: "any", events: [event(), event()] };
    expect((await log.append([append]))[0]).toMatchObject({ kind: "appended", revision: 2 });
    expect(at().store.stream(`test.${stream}`)).toHaveLength(3);
  });
});

it("an append that the server refuses or fails is alone with that, though all share one call", async () => {
  const log = await open();
  at().faults.failAppends(1);
  const large = "x".repeat(900_000);
  const tooLarge: Append = {
    ...newStream(),
    // In three messages of the protocol.
    events: Array.from({ length: 8 }, () => event({ data: { large } })),
  };
  const first = newStream();
  await log.append([first]);
  const conflicting: Append = { ...first, events: [event()] };
  const outcomes = await log.append([newStream(), tooLarge, newStream(), conflicting, newStream()]);
  expect(outcomes.map(({ kind }) => kind)).toEqual([
    "appended",
    "invalid",
    "appended",
    "conflict",
    "appended",
  ]);
  expect(errors).toHaveLength(1);
  expect(at().events()).toHaveLength(4);
});

it("tells the true revision of a conflict", async () => {
  const log = await open();
  const append = { ...newStream(), events: [event(), event(), event()] };
  await log.append([append]);
  const [outcome] = await log.append([{ ...append, events: [event()] }]);
  expect(outcome).toEqual({ kind: "conflict", actual: 2 });
});

it("a connection error of one namespace does not fail the appends of another", async () => {
  const other = await eventStoreDouble();
  const log = await open("one");
  const heard: unknown[] = [];
  const elsewhere = await open("two", {
    connectionString: other.connectionString,
    onError: (error) => void heard.push(error),
  });
  await log.append([newStream()]);
  await elsewhere.append([newStream()]);
  other.faults.slowMs = 500;
  const slow = elsewhere.append([newStream(), newStream()]);
  await until(() => other.events().length === 3, { what: "both are stored, their answers wait" });
  at().cut();
  const quick = log.append([newStream()]);
  expect((await quick).map(({ kind }) => kind)).toEqual(["appended"]);
  expect((await slow).map(({ kind }) => kind)).toEqual(["appended", "appended"]);
  expect(errors).not.toEqual([]);
  expect(heard).toEqual([]);
  other.faults.slowMs = 0;
  await elsewhere.close();
  await other.close();
});

it("refuses at once while no node answers, and takes appends again when one does", async () => {
  const log = await open("test", { appendTimeoutMs: 500 });
  await at().stop();
  await expect(log.append([newStream()])).rejects.toBeInstanceOf(LogUnavailable);
  const refused = log.append([newStream()]).catch((error: unknown) => error);
  // No timer and no answer from outside comes before the loop has turned.
  const turned = new Promise((resolve) => void setImmediate(resolve));
  expect(await Promise.race([refused, turned])).toBeInstanceOf(LogUnavailable);
  await at().start();
  const [outcome] = await until(() => log.append([newStream()]), {
    timeoutMs: 15_000,
    what: "the log takes appends again",
  });
  expect(outcome).toMatchObject({ kind: "appended" });
});

it("refuses what would have to wait behind too many", async () => {
  const log = await open("test", { maxWaiting: 10 });
  at().faults.slowMs = 200;
  const waiting = log.append(Array.from({ length: 10 }, () => newStream()));
  await expect(log.append([newStream()])).rejects.toThrow("wait already");
  at().faults.slowMs = 0;
  await waiting;
});

it("subscribes again from where it was, and says so", async () => {
  const log = await open();
  const watcher = watch(log, { after: 0n });
  await log.append([newStream(), newStream()]);
  await until(() => watcher.events.length === 2);
  at().cut();
  await until(() => errors.length > 0, { what: "the cut is told" });
  await log.append([newStream()]);
  await until(() => watcher.events.length === 3);
  at().faults.endSubscriptions();
  await until(() => errors.some((error) => error.includes("ended the subscription")));
  await at().stop();
  await at().start();
  const [outcome] = await until(() => log.append([newStream()]), {
    timeoutMs: 15_000,
    what: "an append succeeds",
  });
  expect(outcome!.kind).toBe("appended");
  await until(() => watcher.events.length === 4, { timeoutMs: 15_000 });
  await watcher.stop();
  expect(inOrder(watcher.events, false)).toBe(true);
});

it("goes on past a record of others that looks like one of its own", async () => {
  const log = await open();
  const watcher = watch(log, { after: 0n });
  const foreign = [
    null,
    "own",
    { version: 1, position: "abc" },
    { version: "new" },
    { version: 1, at: {} },
  ];
  for (const [n, heliograph] of foreign.entries())
    at().store.append(`test.foreign-${n}`, "any", [
      {
        id: randomUUID(),
        type: "Foreign",
        contentType: "application/json",
        data: Buffer.from("{}"),
        metadata: Buffer.from(JSON.stringify({ heliograph, from: "elsewhere" })),
      },
    ]);
  await log.append([newStream()]);
  await until(() => watcher.events.length === foreign.length + 1);
  await watcher.stop();
  const { events } = await log.readAll({ after: 0n, limit: 10 });
  expect(watcher.events).toEqual(events);
  expect(events.map(({ version }) => version)).toEqual([...foreign.map(() => 0), 1]);
  expect(events[0]!.metadata).toEqual({
    from: "elsewhere",
    unreadable: "not written by this driver",
  });
  expect(errors).toEqual([]);
});

it("subscribes again when the subscription has gone quiet and the rest of the connection has not", async () => {
  const log = await open();
  const watcher = watch(log, { after: 0n });
  await log.append([newStream()]);
  await until(() => watcher.events.length === 1);
  at().faults.muteSubscriptions();
  // What was appended is told by a read meanwhile.
  expect((await log.append([newStream()]))[0]).toMatchObject({ kind: "appended" });
  await until(() => watcher.events.length === 2, { timeoutMs: 10_000 });
  await watcher.stop();
  expect(errors).toEqual([expect.stringContaining("did not bring")]);
}, 15_000);

it("moves past what others store, also when nothing of its own comes after it", async () => {
  const log = await open("mine");
  const other = await open("theirs");
  const watcher = watch(log, { after: 0n });
  await other.append(Array.from({ length: 150 }, () => newStream()));
  const head = await log.head();
  await until(() => watcher.position >= head, { what: "the idle namespace is at the end" });
  await watcher.stop();
  expect(watcher.events).toEqual([]);
  expect(watcher.caughtUp).toBe(true);
});

it("goes to the leader when a follower names it", async () => {
  const follower = await eventStoreDouble({ store: at().store });
  follower.faults.leaderPort = at().port;
  const log = await open("test", { connectionString: follower.connectionString });
  const watcher = watch(log, { after: 0n });
  const [outcome] = await log.append([newStream()]);
  expect(outcome).toMatchObject({ kind: "appended" });
  await until(() => watcher.events.length === 1);
  await watcher.stop();
  await log.close();
  await follower.close();
});

it("takes credentials and TLS from the connection string", async () => {
  const certificate = await selfSignedCertificate();
  const secured = await eventStoreDouble({
    tls: certificate,
    credentials: { username: "heliograph", password: "s3cret" },
  });
  const log = await open("test", { connectionString: secured.connectionString });
  expect((await log.append([newStream()]))[0]).toMatchObject({ kind: "appended" });
  await log.close();
  const wrong = secured.connectionString.replace("s3cret", "wrong");
  await expect(open("test", { connectionString: wrong })).rejects.toBeInstanceOf(LogUnavailable);
  await secured.close();
});

it("sends an append again that a node took and never answered, in time for its caller", async () => {
  const log = await open("test", { appendTimeoutMs: 15_000 });
  at().faults.hang = true;
  const append = newStream();
  const outcome = log.append([append]);
  await until(() => errors.some((error) => /DEADLINE|no answer/.test(error)), {
    what: "the call's own time is over",
  });
  at().faults.hang = false;
  expect(await outcome).toMatchObject([{ kind: "appended", revision: 0 }]);
  expect(timesStored(append.events[0]!.id)).toBe(1);
}, 30_000);

it("keeps no more of recent events than the ring may hold, and subscribers miss nothing", async () => {
  const log = await open("test", { ring: { maxEvents: 1_000, maxBytes: 4_000 } });
  const watcher = watch(log, { after: 0n });
  const late = await open("test", { ring: { maxEvents: 7, maxBytes: 1_000_000 } });
  const text = "x".repeat(1_000);
  for (let round = 0; round < 10; round++)
    await log.append([newStream({ data: { text } }), newStream({ data: { text } })]);
  await until(() => watcher.events.length === 20);
  const watchers = [
    watcher,
    watch(log, { after: 0n }),
    watch(late, { after: 0n, maxEvents: 3 }),
    watch(late, { after: watcher.events[9]!.position }),
  ];
  for (const each of watchers) await until(() => each.position === watcher.position);
  await log.append([newStream()]);
  for (const [index, each] of watchers.entries()) {
    await until(() => each.events.length === (index === 3 ? 11 : 21));
    await each.stop();
    expect(inOrder(each.events, false)).toBe(true);
  }
});

it("leaves no read open at the node, however little of it was wanted", async () => {
  const narrow = await eventStoreDouble({ calls: 10 });
  const log = await open("test", { connectionString: narrow.connectionString });
  await log.append(Array.from({ length: 30 }, () => newStream()));
  await log.append([newStream({ type: "Rare" })]);
  const data = { text: "x".repeat(50_000) };
  for (let append = 0; append < 3; append++)
    await log.append([
      { ...newStream(), events: Array.from({ length: 19 }, () => event({ data })) },
    ]);
  for (let read = 0; read < 12; read++) {
    const page = await log.readAll({ after: 0n, limit: 1, types: loosely(["Rare"]) });
    expect(page.events).toHaveLength(1);
  }
  expect(await log.append([newStream()])).toMatchObject([{ kind: "appended" }]);
  expect(errors).toEqual([]);
  await log.close();
  await narrow.close();
}, 60_000);

it("does not wait for long for a node that answers nothing", async () => {
  const log = await open();
  at().faults.hang = true;
  const waiting = await Promise.allSettled([
    open(),
    log.head(),
    log.readAll({ after: 0n, limit: 10 }),
    log.readStream("any"),
  ]);
  for (const one of waiting)
    expect(one).toMatchObject({ status: "rejected", reason: { name: "LogUnavailable" } });
  at().faults.hang = false;
}, 15_000);

it("appends that wait do not each try in turn when no node answers", async () => {
  const log = await open("test", { appendTimeoutMs: 500 });
  at().faults.hang = true;
  const startedAt = performance.now();
  const outcomes = await Promise.allSettled(
    Array.from({ length: 3_000 }, () => log.append([newStream()])),
  );
  at().faults.hang = false;
  expect(outcomes.every(({ status }) => status === "rejected")).toBe(true);
  // 256 at once, a second each: 3,000 in turn would take 12 s.
  expect(performance.now() - startedAt).toBeLessThan(6_000);
});

it("a connection string that the client cannot read is refused without being shown", async () => {
  const connectionString = "esdb://heliograph:s3cret@127.0.0.1:1?tls=perhaps";
  const error = await open("test", { connectionString }).catch((caught: unknown) => caught);
  expect(error).toBeInstanceOf(InvalidConnectionString);
  // With everything that an operator's log would show of it.
  expect(inspect(error)).not.toContain("s3cret");
});
