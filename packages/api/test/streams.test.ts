import { hash } from "node:crypto";
import { connect } from "node:net";
import { openWorld, type World } from "@heliograph/testkit/world";
import { afterAll, beforeAll, expect, it } from "vitest";
import { z } from "zod";
import { route, type Service } from "../src/index.ts";

const mostBytes = 100_000;
let world: World;
const gone: unknown[] = [];
const service: Service = {
  name: "control",
  api: {
    groups: [
      {
        tag: "t",
        description: "t",
        routes: [
          route({
            method: "POST",
            path: "/bytes",
            scope: "*",
            summary: "Hash what comes",
            streams: ["text/csv", "image/png"],
            maxBodyBytes: mostBytes,
            mutates: true,
            idempotency: "none",
            response: z.object({ sha256: z.string(), pieces: z.int() }),
            errors: [],
            async handler(call) {
              const pieces: Buffer[] = [];
              try {
                for await (const piece of call.chunks()) pieces.push(piece);
              } catch (error) {
                gone.push(error);
                throw error;
              }
              const sha256 = hash("sha256", Buffer.concat(pieces), "hex");
              return { status: 200, body: { sha256, pieces: pieces.length } };
            },
          }),
        ],
      },
    ],
  },
};
beforeAll(async () => {
  world = await openWorld({ services: [service], partners: [{}] });
});
afterAll(() => world.close());

const post = (raw: string | Uint8Array<ArrayBuffer>, headers: Record<string, string>) =>
  world.call("POST", "/api/v1/bytes", { key: world.partners[0]!.key, raw, headers });
const csv = { "content-type": "text/csv; charset=utf-8" };

it("a body that streams comes to the handler as it is, whatever it holds", async () => {
  const bytes = Buffer.alloc(mostBytes, "{ no JSON");
  const answer = await post(bytes, csv);
  expect(answer).toMatchObject({ status: 200, body: { sha256: hash("sha256", bytes, "hex") } });
  expect((await post("", csv)).body).toEqual({ sha256: hash("sha256", "", "hex"), pieces: 0 });
});

it("a body that is too long is refused with an answer, by its length or as it comes", async () => {
  const declared = await post(Buffer.alloc(mostBytes + 1), csv);
  expect(declared).toMatchObject({ status: 413, body: { code: "body_too_large" } });
  const chunked = await fetch(`http://127.0.0.1:${world.port}/api/v1/bytes`, {
    method: "POST",
    headers: { authorization: `Bearer ${world.partners[0]!.key}`, ...csv },
    body: ReadableStream.from([Buffer.alloc(mostBytes), Buffer.alloc(1)]),
    duplex: "half",
  } as RequestInit);
  expect(chunked.status).toBe(413);
  expect(await chunked.json()).toMatchObject({ code: "body_too_large" });
});

it("another type, or a content coding, is refused", async () => {
  expect((await post("a", { "content-type": "text/html" })).status).toBe(415);
  expect((await post("a", { ...csv, "content-encoding": "gzip" })).status).toBe(415);
});

it("a client that goes away ends the reading", async () => {
  gone.length = 0;
  const socket = connect(world.port, "127.0.0.1");
  socket.write(
    `POST /api/v1/bytes HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${world.partners[0]!.key}\r\nContent-Type: text/csv\r\nContent-Length: 10\r\n\r\n12345`,
  );
  socket.on("connect", () => setImmediate(() => socket.destroy()));
  await expect.poll(() => gone).toMatchObject([{ code: "bad_request" }]);
});
