import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, expect, test } from "vitest";
import { apiClient } from "../src/index.ts";

const schema = { type: "object", properties: { id: { type: "string" } } };
const answered = { description: "ok", content: { "application/json": { schema } } };
let document: object = { paths: { "/api/v1/things": { get: { responses: { 200: answered } } } } };

/** What the instance answers: its document is away until the second ask for it. */
let answer: object = {};
let asked = 0;
const server = createServer((request, response) => {
  const isDocument = request.url === "/api/v1/openapi.json";
  response.writeHead(isDocument && ++asked === 1 ? 503 : 200, {
    "content-type": "application/json",
  });
  response.end(JSON.stringify(isDocument ? document : answer));
});
beforeAll(() => new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve)));
afterAll(() => void server.close());

test("Holds answers against the document of the instance, from when it can be had, and of another version that follows it", async () => {
  const client = apiClient(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, "key");
  answer = { name: "undocumented" };
  expect((await client.get("/things")).body).toEqual(answer);
  await expect(client.get("/things?limit=1")).rejects.toThrow("does not fit the document");
  answer = { id: "a" };
  expect((await client.get("/things")).body).toEqual(answer);
  const named = { ...schema, properties: { name: { type: "string" } } };
  const changed = { description: "ok", content: { "application/json": { schema: named } } };
  document = { paths: { "/api/v1/things": { get: { responses: { 200: changed } } } } };
  answer = { name: "another version" };
  expect((await client.get("/things")).body).toEqual(answer);
  expect(asked).toBe(4);
});
