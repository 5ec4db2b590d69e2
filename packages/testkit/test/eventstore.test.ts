import {
  BACKWARDS,
  END,
  EventStoreDBClient,
  jsonEvent,
  START,
  streamNameFilter,
  WrongExpectedVersionError,
  type AllStreamSubscription,
  type Position,
} from "@eventstore/db-client";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { eventStoreDouble, realEventStore, until, type EventStoreDouble } from "../src/index.ts";

const event = (id: string = crypto.randomUUID()) =>
  jsonEvent({ id, type: "Tested", data: { a: "ü" }, metadata: { m: 1 } });

/** What the double and the real server must both do; the driver is written against exactly this. */
function behaviour(name: string, connect: () => Promise<{ url: string; close(): Promise<void> }>) {
  describe(name, () => {
    let opened: Awaited<ReturnType<typeof connect>>;
    let client: EventStoreDBClient;
    let prefix: string;
    beforeEach(async () => {
      opened = await connect();
      client = EventStoreDBClient.connectionString(opened.url);
      prefix = `t${crypto.randomUUID().slice(0, 8)}.`;
    });
    afterEach(async () => {
      await client.dispose();
      await opened.close();
    });
    const all = async (stream: string) => {
      const found = [];
      for await (const { event: each } of client.readStream(stream, { fromRevision: START }))
        found.push(each!);
      return found;
    };

    test("stores events with their id, type, data and metadata, and gives revision and position", async () => {
      const given = [event(), event()];
      const result = await client.appendToStream(`${prefix}a`, given, {
        expectedRevision: "no_stream",
      });
      expect(result.nextExpectedRevision).toBe(1n);
      const stored = await all(`${prefix}a`);
      expect(stored.map(({ id, revision, data }) => ({ id, revision, data }))).toEqual(
        given.map(({ id }, index) => ({ id, revision: BigInt(index), data: { a: "ü" } })),
      );
      expect(stored[0]!.metadata).toEqual({ m: 1 });
      expect(result.position!.commit).toBe(stored[1]!.position!.commit);
      expect(stored[0]!.position!.commit).toBeLessThan(stored[1]!.position!.commit);
    });

    test("tells the true revision of a conflict, and repeats the answer to the same events", async () => {
      const stream = `${prefix}b`;
      const first = [event(), event()];
      const done = await client.appendToStream(stream, first, { expectedRevision: "no_stream" });
      const again = await client.appendToStream(stream, first, { expectedRevision: "no_stream" });
      expect(again).toEqual(done);
      const error = await client
        .appendToStream(stream, event(), { expectedRevision: "no_stream" })
        .catch((caught: unknown) => caught);
      expect(error).toBeInstanceOf(WrongExpectedVersionError);
      expect((error as WrongExpectedVersionError).actualVersion).toBe(1n);
      expect(await all(stream)).toHaveLength(2);
    });

    test("reads everything in both directions from a position, and refuses to start where no record begins", async () => {
      const { position } = await client.appendToStream(`${prefix}c`, event());
      await client.appendToStream(`${prefix}c`, event());
      const forwards: bigint[] = [];
      for await (const { event: each } of client.readAll({ fromPosition: position! }))
        if (each!.streamId === `${prefix}c`) forwards.push(each!.revision);
      expect(forwards).toEqual([0n, 1n]);
      const last: string[] = [];
      for await (const { event: each } of client.readAll({
        direction: BACKWARDS,
        fromPosition: END,
        maxCount: 1,
      }))
        last.push(each!.streamId);
      expect(last).toEqual([`${prefix}c`]);
      const invented: Position = { commit: position!.commit + 1n, prepare: position!.commit + 1n };
      await expect(
        (async () => {
          for await (const each of client.readAll({ fromPosition: invented })) void each;
        })(),
      ).rejects.toThrow();
    });

    test("subscribes to a prefix after a position, says when it has caught up, and gives checkpoints", async () => {
      const { position } = await client.appendToStream(`${prefix}d`, event());
      for (let index = 0; index < 70; index++)
        await client.appendToStream(`other-${prefix}`, event());
      const second = await client.appendToStream(`${prefix}d`, event());
      const seen: string[] = [];
      const checkpoints: bigint[] = [];
      let caughtUp = false;
      const subscription: AllStreamSubscription = client.subscribeToAll({
        fromPosition: position!,
        filter: streamNameFilter({
          prefixes: [prefix],
          checkpointInterval: 1,
          maxSearchWindow: 32,
          checkpointReached: async (_, reached) => void checkpoints.push(reached.commit),
        }),
      });
      subscription.on("caughtUp", () => (caughtUp = true));
      subscription.on("data", ({ event: each }) => void seen.push(each!.id));
      await until(() => caughtUp, { what: "the subscription has caught up" });
      expect(seen).toHaveLength(1);
      expect(checkpoints.length).toBeGreaterThan(1);
      expect(checkpoints[0]!).toBeGreaterThan(position!.commit);
      expect(checkpoints[0]!).toBeLessThan(second.position!.commit);
      await client.appendToStream(`${prefix}d`, event());
      await until(() => seen.length === 2, { what: "the live event has come" });
      await subscription.unsubscribe();
    });
  });
}

behaviour("the double", async () => {
  const double = await eventStoreDouble();
  return { url: double.connectionString, close: double.close };
});
const real = await realEventStore();
if (real.skip === undefined)
  behaviour("EventStoreDB", async () => ({
    url: real.connectionString,
    close: async () => undefined,
  }));
else describe("EventStoreDB", () => test.skip(real.skip, () => undefined));

describe("the double's faults", () => {
  let double: EventStoreDouble;
  let client: EventStoreDBClient;
  beforeEach(async () => {
    double = await eventStoreDouble();
    client = EventStoreDBClient.connectionString(double.connectionString);
  });
  afterEach(async () => {
    await client.dispose();
    await double.close();
  });

  test("a cut at an answer leaves the append stored and the client without an answer", async () => {
    await client.appendToStream("test-a", event());
    const before = double.faults.messages;
    await client.appendToStream("test-a", event());
    const messages = double.faults.messages - before;
    double.faults.cutAt(messages);
    await expect(client.appendToStream("test-a", event())).rejects.toThrow();
    expect(double.store.stream("test-a")).toHaveLength(3);
    double.faults.cutAt(1);
    await expect(client.appendToStream("test-a", event())).rejects.toThrow();
    expect(double.store.stream("test-a")).toHaveLength(3);
  });

  test("a lost answer ends in the caller's deadline, with the append stored", async () => {
    double.faults.loseAnswers(1);
    await expect(
      client.appendToStream("test-a", event(), {
        deadline: 300,
        credentials: { username: "a", password: "b" },
      }),
    ).rejects.toThrow();
    expect(double.store.stream("test-a")).toHaveLength(1);
  });

  test("a follower names the leader, and the client goes there", async () => {
    const leader = await eventStoreDouble({ store: double.store });
    double.faults.leaderPort = leader.port;
    await expect(client.appendToStream("test-a", event())).rejects.toThrow();
    await client.appendToStream("test-a", event());
    expect(double.store.stream("test-a")).toHaveLength(1);
    await leader.close();
  });

  test("it goes away and comes back with what it had", async () => {
    await client.appendToStream("test-a", event());
    await double.stop();
    await expect(client.appendToStream("test-a", event(), { deadline: 500 })).rejects.toThrow();
    await double.start();
    await until(
      () =>
        client.appendToStream("test-a", event(), { deadline: 1_000 }).then(
          () => true,
          () => false,
        ),
      { what: "an append succeeds again" },
    );
    expect(double.store.stream("test-a").length).toBeGreaterThanOrEqual(2);
  });
});
