import {
  BACKWARDS,
  binaryEvent,
  END,
  EventStoreDBClient,
  jsonEvent,
  MaxAppendSizeExceededError,
  START,
  StreamNotFoundError,
  streamNameFilter,
  WrongExpectedVersionError,
  type AllStreamSubscription,
  type Position,
} from "@eventstore/db-client";
import shared from "@eventstore/db-client/generated/shared_pb.js";
import streamsService from "@eventstore/db-client/generated/streams_grpc_pb.js";
import streams from "@eventstore/db-client/generated/streams_pb.js";
import { credentials } from "@grpc/grpc-js";
import { afterEach, beforeEach, expect, test } from "vitest";
import { until } from "../src/index.ts";

const { ReadReq } = streams;
const event = (id: string = crypto.randomUUID()) =>
  jsonEvent({ id, type: "Tested", data: { a: "ü" }, metadata: { m: 1 } });

/** What the double and the real server must both do; the driver is written against exactly this. */
export function behaviour(connect: () => Promise<{ url: string; close(): Promise<void> }>): void {
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

  test("finds no stream that nothing was written to, and nothing after the end of all", async () => {
    await expect(all(`${prefix}none`)).rejects.toBeInstanceOf(StreamNotFoundError);
    const after = [];
    for await (const each of client.readAll({ fromPosition: END })) after.push(each);
    expect(after).toEqual([]);
  });

  test("reads a stream backwards from its end and from a revision, which is counted in", async () => {
    const stream = `${prefix}e`;
    await client.appendToStream(stream, [event(), event(), event()]);
    const revisions = async (fromRevision: typeof END | bigint) => {
      const found: bigint[] = [];
      const options = { direction: BACKWARDS, fromRevision, maxCount: 2 } as const;
      for await (const { event: each } of client.readStream(stream, options))
        found.push(each!.revision);
      return found;
    };
    expect(await revisions(END)).toEqual([2n, 1n]);
    expect(await revisions(1n)).toEqual([1n, 0n]);
  });

  test("repeats the answer to events that it knows when any revision will do, and only then", async () => {
    const stream = `${prefix}f`;
    const first = event();
    const done = await client.appendToStream(stream, first);
    await client.appendToStream(stream, event());
    expect(await client.appendToStream(stream, first)).toEqual(done);
    expect(await all(stream)).toHaveLength(2);
    await expect(
      client.appendToStream(stream, [first, event()], { expectedRevision: "no_stream" }),
    ).rejects.toBeInstanceOf(WrongExpectedVersionError);
    expect(await all(stream)).toHaveLength(2);
  });

  test("refuses appends of more than 1 MiB, in batch and single, and stores none of it", async () => {
    const part = () =>
      binaryEvent({ type: "Tested", data: new Uint8Array(600_000), metadata: new Uint8Array() });
    const single = { credentials: { username: "admin", password: "changeit" } };
    for (const options of [{}, single])
      await expect(
        client.appendToStream(`${prefix}g`, [part(), part()], options),
      ).rejects.toBeInstanceOf(MaxAppendSizeExceededError);
    await expect(all(`${prefix}g`)).rejects.toBeInstanceOf(StreamNotFoundError);
  });

  test("a read of everything may have a filter, which the client does not know", async () => {
    const first = await client.appendToStream(`${prefix}i`, event());
    await client.appendToStream(`other-${prefix}`, event());
    await client.appendToStream(`${prefix}i`, [event(), event()]);
    const read = (count: number, window: number) =>
      new Promise<bigint[]>((resolve, reject) => {
        const expression = new ReadReq.Options.FilterOptions.Expression();
        const filter = new ReadReq.Options.FilterOptions().setMax(window);
        filter.setStreamIdentifier(expression.setPrefixList([prefix]));
        const place = new ReadReq.Options.Position()
          .setCommitPosition(String(first.position!.commit))
          .setPreparePosition(String(first.position!.prepare));
        const options = new ReadReq.Options()
          .setAll(new ReadReq.Options.AllOptions().setPosition(place))
          .setCount(String(count))
          .setUuidOption(new ReadReq.Options.UUIDOption().setString(new shared.Empty()))
          .setFilter(filter);
        const found: bigint[] = [];
        const raw = new streamsService.StreamsClient(
          new URL(opened.url).host,
          credentials.createInsecure(),
        );
        const call = raw.read(new ReadReq().setOptions(options));
        const end = (result: () => void) => {
          raw.close();
          result();
        };
        call.on("data", (answer: streams.ReadResp) =>
          found.push(BigInt(answer.getEvent()!.getEvent()!.getStreamRevision())),
        );
        call.on("error", (error) => end(() => reject(error)));
        call.on("end", () => end(() => resolve(found)));
      });
    expect(await read(10, 100)).toEqual([0n, 1n, 2n]);
    expect(await read(2, 100)).toEqual([0n, 1n]);
    await expect(read(100, 100)).rejects.toThrow();
  });

  test("gives a subscription from the end what comes then, and no checkpoint before", async () => {
    await client.appendToStream(`${prefix}h`, event());
    const seen: string[] = [];
    let checkpoints = 0;
    let caughtUp = false;
    const subscription = client.subscribeToAll({
      fromPosition: END,
      filter: streamNameFilter({
        prefixes: [prefix],
        checkpointReached: async () => void checkpoints++,
      }),
    });
    subscription.on("caughtUp", () => (caughtUp = true));
    subscription.on("data", ({ event: each }) => void seen.push(each!.id));
    await until(() => caughtUp, { what: "the subscription has caught up" });
    expect(checkpoints).toBe(0);
    const live = event();
    await client.appendToStream(`${prefix}h`, live);
    await until(() => seen.length > 0, { what: "the live event has come" });
    expect(seen).toEqual([live.id]);
    await subscription.unsubscribe();
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
}
