import { until } from "@heliograph/testkit";
import { openWorld, type World } from "@heliograph/testkit/world";
import { service as control } from "@heliograph/control";
import { restMs } from "@heliograph/runtime";
import type pg from "pg";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { service } from "../src/index.ts";
import { publish as publishTo } from "./publish.ts";
import * as streams from "./read-stream.ts";

type Query = (asked: pg.QueryConfig) => Promise<pg.QueryResult>;

let world: World;
beforeAll(async () => {
  world = await openWorld({ services: [service, control] });
});
afterAll(() => world.close());

const body = (sequence: number, type: string): string =>
  `{"id":"evt_${sequence}","type":"${type}","timestamp":"2026-01-01T00:00:00.000Z","environment":"sandbox","sequence":${sequence},"data":{"n":1.0}}`;
/** As a reader gets it that was told of `previous` before. */
const told = (sequence: number, type: string, previous: number): string =>
  body(sequence, type).replace(`,"data"`, `,"previous_sequence":${previous},"data"`);

const publish = (partner: string, from: number, types: readonly string[]): Promise<void> =>
  publishTo(world, body, partner, from, types);

const get = (key: string, query: string, headers: Record<string, string> = {}) =>
  world.call("GET", `/api/v1/events${query}`, { key, headers });

type Options = Parameters<typeof streams.readStream>[3];
const readStream = (key: string, count: number, options?: Options) =>
  streams.readStream(world.port, key, count, options);

describe("the feed", () => {
  test("gives the stored text with the number before it and says where to read on", async () => {
    const { id, key } = await world.addPartner();
    await publish(id, 1, ["message.queued", "message.sent", "message.delivered"]);
    const all = await get(key, "");
    const texts = [1, 2, 3].map((n) => told(n, all.body.data[n - 1].type, n - 1));
    expect(all.text).toBe(`{"data":[${texts.join(",")}],"next_after":3,"next_cursor":"3"}`);
    const page = (await get(key, "?limit=2")).body;
    expect([page.data.length, page.next_after]).toEqual([2, 2]);
    expect((await get(key, "?cursor=2&event_types=message.delivered")).body.data).toHaveLength(1);
    const rest = (await get(key, `?after=${page.next_after}`)).body;
    expect(rest.data.map(({ sequence }: { sequence: number }) => sequence)).toEqual([3]);
    expect((await get(key, "?after=3")).body).toEqual({
      data: [],
      next_after: 3,
      next_cursor: "3",
    });
  });

  test("with a filter moves past what does not match", async () => {
    const { id, key } = await world.addPartner();
    await publish(id, 1, ["message.queued", "message.sent", "message.queued"]);
    const { body: page } = await get(key, "?types=message.sent,message.failed");
    expect([page.data.length, page.data[0].sequence, page.next_after]).toEqual([1, 2, 3]);
  });

  test("takes `cursor` for `after` and `event_types` for `types`", async () => {
    const { id, key } = await world.addPartner();
    await publish(id, 1, ["message.queued", "message.sent", "message.queued"]);
    const numbers = async (query: string) =>
      (await get(key, query)).body.data.map(({ sequence }: { sequence: number }) => sequence);
    const first = (await get(key, "?limit=1")).body;
    expect(await numbers(`?cursor=${first.next_cursor}`)).toEqual([2, 3]);
    expect(await numbers("?event_types=message.queued")).toEqual([1, 3]);
    expect(await numbers("?types=message.*")).toEqual(await numbers(""));
    expect(await numbers("?types=conversation.*,message.queued")).toEqual([1, 3]);
  });

  test("is read backwards too, page by page, with a filter and over numbers that are left out", async () => {
    const { id, key } = await world.addPartner();
    expect((await get(key, "?before=9")).body).toEqual({
      data: [],
      next_after: 0,
      next_cursor: "0",
      prev_before: null,
    });
    await publish(id, 1, ["message.queued", "message.sent", "message.delivered"]);
    await publish(id, 2_000_000_000, ["message.sent", "message.queued"]);
    const back = async (query: string) => {
      const pages: number[][] = [];
      for (let before: number | null = Number.MAX_SAFE_INTEGER; before !== null;) {
        const { body: page } = await get(key, `?before=${before}${query}`);
        pages.push(page.data.map(({ sequence }: { sequence: number }) => sequence));
        before = page.prev_before;
      }
      return pages;
    };
    expect(await back("&limit=2")).toEqual([[2_000_000_000, 2_000_000_001], [2, 3], [1]]);
    expect(await back("&types=message.sent")).toEqual([[2_000_000_000], [2]]);
    expect(await back("&types=message.delivered")).toEqual([[], [3]]);
    const page = (await get(key, "?before=3")).body;
    expect([page.data.length, page.next_after, page.prev_before]).toEqual([2, 2, null]);
    for (const more of ["after=1", "cursor=1", "wait=1"])
      expect((await get(key, `?before=3&${more}`)).status).toBe(422);
    expect((await world.call("GET", "/api/v1/events/stream?before=3", { key })).status).toBe(422);
  });

  test("passes over numbers that a restore left out, however many, and moves to the end of them", async () => {
    const { id, key } = await world.addPartner();
    await publish(id, 1, ["message.queued"]);
    await publish(id, 2_000_000_000, ["message.sent", "message.queued"]);
    const page = (await get(key, "?after=1&limit=1")).body;
    expect([page.data[0].sequence, page.next_after]).toEqual([2_000_000_000, 2_000_000_000]);
    const rest = (await get(key, "?after=1&types=message.queued")).body;
    expect([rest.data[0].sequence, rest.next_after]).toEqual([2_000_000_001, 2_000_000_001]);
  });

  test("refuses to read on from an event that it does not have, unless that comes in a moment", async () => {
    const { id, key } = await world.addPartner();
    await publish(id, 1, ["message.queued"]);
    for (const path of ["/events?after=3&wait=20", "/events/stream?after=3"])
      expect(await world.call("GET", `/api/v1${path}`, { key })).toMatchObject({
        status: 409,
        body: { code: "sequence_ahead", detail: expect.stringContaining("The feed ends at 1") },
      });
    const early = get(key, "?after=3");
    await publish(id, 2, ["message.sent", "message.delivered"]);
    expect((await early).body).toMatchObject({ data: [], next_after: 3 });
  });

  test("shows a partner nothing of another", async () => {
    const { id } = await world.addPartner();
    const { key } = await world.addPartner();
    await publish(id, 1, ["message.queued"]);
    expect((await get(key, "")).body).toEqual({ data: [], next_after: 0, next_cursor: "0" });
  });

  test("answers a long poll as soon as there is an event that matches", async () => {
    const { id, key } = await world.addPartner();
    await publish(id, 1, ["message.queued"]);
    const numbersOf = async (answer: ReturnType<typeof get>) =>
      (await answer).body.data.map(({ sequence }: { sequence: number }) => sequence);
    // As long as the test may take: one that is not woken fails it.
    const waiting = get(key, "?after=1&wait=30&types=message.sent");
    // One that takes every type is woken with it, and tells when that was.
    const other = get(key, "?after=1&wait=30");
    await publish(id, 2, ["message.queued"]);
    expect(await numbersOf(other)).toEqual([2]);
    await publish(id, 3, ["message.sent"]);
    expect(await numbersOf(waiting)).toEqual([3]);
  }, 30_000);

  test("answers a long poll with nothing when its time is up", async () => {
    const { key } = await world.addPartner();
    const started = performance.now();
    expect((await get(key, "?wait=0.3")).body).toEqual({
      data: [],
      next_after: 0,
      next_cursor: "0",
    });
    expect(performance.now() - started).toBeGreaterThan(250);
  });

  test("ends a long poll whose key is revoked", async () => {
    const { key } = await world.addPartner();
    const issued = await world.call("POST", "/api/v1/keys", { key, body: { name: "reader" } });
    const waiting = get(issued.body.key, "?wait=20");
    await until(async () => (await get(issued.body.key, "")).status === 200);
    await world.call("DELETE", `/api/v1/keys/${issued.body.id}`, { key });
    expect((await waiting).body.code).toBe("key_revoked");
  });

  test("ends a long poll and a stream when their key expires", async () => {
    const { id } = await world.addPartner();
    const soon = () => new Date(Date.now() + 1_000).toISOString();
    const polling = await world.addKey(id, { expires_at: soon() });
    const waiting = get(polling, "?wait=20");
    expect(await waiting).toMatchObject({ status: 401, body: { code: "key_revoked" } });
    const reading = await world.addKey(id, { expires_at: soon() });
    expect((await readStream(reading, 1)).ids).toEqual([]);
  });

  test.each([
    "?after=-1",
    "?after=0x10",
    "?after=1e3",
    "?after=",
    "?after=%201",
    "?cursor=x",
    "?event_types=message.lost",
    "?after=x",
    "?limit=0",
    "?limit=1001",
    "?wait=31",
    "?types=message.lost",
  ])("refuses %s", async (query) => {
    const { key } = await world.addPartner();
    expect((await get(key, query)).status).toBe(422);
  });

  test("keeps the cursor of a reader by its name: committed forwards, reset anywhere, of one partner alone", async () => {
    const { id, key } = await world.addPartner();
    await publish(id, 1, Array(5).fill("message.sent"));
    const consumers = (method: string, path: string, body?: object, as = key) =>
      world.call(method, `/api/v1/event-consumers${path}`, { key: as, ...(body && { body }) });
    const at = async (path: string, sequence: number) => {
      const { status, body } = await consumers("POST", `/billing/${path}`, { sequence });
      return [status, body.sequence, body.lag];
    };
    const page = async () =>
      (await get(key, "?consumer=billing&limit=2")).body.data.map(
        (event: { sequence: number }) => event.sequence,
      );
    expect(await page()).toEqual([1, 2]);
    expect((await consumers("GET", "/billing")).status).toBe(404);
    expect(await at("commit", 2)).toEqual([200, 2, 3]);
    expect(await page()).toEqual([3, 4]);
    expect(await at("commit", 4)).toEqual([200, 4, 1]);
    expect(await at("commit", 3)).toEqual([200, 4, 1]); // a slower worker
    expect(await page()).toEqual([5]);
    expect(await at("reset", 1)).toEqual([200, 1, 4]);
    expect(await page()).toEqual([2, 3]);
    const ahead = await consumers("POST", "/billing/commit", { sequence: 6 });
    expect([ahead.status, ahead.body.code]).toEqual([409, "sequence_ahead"]);
    for (const query of [
      "?consumer=billing&after=1",
      "?consumer=billing&before=3",
      "?consumer=a%20b",
    ])
      expect((await get(key, query)).status).toBe(422);
    expect((await consumers("POST", "/a%20b/commit", { sequence: 1 })).status).toBe(422);

    const other = await world.addPartner();
    expect((await consumers("GET", "/billing", undefined, other.key)).status).toBe(404);
    expect((await consumers("DELETE", "/billing", undefined, other.key)).status).toBe(404);
    for (let more = 1; more < 50; more++)
      await world.platform.contexts.sandbox.pool.query(
        "insert into feed_consumers.consumers (account, name, space, sequence) values ($1, $2, 'ptn_before', 3)",
        [id, `r${more}`],
      );
    expect((await consumers("POST", "/one-more/commit", { sequence: 1 })).status).toBe(409);
    expect(await at("commit", 2)).toEqual([200, 2, 3]);
    const listed = (await consumers("GET", "")).body.data;
    expect(listed).toHaveLength(50);
    // Those of the sandbox before a reset begin anew.
    expect(listed.at(-1)).toMatchObject({ name: "r9", sequence: 0, lag: 5 });
    expect((await consumers("DELETE", "/billing")).status).toBe(204);
    expect(await page()).toEqual([1, 2]);
  });

  test("has types that are documented", async () => {
    const { key } = await world.addPartner();
    const { body: types } = await world.call("GET", "/api/v1/event-types", { key });
    const sent = types.data.find(({ type }: { type: string }) => type === "message.sent");
    expect(sent).toMatchObject({
      description: expect.any(String),
      version: 1,
      schema: { required: expect.arrayContaining(["message_id", "provider"]) },
      example: { type: "message.sent", environment: "sandbox", data: { channel: "sms" } },
    });
  });
});

describe("the stream", () => {
  test("gives what is there, then what comes, with the text of the feed", async () => {
    const { id, key } = await world.addPartner();
    await publish(id, 1, ["message.queued", "message.sent"]);
    const reading = readStream(key, 3);
    await publish(id, 3, ["message.delivered"]);
    const { ids, data } = await reading;
    expect(ids).toEqual(["1", "2", "3"]);
    expect(data[1]).toBe(told(2, "message.sent", 1));
  });

  test("resumes behind Last-Event-ID, whatever the query says", async () => {
    const { id, key } = await world.addPartner();
    await publish(id, 1, ["message.queued", "message.sent", "message.delivered"]);
    const options = { query: "?after=0", headers: { "last-event-id": "2" } };
    expect((await readStream(key, 1, options)).ids).toEqual(["3"]);
    expect((await readStream(key, 1, { query: "?types=message.sent" })).ids).toEqual(["2"]);
    const bad = await get(key, "/stream", { "last-event-id": "x" });
    expect(bad.status).toBe(422);
  });

  test("begins where its consumer has committed, unless it resumes", async () => {
    const { id, key } = await world.addPartner();
    await publish(id, 1, ["message.queued", "message.sent", "message.delivered"]);
    const query = "?consumer=billing";
    expect((await readStream(key, 3, { query })).ids).toEqual(["1", "2", "3"]);
    const commit = { key, body: { sequence: 2 } };
    await world.call("POST", "/api/v1/event-consumers/billing/commit", commit);
    expect((await readStream(key, 1, { query })).ids).toEqual(["3"]);
    const headers = { "last-event-id": "1" };
    expect((await readStream(key, 2, { query, headers })).ids).toEqual(["2", "3"]);
    expect((await get(key, `/stream${query}&after=1`)).status).toBe(422);
  });

  test("takes filters as an endpoint has them, in pages and in the stream", async () => {
    const { id, key } = await world.addPartner();
    await publish(id, 1, ["message.queued", "message.sent"]);
    await world.platform.contexts.sandbox.projectionPool.query(
      `update lifecycle.events set filtered = '{"channel":"sms","metadata":{"plan":"gold"}}' where partner = $1 and sequence = 2`,
      [id],
    );
    const asked = (filters: string) => `?filters=${encodeURIComponent(filters)}`;
    const gold = asked('{"channels":["sms"],"metadata":{"plan":"gold"}}');
    const { body: page } = await get(key, gold);
    expect([page.data[0].sequence, page.data.length, page.next_after]).toEqual([2, 1, 2]);
    expect((await readStream(key, 1, { query: gold })).ids).toEqual(["2"]);
    const none = ["{", "[]", "{}", '{"channel":"sms"}', '{"channels":["post"]}', '{"metadata":{}}'];
    const dropped = ['{"metadata":{"__proto__":"x"}}', '{"tags":["\\ud800"]}'];
    for (const wrong of [...none, ...dropped])
      expect((await get(key, asked(wrong))).status, wrong).toBe(422);
    // As the tables of a release before are, until they are made anew.
    const { projectionPool } = world.platform.contexts.sandbox;
    const rename = "alter table lifecycle.events rename column";
    await projectionPool.query(`${rename} filtered to other`);
    expect(await get(key, gold)).toMatchObject({ status: 503, body: { code: "overloaded" } });
    expect((await get(key, "")).status).toBe(200);
    await projectionPool.query(`${rename} other to filtered`);
  });

  test("moves the reader's place on over what its filter keeps back, without an event", async () => {
    const { id, key } = await world.addPartner();
    await publish(id, 1, Array(1_000).fill("message.queued"));
    const query = "?types=message.failed";
    expect(await readStream(key, 1, { query })).toEqual({ ids: ["1000"], data: [] });
    await publish(id, 1_001, ["message.failed"]);
    const headers = { "last-event-id": "1000" };
    expect((await readStream(key, 1, { query, headers })).ids).toEqual(["1001"]);
  });

  test("rests three times as long as it looked through what its filter keeps back", async () => {
    const { id, key } = await world.addPartner();
    const { projectionPool } = world.platform.contexts.sandbox;
    await projectionPool.query(
      `with e as (insert into lifecycle.events (partner, sequence, position, type, body, filtered)
         select $1, n, n, 'message.sent', '{}', '{"tags":["other"]}' from generate_series(1, 15000) n)
       insert into lifecycle.sequences values ($1, 15000)`,
      [id],
    );
    const query = projectionPool.query.bind(projectionPool) as Query;
    let workedMs = 0;
    let endedMs = 0;
    let pausedMs = 0;
    const timed: Query = async (asked) => {
      const began = performance.now();
      const isPage = asked.name === "lifecycle_page filtered";
      const isNext = Number(asked.values?.[1]) >= 10_000;
      if (isPage && isNext) pausedMs ||= began - endedMs;
      const answer = await query(asked);
      if (isPage && !isNext) {
        endedMs = performance.now();
        workedMs += endedMs - began;
      }
      return answer;
    };
    const spy = vi.spyOn(projectionPool, "query").mockImplementation(timed as never);
    const rare = `?filters=${encodeURIComponent('{"tags":["never"]}')}`;
    expect((await readStream(key, 2, { query: rare })).ids).toEqual(["10000", "15000"]);
    spy.mockRestore();
    expect(workedMs).toBeGreaterThan(0);
    expect(restMs(1)).toBe(3);
    // A timer may be early by a fraction of a millisecond.
    expect(pausedMs).toBeGreaterThan(restMs(workedMs) - 1);
  });

  test("delivers a long history in order to a reader that is slow", async () => {
    const { id, key } = await world.addPartner();
    const types = Array.from({ length: 5_000 }, () => "message.queued");
    await publish(id, 1, types);
    const { ids } = await readStream(key, 5_000);
    expect(ids).toEqual(types.map((_, index) => String(index + 1)));
  });

  test("ends when its key is revoked, and when the server stops", async () => {
    const { key } = await world.addPartner();
    const issued = await world.call("POST", "/api/v1/keys", { key, body: { name: "reader" } });
    let streams = 0;
    const opened = (): void => void streams++;
    const ending = readStream(issued.body.key, 1, { opened });
    const stopping = readStream(key, 1, { opened });
    await until(() => streams === 2);
    const started = performance.now();
    await world.call("DELETE", `/api/v1/keys/${issued.body.id}`, { key });
    expect((await ending).ids).toEqual([]);
    await world.restart();
    expect((await stopping).ids).toEqual([]);
    expect(performance.now() - started).toBeLessThan(3_000);
  });

  test("is refused to the twenty-first reader of a partner", async () => {
    const { key } = await world.addPartner();
    const closing = new AbortController();
    const open = () =>
      fetch(`http://127.0.0.1:${world.port}/api/v1/events/stream`, {
        headers: { authorization: `Bearer ${key}` },
        signal: closing.signal,
      });
    const readers = await Promise.all(Array.from({ length: 20 }, open));
    expect(readers.every(({ status }) => status === 200)).toBe(true);
    expect((await get(key, "/stream")).status).toBe(429);
    closing.abort();
    await until(async () => {
      const again = new AbortController();
      const { status } = await fetch(`http://127.0.0.1:${world.port}/api/v1/events/stream`, {
        headers: { authorization: `Bearer ${key}` },
        signal: again.signal,
      });
      again.abort();
      return status === 200;
    });
  });
});

test("texts of persons leave the feed and its stream open, and erased once their key is destroyed", async () => {
  const { id, key } = await world.addPartner();
  const { vault, projectionPool } = world.platform.contexts.sandbox;
  const seal = await vault.seal({ partner: id, subject: "cnt_feed" });
  await publish(id, 1, ["contact.created"]);
  const sealed = body(1, "contact.created").replace('"n":1.0', `"name":"${seal('A"da')}"`);
  await projectionPool.query("update lifecycle.events set body = $2 where partner = $1", [
    id,
    sealed,
  ]);
  const shown = async (): Promise<unknown[]> => {
    const page = await get(key, "");
    const stream = new AbortController();
    const response = await fetch(
      `http://127.0.0.1:${world.port}/api/v1/events/stream?types=contact.created`,
      { headers: { authorization: `Bearer ${key}` }, signal: stream.signal },
    );
    let text = "";
    for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
      text += chunk;
      if (text.includes("data: ")) break;
    }
    stream.abort();
    return [page.body.data[0].data.name, JSON.parse(text.match(/data: (.*)\n/)![1]!).data.name];
  };
  expect(await shown()).toEqual(['A"da', 'A"da']);
  await vault.destroy(id, ["cnt_feed"]);
  expect(await shown()).toEqual(["[erased]", "[erased]"]);
});
