import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

/** A webhook receiver that counts, and keeps when `message.sent` of which message came (epoch ms). `GET /` tells, `GET /reset` tells and forgets. */
let received = 0;
let sent: [message: string, at: number][] = [];
const server = createServer((request, response) => {
  if (request.method === "GET") {
    const told = request.url === "/count" ? { received } : { received, sent };
    response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(told));
    if (request.url === "/reset") {
      received = 0;
      sent = [];
    }
    return;
  }
  const at = Date.now();
  let text = "";
  request.setEncoding("latin1");
  request.on("data", (chunk: string) => (text += chunk));
  request.on("end", () => {
    received++;
    if (text.includes('"message.sent"')) sent.push([/msg_\w+/.exec(text)?.[0] ?? "", at]);
    response.writeHead(204).end();
  });
});
server.keepAliveTimeout = 60_000;
server.listen(0, "127.0.0.1", () =>
  process.send?.({ port: (server.address() as AddressInfo).port }),
);
