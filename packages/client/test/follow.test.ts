import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, expect, test } from "vitest";
import {
  AuthenticationError,
  heliograph,
  type FollowOptions,
  type FollowState,
} from "../src/index.ts";

const closing: (() => void)[] = [];
afterEach(() => {
  for (const close of closing.splice(0)) close();
});

type Turn = (response: ServerResponse, url: URL) => void;

/** A server that answers the requests by these turns, the last of them again and again. */
async function feedOf(...turns: readonly Turn[]) {
  const asked: string[] = [];
  const server = createServer((request: IncomingMessage, response) => {
    const url = new URL(request.url!, "http://x");
    asked.push(`${url.pathname.split("/").at(-1)}?${url.searchParams.get("after")}`);
    turns[Math.min(asked.length, turns.length) - 1]!(response, url);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  closing.push(() => {
    server.closeAllConnections();
    server.close();
  });
  const client = heliograph({
    key: "ak_test_x",
    baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
  });
  return { client, asked };
}

const event = (sequence: number) => ({
  id: `evt_${sequence}`,
  type: "a.new_type",
  sequence,
  data: {},
});
const told = (sequence: number): string =>
  `id: ${sequence}\r\ndata: ${JSON.stringify(event(sequence))}\r\n\r\n`;
const stream =
  (text: string, after: "end" | "cut" | "stay" = "end"): Turn =>
  (response) => {
    response.writeHead(200, { "content-type": "text/event-stream" });
    response.write(text, () => {
      if (after === "end") response.end();
      if (after === "cut") response.destroy();
    });
  };
const refusal =
  (status: number, code: string): Turn =>
  (response) => {
    response.writeHead(status, { "content-type": "application/problem+json", "retry-after": "0" });
    response.end(JSON.stringify({ status, code }));
  };

/** The sequences up to one, and what was told of the connection. */
async function followed(
  client: ReturnType<typeof heliograph>,
  last: number,
  options: FollowOptions = {},
) {
  const states: FollowState["type"][] = [];
  const found: number[] = [];
  const events = client.events.follow({ ...options, onState: ({ type }) => states.push(type) });
  for await (const { sequence } of events) {
    found.push(sequence);
    if (sequence === last) break;
  }
  return { found, states };
}

test("the feed goes on behind the last event over connections that break, fall silent and repeat", async () => {
  const { client, asked } = await feedOf(
    stream(`retry: 1\n\n: hello\n\n${told(6)}${told(7).slice(0, -9)}`, "cut"),
    stream(`${told(6)}${told(7)}`, "stay"),
    refusal(503, "log_unavailable"),
    stream(told(8), "stay"),
  );
  const { found, states } = await followed(client, 8, { after: 5, silenceMs: 600 });
  expect(found).toEqual([6, 7, 8]);
  expect(asked).toEqual(["stream?5", "stream?6", "stream?7", "stream?7"]);
  expect(states).toEqual(["connected", "waiting", "connected", "waiting", "waiting", "connected"]);
});

test("it goes on where a filter has kept everything back up to, and behind what was lost on the way", async () => {
  const asked: string[] = [];
  const of = (sequence: number, previous: number): string =>
    `id: ${sequence}\ndata: ${JSON.stringify({ ...event(sequence), previous_sequence: previous })}\n\n`;
  const texts = [`id: 900\n\n`, of(905, 900) + of(930, 920), of(920, 905) + of(930, 920)];
  const { client } = await feedOf((response, url) => {
    asked.push(`${url.searchParams.get("after")} ${url.searchParams.get("filters")}`);
    stream(texts.shift() ?? "", texts.length === 0 ? "stay" : "end")(response, url);
  });
  const filters = { tags: ["vip"] };
  const { found, states } = await followed(client, 930, { after: 5, filters });
  expect(found).toEqual([905, 920, 930]);
  expect(asked).toEqual(["5", "900", "905"].map((after) => `${after} {"tags":["vip"]}`));
  expect(states.filter((state) => state === "waiting")).toHaveLength(2);
});

test("a consumer goes on where the platform has kept its place, and has kept what was handled, at the end too", async () => {
  const committed: number[] = [];
  let place: number | undefined;
  const { client } = await feedOf((response, url) => {
    if (url.pathname.endsWith("/stream"))
      return stream(
        [6, 7, 8]
          .filter((n) => n > Number(url.searchParams.get("after")))
          .map(told)
          .join(""),
        "stay",
      )(response, url);
    if (url.pathname.endsWith("/me")) {
      if (place === undefined) return refusal(404, "not_found")(response, url);
      response.writeHead(200, { "content-type": "application/json" });
      return response.end(JSON.stringify({ sequence: place }));
    }
    let body = "";
    response.req.on("data", (text) => (body += text));
    response.req.on("end", () => {
      place = (JSON.parse(body) as { sequence: number }).sequence;
      committed.push(place);
      response.writeHead(200, { "content-type": "application/json" }).end("{}");
    });
  });
  expect((await followed(client, 7, { consumer: "me", after: 5 })).found).toEqual([6, 7]);
  // New: kept at once where it begins. Of the last nobody knows whether it was handled.
  expect(committed).toEqual([5, 6]);
  expect((await followed(client, 8, { consumer: "me", after: 1 })).found).toEqual([7, 8]);
  expect(committed).toEqual([5, 6, 7]);
});

test("where no stream comes through it polls", async () => {
  const page: Turn = (response, url) => {
    const after = Number(url.searchParams.get("after"));
    response.writeHead(200, { "content-type": "application/json" });
    response.end(JSON.stringify({ data: [event(after + 1)], next_after: after + 1 }));
  };
  const { client, asked } = await feedOf((response) => {
    response.writeHead(200, { "content-type": "text/html" }).end("<p>a proxy</p>");
  }, page);
  const { found } = await followed(client, 3);
  expect(found).toEqual([1, 2, 3]);
  expect(asked).toEqual(["stream?0", "events?0", "events?1", "events?2"]);
});

test("a refusal that stays ends it, and so does the signal, with the caller's reason", async () => {
  const { client } = await feedOf(refusal(401, "key_revoked"));
  await expect(followed(client, 1)).rejects.toBeInstanceOf(AuthenticationError);

  const quiet = await feedOf(stream(": nothing yet\n\n", "stay"));
  const stop = new AbortController();
  const reason = new Error("enough");
  const onState = (): void => stop.abort(reason);
  const events = quiet.client.events.follow({ signal: stop.signal, onState });
  await expect(events[Symbol.asyncIterator]().next()).rejects.toBe(reason);
});
