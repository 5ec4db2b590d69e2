import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** The baseline of a page: asks for the same JSON in one call with a key, reads it, and answers with bytes that were made before. No session, no template. */
type Given = { readonly url: string; readonly key: string; readonly page: string };

process.once("message", (given) => {
  const { url, key, page } = given as Given;
  const body = Buffer.from(page);
  const headers = { "content-type": "text/html; charset=utf-8", "content-length": body.length };
  const answer = async (response: ServerResponse): Promise<void> => {
    const list = await fetch(url, { headers: { authorization: `Bearer ${key}` } });
    JSON.parse(await list.text());
    response.writeHead(list.status, headers).end(body);
  };
  const server = createServer((_, response) => {
    answer(response).catch(() => response.destroy());
  });
  server.listen(0, "127.0.0.1", () =>
    process.send?.({ port: (server.address() as AddressInfo).port }),
  );
});
