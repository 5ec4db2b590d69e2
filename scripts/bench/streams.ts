import { Agent, get } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { newDataDir, removeDataDir, type Instance } from "@heliograph/testkit";
import { useDuring } from "./cpu.ts";
import { startMeasured } from "./instance.ts";
import { limitRow, type Row } from "./row.ts";

/** Each a partner with as many streams as one may have in a process. */
const partners = 250;
const each = 20;
/** Two signs of life of every stream. */
const measuredMs = 30_000;
const settleMs = 10_000;

async function newPartner({ baseUrl, adminKey }: Instance, index: number): Promise<string> {
  const answer = await fetch(`${baseUrl}/api/v1/admin/partners`, {
    method: "POST",
    headers: { authorization: `Bearer ${adminKey}`, "content-type": "application/json" },
    body: JSON.stringify({ name: `reader ${index}` }),
  });
  if (answer.status !== 201) throw new Error(`${answer.status} ${await answer.text()}`);
  return ((await answer.json()) as { keys: { sandbox: string } }).keys.sandbox;
}

/** Resolves when the stream has begun; `onEvent` hears of each of its events. */
function openStream(
  { port }: Instance,
  agent: Agent,
  key: string,
  onEvent: () => void,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const headers = { authorization: `Bearer ${key}` };
    const path = "/api/v1/events/stream";
    const request = get({ host: "127.0.0.1", port, path, headers, agent }, (answer) => {
      if (answer.statusCode !== 200) return reject(new Error(String(answer.statusCode)));
      answer.setEncoding("latin1");
      answer.on("data", (chunk: string) => {
        if (chunk.includes("data: ")) onEvent();
      });
      answer.on("error", () => undefined); // the bench ends
      resolve();
    });
    request.on("error", reject);
  });
}

/** What 5,000 streams on which nothing happens take beside the idle process, and how soon a partner's twenty hear of an event. */
export async function benchStreams(): Promise<Row[]> {
  const dataDir = newDataDir();
  const instance = await startMeasured(dataDir);
  const agent = new Agent({ keepAlive: true, maxSockets: Number.POSITIVE_INFINITY });
  try {
    const keys: string[] = [];
    for (let index = 0; index < partners; index++) keys.push(await newPartner(instance, index));
    await sleep(settleMs);
    const idle = await useDuring(instance.pid, measuredMs);
    let heard = 0;
    for (const key of keys)
      await Promise.all(
        Array.from({ length: each }, () => openStream(instance, agent, key, () => heard++)),
      );
    await sleep(settleMs);
    const open = await useDuring(instance.pid, measuredMs);
    const count = partners * each;
    const asked = performance.now();
    const posted = await fetch(`${instance.baseUrl}/api/v1/contacts`, {
      method: "POST",
      headers: { authorization: `Bearer ${keys[0]!}`, "content-type": "application/json" },
      body: JSON.stringify({ name: "Ada" }),
    });
    if (posted.status !== 201) throw new Error(`${posted.status} ${await posted.text()}`);
    while (heard < each) await sleep(1);
    const heardMs = Math.round(performance.now() - asked);
    const kb = Math.round(((open.mb - idle.mb) * 1_024) / count);
    return [
      limitRow(
        `${count} idle streams: memory of each`,
        "KB",
        kb,
        50,
        `${idle.mb} → ${open.mb} MB in all`,
      ),
      limitRow(
        `${count} idle streams: CPU`,
        "% of a core",
        open.percent,
        20,
        `without them ${idle.percent}`,
      ),
      limitRow(
        `from POST /contacts until ${each} of them have its event`,
        "ms",
        heardMs,
        undefined,
        "",
      ),
    ];
  } finally {
    agent.destroy();
    await instance.stop();
    await removeDataDir(dataDir);
  }
}
