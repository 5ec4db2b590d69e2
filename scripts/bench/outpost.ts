import { setTimeout as sleep } from "node:timers/promises";
import { exampleBody } from "./http.ts";
import {
  bodiesOf,
  openProduct,
  openSink,
  subscribe,
  withEnds,
  type Sink,
} from "./floor-subjects.ts";
import { drive, postRequest } from "./load.ts";
import { openOutpost, outpostIsMissing } from "./outpost-subject.ts";
import type { Row } from "./row.ts";

const rounds = 2;
const warmUpMs = 5_000;
const windowMs = 8_000;
/** Until senders have heard of a change, and what the turn before left behind is done. */
const settleMs = 2_000;
const slowRate = 100;
const longestDrainMs = 120_000;

type Posted = {
  readonly called: string;
  readonly port: number;
  readonly cpu: () => number;
  /** The nth request, head and body. */
  readonly request: (n: number) => string;
};
type Turn = {
  readonly arrivedPerSecond: number;
  readonly cpuMsEach: number;
  readonly acceptMs: readonly [p50: number, p99: number];
  readonly arrivalMs: readonly [p50: number, p99: number];
};

/**
 * An event that is posted and arrives as a signed webhook, beside Outpost on the same machine: 64 connections as fast as they are answered until everything has arrived, and 100 a second. Ours is a message's whole life,
 * its money and its provider included. Needs the program of Outpost at `HELIOGRAPH_BENCH_OUTPOST`, `redis-server` and RabbitMQ.
 */
export async function benchOutpost(): Promise<Row[]> {
  const missing = outpostIsMissing();
  if (missing !== undefined) {
    console.error(`Outpost is left out: ${missing}`);
    return [];
  }
  return withEnds(async (ends) => {
    const sink = await openSink(ends);
    const hook = `${sink.url}/hook`;
    const product = await openProduct(ends, {});
    const endpoint = await subscribe(product, hook);
    const { id, webhooks } = await bodiesOf(product, sink);
    const change = await fetch(endpoint, {
      method: "PATCH",
      headers: { ...product.headers, "content-type": "application/json" },
      body: JSON.stringify({ event_types: ["message.sent"] }),
    });
    if (!change.ok) throw new Error(`webhook endpoint: ${await change.text()}`);
    await sleep(settleMs);
    const outpost = await openOutpost(ends, hook);
    const message = postRequest("127.0.0.1", product.path, product.headers, exampleBody);
    const begun = Date.now();
    const subjects: readonly Posted[] = [
      { called: "Heliograph", port: product.port, cpu: product.cpu, request: () => message },
      {
        called: "Outpost",
        port: outpost.port,
        cpu: outpost.cpu,
        request(n) {
          const own = `msg_${begun}${performance.now().toFixed(3).replace(".", "")}x${n}`;
          const body = outpost.bodyOf(own, webhooks.sent.replaceAll(id, own));
          return postRequest("127.0.0.1", outpost.path, outpost.headers, body);
        },
      },
    ];
    for (const subject of subjects) await turn(subject, sink, warmUpMs, undefined);
    const [fast, slow] = [subjects.map((): Turn[] => []), subjects.map((): Turn[] => [])];
    for (let round = 0; round < rounds; round++)
      for (const [index, subject] of subjects.entries()) {
        fast[index]!.push(await turn(subject, sink, windowMs, undefined));
        slow[index]!.push(await turn(subject, sink, windowMs, slowRate));
      }
    return [
      ...rowsOf("posted and arrived, 64 connections", subjects, fast),
      ...rowsOf(`the same at ${slowRate}/s`, subjects, slow),
    ];
  });
}

/** From the first post until the last webhook is there: what stays behind counts. */
async function turn(
  { called, port, cpu, request }: Posted,
  sink: Sink,
  durationMs: number,
  ratePerSecond: number | undefined,
): Promise<Turn> {
  await sleep(settleMs);
  await sink.reset();
  const answered = new Map<string, number>();
  const [start, before] = [performance.now(), cpu()];
  const { answers, statuses, p50Ms, p99Ms } = await drive(
    {
      host: "127.0.0.1",
      port,
      connections: 64,
      request,
      answered: (answer) => answered.set(/msg_\w+/.exec(answer)?.[0] ?? "", Date.now()),
    },
    { durationMs, ...(ratePerSecond !== undefined && { ratePerSecond }) },
  );
  if (statuses["202"] !== answers) throw new Error(`${called} answers ${JSON.stringify(statuses)}`);
  for (const end = performance.now(); (await sink.received()) < answers; await sleep(20))
    if (performance.now() - end > longestDrainMs)
      throw new Error(`${await sink.received()} of ${answers} webhooks of ${called} arrived`);
  const seconds = (performance.now() - start) / 1_000;
  const cpuMsEach = (cpu() - before) / answers;
  const times = (await sink.reset())
    .map(([id, at]) => at - (answered.get(id) ?? at))
    .toSorted((one, other) => one - other);
  const at = (share: number): number => times[Math.floor(times.length * share)] ?? 0;
  return {
    arrivedPerSecond: answers / seconds,
    cpuMsEach,
    acceptMs: [p50Ms, p99Ms],
    arrivalMs: [at(0.5), at(0.99)],
  };
}

function rowsOf(
  figure: string,
  subjects: readonly Posted[],
  turns: readonly (readonly Turn[])[],
): Row[] {
  const mean = (index: number, of: (turn: Turn) => number): number =>
    turns[index]!.reduce((sum, each) => sum + of(each), 0) / turns[index]!.length;
  const pairs = (index: number, of: (turn: Turn) => readonly [number, number]): string =>
    turns[index]!.map((each) =>
      of(each)
        .map((ms) => ms.toFixed(0))
        .join(" / "),
    ).join(" and ");
  return subjects.map(({ called }, index) => ({
    figure: `${figure}: ${called}`,
    value: Math.round(mean(index, ({ arrivedPerSecond }) => arrivedPerSecond)),
    unit: "/s",
    goal: "",
    met: true,
    note: `CPU each ${mean(index, ({ cpuMsEach }) => cpuMsEach).toFixed(3)} ms, servers included; 202 p50 / p99 ms ${pairs(index, ({ acceptMs }) => acceptMs)}, from it to the webhook ${pairs(index, ({ arrivalMs }) => arrivalMs)}`,
  }));
}
