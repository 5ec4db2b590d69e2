import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import {
  freePort,
  newDataDir,
  removeDataDir,
  spawnService,
  until,
  type Instance,
} from "@heliograph/testkit";
import { send, signIn, startBare, type Measured } from "./console-parts.ts";
import { benchTabs } from "./console-tabs.ts";
import { ownCpuMs } from "./cpu.ts";
import { startMeasured, stopChild } from "./instance.ts";
import { limitRow, type Row } from "./row.ts";

const messages = 100;
const asks = 200;
const rounds = 3;
const atOnce = 8;
const settleMs = 5_000;
const pageGoalMs = 15;
const rateGoal = 200;

const rounded = (value: number): number => Math.round(value * 10) / 10;

/** `count` times, some at once. */
async function often(count: number, make: () => Promise<unknown>): Promise<void> {
  let begun = 0;
  const worker = async (): Promise<void> => {
    while (begun < count) {
      begun += 1;
      await make();
    }
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
}

/** What a page takes of the process that makes it and of the one that serves the API, in CPU milliseconds. */
type Cost = { own: number; api: number; perSecond: number };
type Asked = {
  readonly url: string;
  readonly headers: Record<string, string>;
  readonly pid: number;
  readonly api: number;
};

async function costOf({ url, headers, pid, api }: Asked): Promise<Cost> {
  const [own, theirs, start] = [ownCpuMs(pid), ownCpuMs(api), performance.now()];
  await often(asks, async () => {
    const answer = await fetch(url, { headers, redirect: "manual" });
    const text = await answer.text();
    if (answer.status !== 200) throw new Error(`${url}: ${answer.status} ${text.slice(0, 300)}`);
  });
  return {
    own: (ownCpuMs(pid) - own) / asks,
    api: (ownCpuMs(api) - theirs) / asks,
    perSecond: (asks * 1_000) / (performance.now() - start),
  };
}

/** They take turns, after one round that is not counted. */
async function costs(asked: readonly Asked[]): Promise<readonly Cost[]> {
  const sums = asked.map((): Cost => ({ own: 0, api: 0, perSecond: 0 }));
  for (let round = 0; round <= rounds; round++)
    for (const [index, each] of asked.entries()) {
      const cost = await costOf(each);
      if (round === 0) continue;
      const sum = sums[index]!;
      for (const name of ["own", "api", "perSecond"] as const) sum[name] += cost[name] / rounds;
    }
  return sums;
}

const against = (row: Row, baseline: number): Row => ({
  ...row,
  baseline: rounded(baseline),
  ratio: Math.round((row.value / baseline) * 100) / 100,
});

/** A page of 100 messages and one of few calls, and the page of 100 by a server that does nothing else. */
async function pages(measured: Measured): Promise<Row[]> {
  const { instance, console } = measured;
  const cookie = await signIn(measured);
  const api = instance.pid;
  const own = (path: string): Asked => {
    const url = `${console.url}/console${path}`;
    return { url, headers: { cookie }, pid: console.pid, api };
  };
  const list = own(`/messages?limit=${messages}`);
  const page = await (await fetch(list.url, { headers: list.headers })).text();
  if (page.split("<tr>").length < messages) throw new Error("the page has not all messages");
  const url = `${instance.baseUrl}/api/v1/messages?limit=${messages}`;
  const [bare, port] = await startBare("bare-page.ts", { url, key: instance.sandboxKey, page });
  try {
    const found = await costs([
      list,
      own("/limits"),
      { url: `http://127.0.0.1:${port}/`, headers: {}, pid: bare.pid!, api },
    ]);
    return rowsOf(...(found as [Cost, Cost, Cost]));
  } finally {
    await stopChild(bare);
  }
}

function rowsOf(list: Cost, small: Cost, bare: Cost): Row[] {
  const what = `console, page of ${messages} messages`;
  const cpu = (name: string, value: number, baseline: number, atMost?: number): Row =>
    against(limitRow(name, "ms", rounded(value), atMost, "bare node:http"), baseline);
  const rate = (name: string, cost: Cost, atLeast?: number): Row => ({
    figure: `${name}: on one core of the console's process`,
    value: Math.round(1_000 / cost.own),
    unit: "pages/s",
    baseline: Math.round(1_000 / bare.own),
    ratio: Math.round((bare.own / cost.own) * 100) / 100,
    goal: atLeast === undefined ? "" : `≥ ${atLeast} pages/s`,
    met: atLeast === undefined || 1_000 / cost.own >= atLeast,
    note: `${Math.round(cost.perSecond)} pages/s by the clock, ${atOnce} at once, everything on this machine`,
  });
  return [
    cpu(`${what}: CPU of console and API`, list.own + list.api, bare.own + bare.api, pageGoalMs),
    cpu(`${what}: CPU of the console's process`, list.own, bare.own),
    cpu(`${what}: CPU of the API's process`, list.api, bare.api),
    rate(what, list, rateGoal),
    rate("console, page of the limits", small),
  ];
}

async function startConsole(instance: Instance, env: Record<string, string>) {
  const port = await freePort();
  const child = spawnService(
    fileURLToPath(new URL("../../services/console/src/main.ts", import.meta.url)),
    {
      ...env,
      HELIOGRAPH_DATABASE_URL: instance.databaseUrl,
      HELIOGRAPH_API_URL: instance.baseUrl,
      HELIOGRAPH_PORT: String(port),
      HELIOGRAPH_LOG_LEVEL: "warn",
    },
  );
  const url = `http://127.0.0.1:${port}`;
  await until(async () => (await fetch(`${url}/console`).catch(() => undefined))?.ok, {
    timeoutMs: settleMs * 6,
    what: "the console answers",
  }).catch((error: Error) => {
    throw new Error(`${error.message}\n${child.output()}`);
  });
  return { url, pid: child.pid, stop: () => child.stop() };
}

/** What pages of the console take, and what it takes to keep 500 tabs up to date. */
export async function benchConsole(): Promise<Row[]> {
  const dataDir = newDataDir();
  const env = { HELIOGRAPH_MASTER_KEY: randomBytes(32).toString("hex") };
  const instance = await startMeasured(dataDir, env);
  try {
    const console = await startConsole(instance, env);
    try {
      await often(messages, () => send(instance, "Your order is on its way"));
      await sleep(settleMs);
      const rows = await pages({ instance, console });
      return [...rows, ...(await benchTabs({ instance, console }))];
    } finally {
      await console.stop();
    }
  } finally {
    await instance.stop();
    await removeDataDir(dataDir);
  }
}
