import { createServer } from "node:http";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { dialAs } from "@heliograph/api";
import { readSettings } from "@heliograph/runtime";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createGetFile } from "../src/messages/get-file.ts";

const asked: string[] = [];
const server = createServer((request, response) => {
  asked.push(request.url!);
  const path = request.url!;
  const answers: Record<string, () => void> = {
    "/a%20b.pdf?x=1": () => response.end("%PDF"),
    "/named": () => {
      response.setHeader("content-disposition", 'attachment; filename="../c.pdf"');
      response.end("%PDF");
    },
    "/moved": () => response.writeHead(302, { location: "/a%20b.pdf?x=1" }).end(),
    "/loop": () => response.writeHead(302, { location: "/loop" }).end(),
    "/inside": () => response.writeHead(302, { location: "http://[::ffff:10.0.0.1]/" }).end(),
    "/large": () => response.writeHead(200, { "content-length": "10000001" }).end(),
    "/larger": () => {
      for (let times = 0; times < 11; times++) response.write(Buffer.alloc(1_000_000));
      response.end();
    },
    "/empty": () => response.end(),
    "/cut": () => {
      response.writeHead(200, { "content-length": "9" }).write("x");
      setImmediate(() => response.destroy());
    },
  };
  const answer = answers[path] ?? (() => response.writeHead(404).end());
  answer();
});
let origin = "";
beforeAll(async () => {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(async () => {
  server.closeAllConnections();
  server.close();
  await once(server, "close");
});

const fileAt = (path: string, allowed = "127.0.0.0/8") =>
  createGetFile(dialAs(readSettings({ HELIOGRAPH_WEBHOOK_ALLOW_CIDRS: allowed }), {}, 2_000))(
    origin + path,
    async (chunks, name) => {
      const all: Buffer[] = [];
      for await (const chunk of chunks) all.push(chunk);
      return [Buffer.concat(all).toString(), name];
    },
  );

test("a file is got with its name from where its address leads, and what is none says why", async () => {
  expect(await fileAt("/a%20b.pdf?x=1")).toEqual(["%PDF", "a b.pdf"]);
  expect(await fileAt("/named")).toEqual(["%PDF", "c.pdf"]);
  expect(await fileAt("/moved")).toEqual(["%PDF", "a b.pdf"]);
  for (const [path, code, message] of [
    ["/none", "unreachable", "answers 404"],
    ["/loop", "unreachable", "leads on and on"],
    ["/inside", "unreachable", "is an address that is not allowed"],
    ["/large", "too_large", "is a file of more than 10 MB"],
    ["/larger", "too_large", "is a file of more than 10 MB"],
    ["/empty", "empty", "is an empty file"],
    ["/cut", "unreachable", "breaks off"],
  ])
    await expect(fileAt(path!)).rejects.toMatchObject({ code, message });
  expect(asked.filter((path) => path === "/loop")).toHaveLength(4);
});

test("an address that is not allowed is never asked", async () => {
  const before = asked.length;
  await expect(fileAt("/named", "10.9.0.0/16")).rejects.toMatchObject({ code: "unreachable" });
  expect(asked).toHaveLength(before);
});
