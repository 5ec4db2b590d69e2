import { createServer as createHttp } from "node:http";
import { createServer, type AddressInfo, type Server } from "node:net";
import { setTimeout as wait } from "node:timers/promises";
import { isMainThread, parentPort, Worker } from "node:worker_threads";
import { stopOwnServer } from "@heliograph/testkit";
import { openHarness } from "../../services/webhooks/test/harness.ts";

/**
 * How much receivers that take the connection and never answer move the others: twenty healthy endpoints of a partner each, 25 events a second for each,
 * without and with five mute ones beside them. Prints the time from the append to the receiver. Usage: node scripts/bench/slow-receivers.ts [seconds]
 */
const healthy = 20;
const mute = 5;
const eventsPerSecond = healthy * 25;
const roundMs = 10;
const seconds = Number(process.argv[2] ?? 40);
/** Until connections are open and code is compiled. */
const warmUpMs = 3_000;

const clock = (): number => performance.timeOrigin + performance.now();

async function listening(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return (server.address() as AddressInfo).port;
}

/** The receivers have a thread of their own, so that what they cost does not count as delay of the sender. */
async function receive(): Promise<void> {
  const good = createHttp((request, response) => {
    const at = clock();
    let text = "";
    request.on("data", (chunk: Buffer) => (text += chunk.toString()));
    request.on("end", () => {
      response.end();
      const sentAt = Number(/"client_ref":"(\d+(?:\.\d+)?)"/.exec(text)?.[1] ?? Number.NaN);
      parentPort!.postMessage(at - sentAt);
    });
  });
  const never = createServer((socket) => socket.on("error", () => {}).resume());
  parentPort!.postMessage({ good: await listening(good), never: await listening(never) });
}

const at = (sorted: readonly number[], share: number): string =>
  (sorted[Math.floor(sorted.length * share)] ?? Number.NaN).toFixed(1);

async function measure(name: string, withMute: boolean): Promise<void> {
  const h = await openHarness({ retryScale: 1 });
  const worker = new Worker(new URL(import.meta.url), { argv: process.argv.slice(2) });
  const times: number[] = [];
  const ports = await new Promise<{ good: number; never: number }>((resolve) =>
    worker.once("message", resolve),
  );
  worker.on("message", (ms: number) => times.push(ms));
  await h.start();
  const partners: string[] = [];
  for (let index = 0; index < healthy; index++) {
    partners.push(h.newPartner());
    await h.endpoint(`http://127.0.0.1:${ports.good}/`);
    if (withMute && index < mute) await h.endpoint(`http://127.0.0.1:${ports.never}/`);
  }
  const startedAt = clock();
  const cpuBefore = process.cpuUsage();
  const appends: Promise<unknown>[] = [];
  let sent = 0;
  while (clock() - startedAt < seconds * 1_000) {
    const due = Math.floor(((clock() - startedAt) * eventsPerSecond) / 1_000);
    for (; sent < due; sent++) {
      h.actAs(partners[sent % healthy]!);
      appends.push(h.event({ client_ref: String(clock()) }));
    }
    if (clock() - startedAt < warmUpMs) times.length = 0;
    await wait(roundMs);
  }
  await Promise.all(appends);
  await wait(500);
  const cpu = process.cpuUsage(cpuBefore);
  const sorted = times.toSorted((left, right) => left - right);
  console.log(
    `${name.padEnd(14)} ${sorted.length} deliveries, p50 ${at(sorted, 0.5)} ms, p95 ${at(sorted, 0.95)} ms, p99 ${at(sorted, 0.99)} ms, longest ${sorted.at(-1)?.toFixed(0)} ms, CPU ${((cpu.user + cpu.system) / 1e3 / sent).toFixed(2)} ms an event`,
  );
  await h.close();
  await worker.terminate();
}

if (!isMainThread) await receive();
else {
  await measure("healthy alone", false);
  await measure("with five mute", true);
  await stopOwnServer();
}
