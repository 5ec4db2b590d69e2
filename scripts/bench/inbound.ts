import { fork } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import { newDataDir, removeDataDir, type Instance } from "@heliograph/testkit";
import { cpuMs, postmasterOf } from "./cpu.ts";
import { startMeasured, stopChild } from "./instance.ts";
import { drive, postRequest, type LoadResult } from "./load.ts";
import { postMessages } from "./messages.ts";
import { limitRow, ratioRow, type Row } from "./row.ts";

const ratePerSecond = 200;
const warmUpMs = 10_000;
const measuredMs = 15_000;
/** People who write again and again: each has a contact and an open conversation after the warm-up. */
const people = 500;

/** A machine that others use too may take a while to tell of what queued up. */
const toldWithinMs = 120_000;

type Seen = {
  readonly messages: number;
  readonly cpu: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
};

/**
 * From what a person writes to the webhook that tells of it: stored, matched to a contact, placed in a conversation, told. At 200 messages a second; beside it, in
 * the same run and at the same rate, messages that are sent and told of by one webhook each.
 */
export async function benchInbound(): Promise<Row[]> {
  const dataDir = newDataDir();
  // Delays are counted from the time at which the message was taken, which its event holds.
  const sink = fork(new URL("sink.ts", import.meta.url), ["0", "received_at"]);
  const port = await new Promise<number>((resolve) =>
    sink.once("message", (message) => resolve((message as { port: number }).port)),
  );
  const instance = await startMeasured(dataDir);
  try {
    const at = `http://127.0.0.1:${port}`;
    await subscribe(instance, at, ["message.received", "message.delivered"]);
    const postmaster = await postmasterOf(instance.databaseUrl);
    const cpu = (): number => cpuMs(instance.pid) + cpuMs(postmaster);
    const measure = (load: (durationMs: number) => Promise<LoadResult>): Promise<Seen> =>
      measured(at, cpu, load);
    const known = (durationMs: number) => postInbound(instance, durationMs, (n) => n % people);
    const fresh = (durationMs: number) => postInbound(instance, durationMs, (n) => people + n);
    const sends = (durationMs: number) => postMessages(instance, durationMs, ratePerSecond);
    const seen = {
      known: await measure(known),
      fresh: await measure(fresh),
      sends: await measure(sends),
    };
    return rowsOf(seen);
  } finally {
    await instance.stop();
    await stopChild(sink);
    await removeDataDir(dataDir);
  }
}

const postInbound = (
  instance: Instance,
  durationMs: number,
  person: (n: number) => number,
): Promise<LoadResult> =>
  drive(
    {
      host: "127.0.0.1",
      port: instance.port,
      connections: 64,
      request: (n) =>
        postRequest(
          "127.0.0.1",
          "/api/v1/sandbox/inbound",
          { authorization: `Bearer ${instance.sandboxKey}` },
          JSON.stringify({
            channel: "sms",
            from: `+1555${String(2_000_000 + person(n))}`,
            text: "Where is my order TR-204821? It should be here by now.",
          }),
        ),
    },
    { durationMs, ratePerSecond },
  );

/** Warms up, then takes the CPU of every server process and PostgreSQL until each message is told of. */
async function measured(
  sink: string,
  cpu: () => number,
  load: (durationMs: number) => Promise<LoadResult>,
): Promise<Seen> {
  await told(sink, (await load(warmUpMs)).answers);
  await fetch(`${sink}/reset`);
  const before = cpu();
  const { answers, statuses } = await load(measuredMs);
  if (Object.keys(statuses).some((status) => status !== "202"))
    throw new Error(`not everything was taken: ${JSON.stringify(statuses)}`);
  const { p50Ms, p99Ms } = await told(sink, answers);
  const used = cpu() - before;
  await fetch(`${sink}/reset`);
  return { messages: answers, cpu: used / answers, p50Ms, p99Ms };
}

async function told(sink: string, messages: number): Promise<{ p50Ms: number; p99Ms: number }> {
  const start = performance.now();
  for (;;) {
    const stats = (await (await fetch(`${sink}/`)).json()) as {
      received: number;
      p50Ms: number;
      p99Ms: number;
    };
    if (stats.received >= messages) return stats;
    if (performance.now() - start > toldWithinMs)
      throw new Error(
        `after ${toldWithinMs} ms ${stats.received} of ${messages} webhooks had arrived`,
      );
    await sleep(20);
  }
}

function rowsOf({
  known,
  fresh,
  sends,
}: Readonly<Record<"known" | "fresh" | "sends", Seen>>): Row[] {
  const cpuRow = (figure: string, { cpu }: Seen): Row => ({
    ...ratioRow(figure, "ms", cpu, { value: sends.cpu, of: "a send's" }, 0),
    value: round(cpu),
    baseline: round(sends.cpu),
    goal: "",
    note: "Node and PostgreSQL, each message with one webhook",
  });
  return [
    limitRow(
      "inbound → message.received webhook p50 at 200/s",
      "ms",
      known.p50Ms,
      undefined,
      "people who wrote before; from the time of the POST to the arrival",
    ),
    limitRow("inbound → message.received webhook p99 at 200/s", "ms", known.p99Ms, undefined, ""),
    cpuRow("inbound: CPU per message", known),
    limitRow(
      "inbound → message.received webhook p50 at 200/s, strangers",
      "ms",
      fresh.p50Ms,
      undefined,
      "each message makes a contact and opens a conversation",
    ),
    limitRow(
      "inbound → message.received webhook p99 at 200/s, strangers",
      "ms",
      fresh.p99Ms,
      undefined,
      "",
    ),
    cpuRow("inbound: CPU per message of a stranger", fresh),
  ];
}

const round = (value: number): number => Math.round(value * 100) / 100;

async function subscribe(
  instance: Instance,
  sink: string,
  eventTypes: readonly string[],
): Promise<void> {
  const answer = await fetch(`${instance.baseUrl}/api/v1/webhook-endpoints`, {
    method: "POST",
    headers: { authorization: `Bearer ${instance.sandboxKey}`, "content-type": "application/json" },
    body: JSON.stringify({ url: `${sink}/hook`, event_types: eventTypes }),
  });
  if (answer.status !== 201)
    throw new Error(`webhook endpoint: ${answer.status} ${await answer.text()}`);
  await sleep(500);
}
