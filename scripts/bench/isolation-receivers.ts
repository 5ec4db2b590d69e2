import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo, Server } from "node:net";

/**
 * Twenty webhook receivers as a process of their own. The last five answer like the others until they are told to be bad: gone, mute, dripping their headers, dripping their body, slow.
 * It sends the time from the append, which the event holds, to its arrival at one of the first fifteen.
 */
const good = 15;
const kinds = ["gone", "mute", "headers", "body", "slow"] as const;
type Kind = (typeof kinds)[number];

const dripMs = 1_000;
/** Within the deadline, so that these are successes. */
const slowMs = 10_000;
let isBad = false;
let delays: number[] = [];

const clock = (): number => performance.timeOrigin + performance.now();

function answerBadly(kind: Kind, response: ServerResponse): void {
  const { socket } = response;
  if (kind === "gone") return void socket?.destroy();
  if (kind === "mute") return;
  if (kind === "slow") return void setTimeout(() => response.writeHead(204).end(), slowMs);
  const drip = setInterval(() => {
    if (kind === "body") response.write(" ");
    else socket?.write("x");
  }, dripMs);
  if (kind === "body") response.writeHead(200);
  else socket?.write("HTTP/1.1 200 OK\r\nx-drip: ");
  response.on("close", () => clearInterval(drip));
}

async function listen(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return (server.address() as AddressInfo).port;
}

function receiver(kind?: Kind): Server {
  const server = createServer((request, response) => {
    const at = clock();
    let text = "";
    request.setEncoding("latin1");
    request.on("data", (chunk: string) => (text += chunk));
    request.on("end", () => {
      if (kind !== undefined && isBad) return answerBadly(kind, response);
      response.writeHead(204).end();
      const sentAt = Number(/"client_ref":"(\d+(?:\.\d+)?)"/.exec(text)?.[1]);
      if (kind === undefined && !Number.isNaN(sentAt)) delays.push(at - sentAt);
    });
  });
  server.keepAliveTimeout = 60_000;
  return server;
}

const gone = receiver("gone");
const servers = [
  ...Array.from({ length: good }, () => receiver()),
  gone,
  ...kinds.slice(1).map((kind) => receiver(kind)),
];
const ports: number[] = [];
for (const server of servers) ports.push(await listen(server));

process.on("message", (word: "good" | "bad" | "take") => {
  if (word === "take") {
    process.send!({ delays });
    delays = [];
    return;
  }
  isBad = word === "bad";
  if (isBad) gone.close();
});
process.send!({ ports });
// Whoever started it is gone.
process.on("disconnect", () => process.exit());
