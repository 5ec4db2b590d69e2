import { fork, type ChildProcess } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import { apiClient, smtpSink, type Instance } from "@heliograph/testkit";
import {
  openCluster,
  sendBacklog,
  startCopies,
  startRelay,
  type Cluster,
  type Env,
} from "./cluster.ts";
import { cpuMs, ownCpuMs, postmasterOf } from "./cpu.ts";
import { stopChild } from "./instance.ts";
import { countOf, headOf } from "./messages.ts";
import type { Row } from "./row.ts";

const shards = 8;
const providerMs = 100;
const receiverMs = 500;
const longestDrainMs = 180_000;

type Drain = { readonly perSecond: number; readonly note: string };

/**
 * What a second copy of dispatch and of webhooks brings, on the Kafka feed with a partner in each of eight shards. A backlog waits in the log, the copies stand ready, and the
 * relay then gives it to them; nothing else runs but PostgreSQL, the broker and the receiver. Once with a receiver that is waited for, once with one that answers at once, where
 * copies only bring what cores are left.
 */
export async function benchCopies(kafka: Env): Promise<Row[]> {
  const mail = await smtpSink();
  mail.behave({ type: "accept", delayMs: providerMs });
  const quick = await openSink(0);
  const slow = await openSink(receiverMs);
  const cluster = await openCluster(kafka, shards, {
    HELIOGRAPH_SMTP_URL: `smtp://127.0.0.1:${mail.port}`,
  });
  try {
    return [
      await oneAndTwo(`dispatch, a provider of ${providerMs} ms and 16 calls at once`, (copies) =>
        drainDispatch(cluster, copies, "live", 2_000),
      ),
      await oneAndTwo("dispatch, a provider that answers at once", (copies) =>
        drainDispatch(cluster, copies, "sandbox", 12_000),
      ),
      await subscribed(cluster, slow, () =>
        oneAndTwo(`webhooks, receivers of ${receiverMs} ms`, (copies) =>
          drainWebhooks(cluster, copies, slow, 5_000),
        ),
      ),
      await subscribed(cluster, quick, () =>
        oneAndTwo("webhooks, receivers that answer at once", (copies) =>
          drainWebhooks(cluster, copies, quick, 12_000),
        ),
      ),
    ];
  } finally {
    await cluster.close();
    await Promise.all([stopChild(quick.child), stopChild(slow.child), mail.close()]);
  }
}

async function oneAndTwo(figure: string, drain: (copies: number) => Promise<Drain>): Promise<Row> {
  const one = await drain(1);
  const two = await drain(2);
  return {
    figure: `two copies: ${figure}`,
    value: Math.round(two.perSecond),
    unit: "1/s",
    baseline: Math.round(one.perSecond),
    ratio: Math.round((two.perSecond / one.perSecond) * 100) / 100,
    goal: "",
    met: true,
    note: `one copy: ${one.note}; two: ${two.note}`,
  };
}

async function drainDispatch(
  cluster: Cluster,
  copies: number,
  environment: "live" | "sandbox",
  messages: number,
): Promise<Drain> {
  const database = cluster.database(environment);
  const after = await headOf(database);
  await withFront(cluster, (front) => sendBacklog(front, cluster, environment, messages));
  const cores = await drained(cluster, "dispatch", copies, environment, async () => {
    return (await countOf(database, "MessageSent", after)) >= messages;
  });
  const { rows } = await database.query(
    "select (max(recorded_at) - min(recorded_at))::float8 as ms from log.events where type = 'MessageSent' and position > $1",
    [after],
  );
  return { perSecond: (messages * 1_000) / rows[0].ms, note: cores };
}

async function drainWebhooks(
  cluster: Cluster,
  copies: number,
  sink: Sink,
  messages: number,
): Promise<Drain> {
  await withFront(cluster, (front) => sendBacklog(front, cluster, "sandbox", messages));
  await sink.reset();
  const cores = await drained(cluster, "webhooks", copies, "sandbox", async () => {
    return (await sink.stats()).received >= messages;
  });
  const { firstAt, lastAt } = await sink.stats();
  return { perSecond: (messages * 1_000) / (lastAt - firstAt), note: cores };
}

/** Has the copies take what waits, and tells how many cores they took meanwhile. */
async function drained(
  cluster: Cluster,
  service: "dispatch" | "webhooks",
  copies: number,
  environment: "live" | "sandbox",
  done: () => Promise<boolean>,
): Promise<string> {
  const running = await startCopies(cluster, service, copies, environment);
  try {
    const postmaster = await postmasterOf(cluster.env["HELIOGRAPH_DATABASE_URL"]!);
    const cpu = () => ({
      own: running.pids.reduce((sum, pid) => sum + ownCpuMs(pid), 0),
      postgres: cpuMs(postmaster),
    });
    const relay = await startRelay(cluster, environment);
    const start = performance.now();
    const before = cpu();
    try {
      while (!(await done())) {
        if (performance.now() - start > longestDrainMs)
          throw new Error(`${service} did not finish its backlog`);
        await sleep(100);
      }
    } finally {
      await relay.stop();
    }
    const after = cpu();
    const cores = (ms: number): string => (ms / (performance.now() - start)).toFixed(2);
    return `${cores(after.own - before.own)} cores, PostgreSQL ${cores(after.postgres - before.postgres)}`;
  } finally {
    await running.stop();
  }
}

async function withFront<T>(cluster: Cluster, work: (front: Instance) => Promise<T>): Promise<T> {
  const front = await cluster.front();
  try {
    return await work(front);
  } finally {
    await front.stop();
  }
}

type Sink = {
  readonly child: ChildProcess;
  readonly port: number;
  stats(): Promise<{ received: number; firstAt: number; lastAt: number }>;
  reset(): Promise<void>;
};

async function openSink(delayMs: number): Promise<Sink> {
  const child = fork(new URL("sink.ts", import.meta.url), [String(delayMs)]);
  const port = await new Promise<number>((resolve) =>
    child.once("message", (message) => resolve((message as { port: number }).port)),
  );
  return {
    child,
    port,
    stats: async () => (await fetch(`http://127.0.0.1:${port}/`)).json() as never,
    reset: async () => void (await fetch(`http://127.0.0.1:${port}/reset`)),
  };
}

/** Runs while every partner has an endpoint at this sink. */
async function subscribed(cluster: Cluster, sink: Sink, work: () => Promise<Row>): Promise<Row> {
  // The service makes the tables that the API looks into.
  await (await startCopies(cluster, "webhooks", 1, "sandbox")).stop();
  const made: { readonly key: string; readonly id: string }[] = [];
  await withFront(cluster, async (front) => {
    for (const { sandbox: key } of cluster.partners) {
      const { status, text, body } = await apiClient(front.baseUrl, key).post(
        "/webhook-endpoints",
        { url: `http://127.0.0.1:${sink.port}/hook`, event_types: ["message.queued"] },
      );
      if (status !== 201) throw new Error(`an endpoint: ${status} ${text}`);
      made.push({ key, id: body.id });
    }
  });
  const row = await work();
  await withFront(cluster, async (front) => {
    for (const { key, id } of made) {
      const { status, text } = await apiClient(front.baseUrl, key).del(`/webhook-endpoints/${id}`);
      if (status >= 300) throw new Error(`an endpoint: ${status} ${text}`);
    }
  });
  return row;
}
