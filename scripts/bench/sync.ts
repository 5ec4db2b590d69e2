import { Agent, get } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { newDataDir, removeDataDir, type Instance } from "@heliograph/testkit";
import { useDuring } from "./cpu.ts";
import { startMeasured } from "./instance.ts";
import { limitRow, ratioRow, type Row } from "./row.ts";

const polls = 2_000;
/** A partner may make 2,000 requests in 10 seconds. */
const pollsPerSecond = 500;
/** The longest that a poll may wait, seconds; they are opened one after another and all wait at the end. */
const waitSeconds = 30;
const measuredMs = 6_000;
const settleMs = 10_000;
const syncs = 500;

function sync(
  { port, sandboxKey }: Instance,
  agent: Agent,
  query: string,
): { readonly body: Promise<{ next_after: number }>; cut(): void } {
  const headers = { authorization: `Bearer ${sandboxKey}` };
  const path = `/api/v1/mobile/sync${query}`;
  let cut = (): void => undefined;
  const body = new Promise<{ next_after: number }>((resolve, reject) => {
    const request = get({ host: "127.0.0.1", port, path, headers, agent }, (answer) => {
      const chunks: Buffer[] = [];
      answer.on("data", (chunk: Buffer) => chunks.push(chunk));
      answer.on("end", () => {
        const text = Buffer.concat(chunks).toString();
        if (answer.statusCode === 200) resolve(JSON.parse(text));
        else reject(new Error(`${answer.statusCode} ${text}`));
      });
    });
    request.on("error", reject);
    cut = () => request.destroy();
  });
  return { body, cut: () => cut() };
}

async function write(instance: Instance, from: string): Promise<void> {
  await fetch(`${instance.baseUrl}/api/v1/sandbox/inbound`, {
    method: "POST",
    headers: { authorization: `Bearer ${instance.sandboxKey}`, "content-type": "application/json" },
    body: JSON.stringify({ channel: "sms", from, text: "Where is my order?" }),
  });
}

/** What 2,000 phones that wait take beside an idle process, in one run; how soon all of them hear; and how long one look takes. */
export async function benchSync(): Promise<Row[]> {
  const dataDir = newDataDir();
  const instance = await startMeasured(dataDir);
  const agent = new Agent({ keepAlive: true, maxSockets: Number.POSITIVE_INFINITY });
  try {
    for (let index = 0; index < 100; index++) await write(instance, `+1555124${1_000 + index}`);
    await sleep(settleMs);
    const { next_after: after } = await sync(instance, agent, "").body;
    const idle = await useDuring(instance.pid, measuredMs);

    const waiting = [];
    for (let index = 0; index < polls; index++) {
      waiting.push(sync(instance, agent, `?after=${after}&wait=${waitSeconds}`));
      if (index % pollsPerSecond === pollsPerSecond - 1) await sleep(1_000);
    }
    const loaded = await useDuring(instance.pid, measuredMs);
    const asked = performance.now();
    await write(instance, "+15551249999");
    const answers = await Promise.all(waiting.map(({ body }) => body));
    const heardMs = Math.round(performance.now() - asked);
    if (answers.some(({ next_after }) => next_after === after))
      throw new Error("a poll ended before anything happened");

    const p95 = await syncP95(instance, agent);
    const cpu = ratioRow(
      "2,000 waiting polls: CPU",
      "% of a core",
      loaded.percent,
      { value: idle.percent, of: "idle" },
      0,
    );
    const memory = ratioRow(
      "2,000 waiting polls: memory",
      "MB",
      loaded.mb,
      { value: idle.mb, of: "idle" },
      0,
    );
    return [
      { ...cpu, value: loaded.percent, baseline: idle.percent, goal: "" },
      {
        ...memory,
        goal: "",
        note: `${Math.round(((loaded.mb - idle.mb) / polls) * 1_024)} KB each`,
      },
      limitRow(
        "one change until all of them are answered",
        "ms",
        heardMs,
        undefined,
        "from the POST of an inbound message",
      ),
      limitRow(
        "sync p95",
        "ms",
        Math.round(p95 * 10) / 10,
        50,
        "a first page of 50 conversations, or 100 changes",
      ),
    ];
  } finally {
    agent.destroy();
    await instance.stop();
    await removeDataDir(dataDir);
  }
}

/** Of first pages and of changes in turn, one after the other. */
async function syncP95(instance: Instance, agent: Agent): Promise<number> {
  const took: number[] = [];
  for (let index = 0; index < syncs; index++) {
    const start = performance.now();
    await sync(instance, agent, index % 2 === 0 ? "" : "?after=0").body;
    took.push(performance.now() - start);
    await sleep(10);
  }
  return took.toSorted((left, right) => left - right)[Math.floor(syncs * 0.95)]!;
}
