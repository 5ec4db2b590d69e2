import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** The baseline: server-sent events and nothing else. Each message of the parent is told to all. */
const tabs = new Set<ServerResponse>();
const server = createServer((request, response) => {
  response.writeHead(200, { "content-type": "text/event-stream" });
  response.write(": bare\n\n");
  tabs.add(response);
  response.once("close", () => tabs.delete(response));
});
process.on("message", (text) => {
  for (const tab of tabs) tab.write(`event: show\ndata: ${String(text)}\n\n`);
});
server.listen(0, "127.0.0.1", () =>
  process.send?.({ port: (server.address() as AddressInfo).port }),
);
