import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { startEmbeddedPostgres } from "@heliograph/embedded-postgres";
import { newDataDir, removeDataDir, type Instance } from "@heliograph/testkit";
import pg from "pg";
import type { BareLife } from "./bare-life.ts";
import { cpuMs, postmasterOf } from "./cpu.ts";
import type { Ledger } from "./floor-rows.ts";
import { exampleBody } from "./http.ts";
import { startMeasured, stopChild } from "./instance.ts";
import { drive, postRequest } from "./load.ts";
import { connectTo } from "./messages.ts";

const longestWaitMs = 30_000;

/** Something that takes messages: the product, or the bare prototype. */
export type Subject = {
  readonly port: number;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Of its process and its PostgreSQL with all their children. */
  readonly cpu: () => number;
  readonly database: pg.Client;
  readonly ledger: Ledger;
};

type Ends = (() => Promise<unknown>)[];

export async function withEnds<Result>(work: (ends: Ends) => Promise<Result>): Promise<Result> {
  const ends: Ends = [];
  try {
    return await work(ends);
  } finally {
    for (const end of ends.toReversed()) await end();
  }
}

export type Sink = {
  readonly url: string;
  received(): Promise<number>;
  /** Gives when `message.sent` of which message came, and forgets everything. */
  reset(): Promise<Sent>;
};
type Sent = readonly (readonly [message: string, at: number])[];

export async function openSink(ends: Ends): Promise<Sink> {
  const child = fork(new URL("floor-sink.ts", import.meta.url));
  ends.push(() => stopChild(child));
  const url = `http://127.0.0.1:${await portOf(child)}`;
  const ask = async (path: string) =>
    (await fetch(`${url}/${path}`)).json() as Promise<{ received: number; sent: Sent }>;
  return {
    url,
    received: async () => (await ask("count")).received,
    reset: async () => (await ask("reset")).sent,
  };
}

const portOf = async (child: ChildProcess): Promise<number> =>
  ((await once(child, "message")) as [{ port: number }])[0].port;

export async function openProduct(
  ends: Ends,
  env: Readonly<Record<string, string>>,
): Promise<Subject & Pick<Instance, "pid" | "output">> {
  const dataDir = newDataDir();
  ends.push(() => removeDataDir(dataDir));
  const instance = await startMeasured(dataDir, env);
  ends.push(() => instance.stop());
  const database = await connectTo(instance.databaseUrl, "sandbox");
  ends.push(() => database.end());
  const postmaster = await postmasterOf(instance.databaseUrl);
  return {
    port: instance.port,
    path: "/api/v1/messages",
    headers: { authorization: `Bearer ${instance.sandboxKey}` },
    // PostgreSQL is a child of the process in some set-ups and none in others.
    cpu: () => cpuMs(instance.pid, postmaster),
    database,
    ledger: new Map(),
    pid: instance.pid,
    output: instance.output,
  };
}

export async function openBare(ends: Ends, given: Omit<BareLife, "databaseUrl">): Promise<Subject> {
  const dataDir = newDataDir();
  ends.push(() => removeDataDir(dataDir));
  const server = await startEmbeddedPostgres({ dataDir: `${dataDir}/postgres` });
  ends.push(() => server.stop());
  const child = fork(new URL("bare-life.ts", import.meta.url));
  ends.push(() => stopChild(child));
  child.send({ ...given, databaseUrl: server.url } satisfies BareLife);
  const port = await portOf(child);
  const database = new pg.Client({ connectionString: server.url });
  await database.connect();
  ends.push(() => database.end());
  const postmaster = await postmasterOf(server.url);
  return {
    port,
    path: "/messages",
    headers: {},
    cpu: () => cpuMs(child.pid!, postmaster),
    database,
    ledger: new Map(),
  };
}

/** An endpoint for what is sent and delivered; gives where it is. */
export async function subscribe({ port, headers }: Subject, url: string): Promise<string> {
  const answer = await fetch(`http://127.0.0.1:${port}/api/v1/webhook-endpoints`, {
    method: "POST",
    headers: { ...headers, "content-type": "application/json" },
    body: JSON.stringify({ url, event_types: ["message.sent", "message.delivered"] }),
  });
  const text = await answer.text();
  if (answer.status !== 201) throw new Error(`webhook endpoint: ${text}`);
  await sleep(500);
  return `http://127.0.0.1:${port}/api/v1/webhook-endpoints/${JSON.parse(text).id}`;
}

/** Posts messages over so many connections, as fast as they are answered or at a rate. */
export async function post(
  { port, path, headers }: Subject,
  {
    durationMs,
    connections = 64,
    rate,
    answered,
  }: {
    readonly durationMs: number;
    readonly connections?: number;
    readonly rate?: number | undefined;
    readonly answered?: (answer: string) => void;
  },
) {
  const request = postRequest("127.0.0.1", path, headers, exampleBody);
  const result = await drive(
    { host: "127.0.0.1", port, connections, request: () => request, ...(answered && { answered }) },
    { durationMs, ...(rate !== undefined && { ratePerSecond: rate }) },
  );
  if (result.statuses["202"] !== result.answers)
    throw new Error(`answers other than 202: ${JSON.stringify(result.statuses)}`);
  return result;
}

export type Bodies = Pick<BareLife, "id" | "events" | "webhooks" | "answer">;

/** The texts of a message that the product has seen through. */
export async function bodiesOf(
  { port, path, headers, database }: Subject,
  sink: Sink,
): Promise<Bodies> {
  const answer = await fetch(`http://127.0.0.1:${port}${path}`, {
    method: "POST",
    headers: { ...headers, "content-type": "application/json" },
    body: exampleBody,
  }).then((response) => response.text());
  const id = /msg_\w+/.exec(answer)![0];
  for (const start = performance.now(); (await sink.received()) < 2;) {
    if (performance.now() - start > longestWaitMs) throw new Error(`no webhooks of ${answer}`);
    await sleep(50);
  }
  await sleep(1_000);
  const { rows: events } = await database.query(
    "select type, data, metadata from log.events where data like $1",
    [`%${id}%`],
  );
  const { rows: feed } = await database.query(
    "select type, body from lifecycle.events where body like $1",
    [`%${id}%`],
  );
  const bodyOf = (type: string): string => feed.find((row) => row.type === type)!.body;
  return {
    id,
    answer,
    events: Object.fromEntries(
      events.map(({ type, data, metadata }) => [type, { data, metadata }]),
    ) as Bodies["events"],
    webhooks: { sent: bodyOf("message.sent"), delivered: bodyOf("message.delivered") },
  };
}
