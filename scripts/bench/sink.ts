import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

/**
 * A webhook receiver as a process of its own: answers 204, after so many ms as its argument says, and keeps the time from the event's timestamp, or another field that is named, to its
 * arrival.
 */
const delayMs = Number(process.argv[2] ?? 0);
const since = `"${process.argv[3] ?? "timestamp"}":"`;
let received = 0;
let firstAt = 0;
let lastAt = 0;
let delays: number[] = [];
const server = createServer((request, response) => {
  if (request.method === "GET") {
    const sorted = delays.toSorted((left, right) => left - right);
    const at = (share: number): number =>
      sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
    const body = JSON.stringify({ received, p50Ms: at(0.5), p99Ms: at(0.99), firstAt, lastAt });
    if (request.url === "/reset") {
      received = 0;
      delays = [];
    }
    response.writeHead(200, { "content-type": "application/json" }).end(body);
    return;
  }
  const now = Date.now();
  let text = "";
  request.setEncoding("latin1");
  request.on("data", (chunk: string) => (text += chunk));
  request.on("end", () => {
    received++;
    if (received === 1) firstAt = now;
    lastAt = now;
    const found = text.indexOf(since);
    const at = found + since.length;
    if (found !== -1) delays.push(now - Date.parse(text.slice(at, text.indexOf('"', at))));
    if (delayMs === 0) response.writeHead(204).end();
    else setTimeout(() => response.writeHead(204).end(), delayMs);
  });
});
server.keepAliveTimeout = 60_000;
server.listen(0, "127.0.0.1", () =>
  process.send?.({ port: (server.address() as AddressInfo).port }),
);
// Whoever started it is gone.
process.on("disconnect", () => process.exit());
