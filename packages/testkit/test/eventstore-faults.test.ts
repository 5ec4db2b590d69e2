import {
  EventStoreDBClient,
  jsonEvent,
  START,
  streamNameFilter,
  UnknownError,
  type Position,
} from "@eventstore/db-client";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { eventStoreDouble, type EventStoreDouble } from "../src/eventstore/index.ts";
import { selfSignedCertificate, until } from "../src/index.ts";

const event = () => jsonEvent({ id: crypto.randomUUID(), type: "Tested", data: { a: 1 } });
const credentials = { username: "somebody", password: "secret" };
const places = ["before", "middle", "after"] as const;

/** Runs with a client of its own, as a caller does who trusts no client after an error. */
async function using<T>(
  connectionString: string,
  work: (client: EventStoreDBClient) => Promise<T>,
): Promise<T> {
  const client = EventStoreDBClient.connectionString(connectionString);
  try {
    return await work(client);
  } finally {
    await client.dispose();
  }
}

describe("cuts", () => {
  // Without batches each append is a call of its own, which a cut ends with an error for its caller alone.
  const steps = async (double: EventStoreDouble, ids: readonly ReturnType<typeof event>[]) => {
    let failures = 0;
    for (const [index, each] of ids.entries()) {
      const expectedRevision = index === 0 ? "no_stream" : BigInt(index - 1);
      for (let done = false; !done;)
        done = await using(double.connectionString, (client) =>
          client.appendToStream("test-a", each, { expectedRevision, deadline: 2_000 }).then(
            () => true,
            () => !++failures,
          ),
        );
    }
    return failures;
  };

  test.each(places)(
    "%s every message: appends repeated with their ids are stored once, in order",
    async (place) => {
      const quiet = await eventStoreDouble({ batches: false });
      await steps(quiet, [event(), event()]);
      const total = quiet.faults.messages;
      await quiet.close();
      expect(total).toBeGreaterThanOrEqual(8);
      for (let n = 1; n <= total; n++) {
        const double = await eventStoreDouble({ batches: false });
        double.faults.cutAt(n, place);
        const given = [event(), event()];
        const failures = await steps(double, given);
        expect(double.faults.cuts).toBe(1);
        // Who has the last answer notices nothing; who has an earlier one may have sent the next request.
        expect(failures).toBeLessThanOrEqual(1);
        if (place !== "after") expect(failures).toBe(1);
        else if (n === total) expect(failures).toBe(0);
        expect(double.events().map(({ id }) => id)).toEqual(given.map(({ id }) => id));
        await double.close();
      }
    },
    60_000,
  );

  test("between the events of an append: nothing is stored until it is repeated", async () => {
    const streams = ["test-a", "test-b", "test-c", "test-d"];
    // Two messages about what the server can do, then four of each append, side by side.
    for (let n = 4; n <= 18; n++) {
      const double = await eventStoreDouble({ batches: false });
      const given = streams.map((stream) => ({ stream, events: [event(), event(), event()] }));
      const append = () =>
        using(double.connectionString, (client) =>
          Promise.allSettled(
            given.map(({ stream, events }) =>
              client.appendToStream(stream, events, { expectedRevision: "no_stream" }),
            ),
          ),
        );
      double.faults.cutAt(n, "before");
      await append();
      expect((await append()).map(({ status }) => status)).not.toContain("rejected");
      expect(double.events()).toHaveLength(12);
      await double.close();
    }
  });

  test.each(places)(
    "%s every message: a subscription resumed after what it saw sees each event once",
    async (place) => {
      const double = await eventStoreDouble();
      const given = Array.from({ length: 5 }, event);
      await using(double.connectionString, (client) => client.appendToStream("test-a", given));
      const follow = async (): Promise<string[]> => {
        const seen: string[] = [];
        let position: Position | typeof START = START;
        let ended = false;
        while (seen.length < given.length)
          await using(double.connectionString, async (client) => {
            ended = false;
            const filter = streamNameFilter({ prefixes: ["test-"] });
            const subscription = client.subscribeToAll({ fromPosition: position, filter });
            subscription.on("error", () => (ended = true));
            subscription.on("end", () => (ended = true));
            subscription.on("data", ({ event: each }) => {
              seen.push(each!.id);
              position = each!.position!;
            });
            await until(() => ended || seen.length >= given.length, { what: "events or the end" });
          });
        return seen;
      };
      const before = double.faults.messages;
      await follow();
      const total = double.faults.messages - before;
      for (let n = 1; n <= total; n++) {
        double.faults.cutAt(n, place);
        expect(await follow()).toEqual(given.map(({ id }) => id));
      }
      expect(double.faults.cuts).toBeGreaterThanOrEqual(given.length);
      await double.close();
    },
    60_000,
  );
});

describe("other faults", () => {
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
  const stored = () => double.store.stream("test-a").length;

  test("a lost answer ends in the caller's deadline, with the append stored", async () => {
    // With credentials an append is a call of its own, and has a deadline; the first one also connects.
    await client.appendToStream("test-a", event(), { credentials });
    double.faults.loseAnswers(1);
    const single = { deadline: 2_000, credentials };
    await expect(client.appendToStream("test-a", event(), single)).rejects.toThrow();
    expect(stored()).toBe(2);
    await client.appendToStream("test-a", event(), { credentials });
    expect(stored()).toBe(3);
  });

  test("a node that hangs stores nothing, and works again afterwards", async () => {
    await client.appendToStream("test-a", event());
    double.faults.hang = true;
    const single = { deadline: 300, credentials };
    await expect(client.appendToStream("test-a", event(), single)).rejects.toThrow();
    expect(stored()).toBe(1);
    double.faults.hang = false;
    await client.appendToStream("test-a", event(), { credentials });
    expect(stored()).toBe(2);
  });

  test("a node that is stopped stores what came meanwhile when it goes on", async () => {
    await client.appendToStream("test-a", event());
    double.freeze();
    const held = client.appendToStream("test-a", event(), { deadline: 300, credentials });
    await expect(held).rejects.toThrow();
    expect(stored()).toBe(1);
    const waiting = client.appendToStream("test-a", event(), { deadline: 5_000, credentials });
    double.thaw();
    await waiting;
    expect(stored()).toBeGreaterThan(1);
  });

  test("a subscription that the server ends is over without an error, and another follows on", async () => {
    const follow = (from: typeof START | Position) => {
      const seen: Position[] = [];
      const subscription = client.subscribeToAll({
        fromPosition: from,
        filter: streamNameFilter({ prefixes: ["test-"] }),
      });
      const ended = new Promise<unknown>((resolve) =>
        subscription.once("end", () => resolve(undefined)).once("error", resolve),
      );
      subscription.on("data", (each) => seen.push(each.event!.position!));
      return { seen, ended, stop: () => subscription.unsubscribe() };
    };
    await client.appendToStream("test-a", event());
    const first = follow(START);
    await until(() => first.seen.length === 1, { what: "the first event has come" });
    double.faults.endSubscriptions();
    expect(await first.ended).toBeUndefined();
    await client.appendToStream("test-a", event());
    const second = follow(first.seen[0]!);
    await until(() => second.seen.length === 1, { what: "the second event has come" });
    await second.stop();
  });

  test("a subscription that was muted stays open and brings nothing, and another does", async () => {
    const filter = streamNameFilter({ prefixes: ["test-"] });
    const seen = { muted: 0, other: 0, ended: 0 };
    const muted = client.subscribeToAll({ fromPosition: START, filter });
    muted.on("data", () => seen.muted++).on("end", () => seen.ended++);
    await client.appendToStream("test-a", event());
    await until(() => seen.muted === 1, { what: "the first event has come" });
    double.faults.muteSubscriptions();
    await client.appendToStream("test-a", event());
    const other = client.subscribeToAll({ fromPosition: START, filter });
    other.on("data", () => seen.other++);
    await until(() => seen.other === 2, { what: "the other has both" });
    expect(seen).toEqual({ muted: 1, other: 2, ended: 0 });
    await muted.unsubscribe();
    await other.unsubscribe();
  });

  test("a slow answer is late and right", async () => {
    await client.appendToStream("test-a", event());
    double.faults.slowMs = 200;
    const from = performance.now();
    await client.appendToStream("test-a", event());
    expect(performance.now() - from).toBeGreaterThan(190);
  });

  test("a failed append is unknown to its caller and not stored, so often as wanted", async () => {
    double.faults.failAppends(2);
    for (let n = 0; n < 2; n++)
      await expect(client.appendToStream("test-a", event())).rejects.toBeInstanceOf(UnknownError);
    expect(stored()).toBe(0);
    await client.appendToStream("test-a", event());
    expect(stored()).toBe(1);
  });

  test("a follower names the leader, and the client goes there", async () => {
    const leader = await eventStoreDouble({ store: double.store });
    double.faults.leaderPort = leader.port;
    await expect(client.appendToStream("test-a", event())).rejects.toThrow();
    await client.appendToStream("test-a", event());
    expect(stored()).toBe(1);
    expect(leader.faults.messages).toBeGreaterThan(0);
    await leader.close();
  });

  test("discovery at a follower finds the leader before the first append", async () => {
    const leader = await eventStoreDouble({ store: double.store });
    double.faults.leaderPort = leader.port;
    await using(double.discoverString, (found) => found.appendToStream("test-a", event()));
    expect(stored()).toBe(1);
    // Gossip's question and answer.
    expect(double.faults.messages).toBe(2);
    await leader.close();
  });

  test("it goes away and comes back with what it had, on the same port", async () => {
    await client.appendToStream("test-a", event());
    await double.stop();
    await expect(client.appendToStream("test-a", event(), { deadline: 500 })).rejects.toThrow();
    await double.start();
    const again = event();
    await until(
      () =>
        client.appendToStream("test-a", again, { deadline: 1_000 }).then(
          () => true,
          () => false,
        ),
      { what: "an append succeeds again" },
    );
    expect(stored()).toBe(2);
  });

  test("over TLS it serves who has the credentials, and nobody else", async () => {
    const tls = await selfSignedCertificate();
    const closed = await eventStoreDouble({ tls, credentials });
    await using(closed.connectionString, (known) => known.appendToStream("test-a", event()));
    const stranger = closed.connectionString.replace(credentials.password, "wrong");
    await expect(
      using(stranger, (unknown) => unknown.appendToStream("test-a", event())),
    ).rejects.toThrow(/unauthenticated/i);
    expect(closed.events()).toHaveLength(1);
    await closed.close();
    await tls.remove();
  });
});
