import { openWorld, type World } from "@heliograph/testkit/world";
import { afterAll, beforeAll, expect, test } from "vitest";
import { service } from "../src/index.ts";
import { publish as publishTo } from "./publish.ts";
import { readStream } from "./read-stream.ts";

let world: World;
beforeAll(async () => {
  world = await openWorld({ services: [service] });
});
afterAll(() => world.close());

const body = (sequence: number, type: string): string =>
  `{"id":"evt_${sequence}","type":"${type}","timestamp":"2026-01-01T00:00:00.000Z","environment":"sandbox","sequence":${sequence},"data":{}}`;

const publish = (partner: string, from: number, types: readonly string[]): Promise<void> =>
  publishTo(world, body, partner, from, types);

const get = (key: string, query: string) => world.call("GET", `/api/v1/events${query}`, { key });

test("says with each event which number its reader was told of before, whatever it asks for, so that one that is lost is seen", async () => {
  const { id, key } = await world.addPartner();
  await publish(id, 1, ["message.queued", "message.sent", "message.queued", "message.sent"]);
  await publish(id, 2_000_000_000, ["message.sent", "message.queued"]);
  const { projectionPool } = world.platform.contexts.sandbox;
  await projectionPool.query(
    `update lifecycle.events set filtered = '{"tags":["vip"]}' where partner = $1 and sequence in (1, 4, 2000000001)`,
    [id],
  );
  await world.call("POST", "/api/v1/event-consumers/late/commit", { key, body: { sequence: 3 } });
  type Told = { readonly sequence: number; readonly previous_sequence: number };
  const chain = (data: readonly Told[]) =>
    data.map(({ sequence, previous_sequence: previous }) => [previous, sequence]);
  const vip = `filters=${encodeURIComponent('{"tags":["vip"]}')}`;
  const [fifth, sixth] = [2_000_000_000, 2_000_000_001];
  const pages: readonly (readonly [string, readonly (readonly number[])[]])[] = [
    [
      "?after=2",
      [
        [2, 3],
        [3, 4],
      ],
    ],
    [
      "?after=4",
      [
        [4, fifth],
        [fifth, sixth],
      ],
    ],
    [
      "?types=message.sent",
      [
        [0, 2],
        [2, 4],
      ],
    ],
    ["?consumer=late&limit=1", [[3, 4]]],
    ["?consumer=late&types=message.queued", [[3, sixth]]],
    [
      `?${vip}`,
      [
        [0, 1],
        [1, 4],
      ],
    ],
    [
      "?before=5&limit=2",
      [
        [2, 3],
        [3, 4],
      ],
    ],
    [
      "?before=3",
      [
        [0, 1],
        [1, 2],
      ],
    ],
    [`?before=5&${vip}&limit=1`, [[1, 4]]],
    [
      `?before=5&${vip}`,
      [
        [0, 1],
        [1, 4],
      ],
    ],
    // Down to where a call looks; nothing else passed the filter there.
    [`?before=${sixth + 1}&${vip}`, [[sixth - 10_000, sixth]]],
    [`?before=${sixth}&types=message.sent&limit=1`, [[sixth - 10_001, fifth]]],
  ];
  for (const [query, expected] of pages)
    expect([query, chain((await get(key, query)).body.data)]).toEqual([query, expected]);
  const { data } = await readStream(world.port, key, 3, { query: `?after=0&${vip}` });
  expect(chain(data.map((text) => JSON.parse(text) as Told))).toEqual([
    [0, 1],
    [1, 4],
    [4, sixth],
  ]);
  // The pages of a filter join: what one looked at, the next begins before.
  const { body: page } = await get(key, `?before=${sixth + 1}&${vip}`);
  const { body: rest } = await get(key, `?before=${page.prev_before}&${vip}`);
  expect([chain(rest.data), rest.prev_before]).toEqual([
    [
      [0, 1],
      [1, 4],
    ],
    null,
  ]);
});
