import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { newDataDir, removeDataDir, until, type Instance } from "@heliograph/testkit";
import type { Stormed, Taken } from "./broadcast-provider.ts";
import { cpuMs, ownCpuMs, postmasterOf } from "./cpu.ts";
import { sms } from "./flood-sms.ts";
import { inUseMb } from "./heap.ts";
import { askable } from "./inspector.ts";
import { startMeasured, stopChild } from "./instance.ts";
import { drive } from "./load.ts";
import { caughtUp, partnerOf } from "./people.ts";
import { fillPeople } from "./people-fill.ts";
import { limitRow, type Row } from "./row.ts";
import { type Memory, watchRun } from "./watched.ts";

const contacts = Number(process.env["HELIOGRAPH_BENCH_BROADCAST"] ?? 20_000);
/** So many of them bounce afterwards: the storm's goal is one of a hundred thousand. */
const bounces = Math.min(contacts, 100_000);
const singlePerSecond = 20;
const sliceMs = 10_000;
const rounds = 4;
/** Receipts that the provider has under way at once. */
const receiptsAtOnce = 32;
/** A single send's p99 moves by no more. */
const mostRatio = 1.2;
const authToken = "bench";

type Api = (method: string, path: string, body?: object, key?: string) => Promise<unknown>;
type Broadcast = {
  readonly id: string;
  readonly status: string;
  readonly counts: Readonly<Record<"audience" | "accepted" | "sent" | "failed", number>>;
};

/**
 * A broadcast to HELIOGRAPH_BENCH_BROADCAST contacts over a provider of SMS in a process of its own: how soon the first message is there, what memory it takes, and what single messages wait
 * beside it, in slices that take turns with slices in which it is paused. Then the provider reports up to a hundred thousand of them as undelivered, as fast as the platform takes it.
 */
export async function benchBroadcast(): Promise<Row[]> {
  const dataDir = newDataDir();
  const provider = fork(new URL("broadcast-provider.ts", import.meta.url), [
    authToken,
    String(receiptsAtOnce),
    String(bounces),
  ]);
  const [{ port }] = (await once(provider, "message")) as [{ port: number }];
  const instance = await startMeasured(dataDir, askable);
  try {
    const api = apiOf(instance);
    await useProvider(api, port, instance);
    console.error(`broadcast: ${contacts} contacts are written`);
    await fillPeople(instance, dataDir, await partnerOf(instance), contacts, {
      environment: "live",
      silent: true,
    });
    await caughtUp(instance, "live");
    console.error("broadcast: they are there; a slice to warm up");
    // Until the compiler has seen every path, it is the compiler that is measured.
    await slice(instance);
    const { rows, id } = await measureBroadcast(instance, api, provider);
    return [...rows, ...(await measureStorm(instance, api, provider, id))];
  } finally {
    await instance.stop();
    await stopChild(provider);
    await removeDataDir(dataDir);
  }
}

const apiOf =
  ({ baseUrl, liveKey }: Instance): Api =>
  async (method, path, body, key = liveKey) => {
    const answer = await fetch(`${baseUrl}/api/v1${path}`, {
      method,
      headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`);
    return JSON.parse(text);
  };

/** Every SMS goes to this provider. */
async function useProvider(api: Api, port: number, instance: Instance): Promise<void> {
  const { adminKey } = instance;
  const { data } = (await api("GET", "/admin/gateways?environment=live", undefined, adminKey)) as {
    data: readonly { id: string; channel: string }[];
  };
  for (const { id } of data.filter(({ channel }) => channel === "sms"))
    await api("PATCH", `/admin/gateways/${id}`, { enabled: false }, adminKey);
  const gateway = {
    name: "bench",
    environment: "live",
    channel: "sms",
    kind: "twilio",
    settings: { base_url: `http://127.0.0.1:${port}`, account_sid: "AC0", from: "+15550100000" },
    secrets: { auth_token: authToken },
  };
  await api("POST", "/admin/gateways", gateway, adminKey);
  const funds = { amount: "100000", environment: "live", partner_id: await partnerOf(instance) };
  await api("POST", "/wallet/topups", funds, adminKey);
}

function ask<T>(provider: ChildProcess, question: "taken" | "storm"): Promise<T> {
  const { promise, resolve } = Promise.withResolvers<T>();
  const heard = (answer: Record<string, T>): void => {
    if (!(question in answer)) return;
    provider.off("message", heard);
    resolve(answer[question]!);
  };
  provider.on("message", heard);
  provider.send(question);
  return promise;
}

/** Milliseconds of single messages: those that wait until they are sent, and those that do not. */
type Slice = { readonly accepted: readonly number[]; readonly sent: readonly number[] };

async function slice({ port, liveKey }: Instance): Promise<Slice> {
  const load = async (headers: Readonly<Record<string, string>>) => {
    const { statuses, times } = await drive(
      { host: "127.0.0.1", port, connections: 32, request: (n) => sms(liveKey, n, headers) },
      { durationMs: sliceMs, ratePerSecond: singlePerSecond / 2 },
    );
    if (Object.keys(statuses).some((status) => status !== "202" && status !== "200"))
      throw new Error(`answers to single sends: ${JSON.stringify(statuses)}`);
    return times;
  };
  const [accepted, sent] = await Promise.all([load({}), load({ prefer: "wait=30" })]);
  return { accepted, sent };
}

function at(slices: readonly Slice[], what: keyof Slice, share: number): number {
  const sorted = slices.flatMap((each) => each[what]).toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]!;
}
const rate = (count: number, within: number): number => Math.round(count / within);
const round = (value: number): number => Math.round(value * 100) / 100;

const compared = (figure: string, beside: readonly Slice[], alone: readonly Slice[]): Row[] =>
  (["accepted", "sent"] as const).flatMap((what) =>
    [0.5, 0.99].map((share) => {
      const [with_, without] = [at(beside, what, share), at(alone, what, share)];
      const note = `${with_.toFixed(1)} ms / ${without.toFixed(1)} ms; ${singlePerSecond}/s of the same partner`;
      const goal = share === 0.99 ? mostRatio : undefined;
      const name = `a single send to ${what}, ${figure}, p${share * 100}`;
      return limitRow(name, "×", round(with_ / without), goal, note);
    }),
  );

/** What grew while it ran, which shows its height, and what of it is still in use behind it. */
const grownRows = (
  figure: string,
  memory: Memory,
  [inUse, from]: readonly [figure: string, from: string],
  { before, after }: { readonly before: number; readonly after: number },
): Row[] => [
  limitRow(
    figure,
    "MB",
    memory.most - memory.early,
    50,
    `${memory.early} MB then; with a quarter, half and all of it done ${memory.at}`,
  ),
  limitRow(inUse, "MB", Math.round(after - before), 50, `${Math.round(before)} MB ${from}`),
];

/** CPU milliseconds used so far. */
async function meterOf({ pid, databaseUrl }: Instance) {
  const postmaster = await postmasterOf(databaseUrl);
  return () => ({ node: ownCpuMs(pid), postgres: cpuMs(postmaster) });
}

/** Single sends beside the broadcast, and while it is paused, in turns. */
async function inTurns(instance: Instance, api: Api, id: string, look: () => Promise<Broadcast>) {
  const alone: Slice[] = [];
  const beside: Slice[] = [];
  const rate = { messages: 0, ms: 0 };
  for (let n = 0; n < rounds; n++) {
    const before = await look();
    const began = performance.now();
    beside.push(await slice(instance));
    const shown = await look();
    rate.messages += shown.counts.sent - before.counts.sent;
    rate.ms += performance.now() - began;
    if (shown.status === "done") break;
    await api("POST", `/broadcasts/${id}/pause`);
    await quiet(look);
    alone.push(await slice(instance));
    await api("POST", `/broadcasts/${id}/resume`);
    await until(async () => (await look()).status === "running");
  }
  return { alone, beside, perSecondBeside: Math.round((rate.messages * 1_000) / rate.ms) };
}

async function measureBroadcast(instance: Instance, api: Api, provider: ChildProcess) {
  const { id } = (await api("POST", "/broadcasts", {
    audience: {},
    channel: "sms",
    text: "Everything is 20 % off today.",
  })) as Broadcast;
  let shown = (await api("GET", `/broadcasts/${id}`)) as Broadcast;
  const look = async (): Promise<Broadcast> =>
    (shown = (await api("GET", `/broadcasts/${id}`)) as Broadcast);
  const memory = watchRun("broadcast", instance.pid, {
    all: contacts,
    done: async () => (await look()).counts.sent,
    isEarly: () => shown.counts.sent < contacts / 4,
  });
  const cpu = await meterOf(instance);
  const started = Date.now();
  await api("POST", `/broadcasts/${id}/start`);
  await until(async () => (await ask<Taken>(provider, "taken")).firstAt > 0);
  const { firstAt } = await ask<Taken>(provider, "taken");
  const { alone, beside, perSecondBeside } = await inTurns(instance, api, id, look);
  shown = await look();
  const inUse = await inUseMb(instance);
  const from = { ...cpu(), sent: shown.counts.sent, at: performance.now() };
  shown = await until(
    async () => {
      await sleep(500);
      shown = await look();
      return shown.status === "done" ? shown : undefined;
    },
    { timeoutMs: 7_200_000 },
  );
  const to = cpu();
  const rest = shown.counts.sent - from.sent;
  const perSecond = Math.round((rest * 1_000) / (performance.now() - from.at));
  const grown = memory();
  const note = `${contacts} contacts; ${perSecondBeside}/s beside single sends, ${perSecond}/s alone`;
  const rows = [
    limitRow("broadcast: first message at the provider", "ms", firstAt - started, 1_000, note),
    ...grownRows(
      "broadcast: memory grown behind the first quarter",
      grown,
      ["broadcast: memory in use grown by the rest of it", `at ${from.sent} sent`],
      { before: inUse, after: await inUseMb(instance) },
    ),
    // Of so few contacts that all are sent in the turns nothing is left to measure alone.
    ...(["node", "postgres"] as const).flatMap((part) =>
      rest === 0
        ? []
        : limitRow(
            `broadcast: CPU a message, ${part}`,
            "ms",
            round((to[part] - from[part]) / rest),
            undefined,
            note,
          ),
    ),
    ...compared("with a broadcast / with it paused", beside, alone),
  ];
  return { rows, id };
}

/** What was accepted is sent, and the page that was on its way when it was paused is over. */
const quiet = async (look: () => Promise<Broadcast>): Promise<void> => {
  const settled = ({ status, counts }: Broadcast): boolean =>
    status === "paused" && counts.sent + counts.failed === counts.accepted;
  await until(async () => {
    const first = await look();
    await sleep(500);
    const second = await look();
    return settled(first) && settled(second) && first.counts.sent === second.counts.sent;
  });
};

/** Reports a second, of those beside single sends and of those behind them, where there are any. */
function stormRates(
  reports: number,
  beside: number | undefined,
  { besideSeconds, seconds }: { readonly besideSeconds: number; readonly seconds: number },
  note: string,
): Row[] {
  const figure = "storm of bounces: reports taken";
  const count = beside ?? reports;
  const perSecond = rate(count, Math.min(besideSeconds, seconds));
  const rows = [limitRow(`${figure} beside single sends`, "/s", perSecond, undefined, note)];
  if (beside === undefined) return rows;
  const behind = reports - beside;
  const alone = rate(behind, seconds - besideSeconds);
  return [
    ...rows,
    limitRow(`${figure} alone`, "/s", alone, undefined, `the ${behind} behind those`),
  ];
}

async function measureStorm(
  instance: Instance,
  api: Api,
  provider: ChildProcess,
  id: string,
): Promise<Row[]> {
  let began = Infinity;
  // What it took before counts as its first seconds: to be collected makes it smaller for a while.
  const isEarly = (): boolean => performance.now() - began < sliceMs / 2;
  const reported = async () => (await ask<Taken>(provider, "taken")).reported;
  const memory = watchRun("storm of bounces", instance.pid, {
    all: bounces,
    done: reported,
    isEarly,
  });
  const alone = [await slice(instance), await slice(instance)];
  const inUse = await inUseMb(instance);
  const cpu = await meterOf(instance);
  const from = cpu();
  began = performance.now();
  const storm = ask<Stormed>(provider, "storm");
  let over = false;
  void storm.then(() => (over = true));
  const beside: Slice[] = [];
  while (!over && beside.length < rounds) beside.push(await slice(instance));
  const besideSeconds = (performance.now() - began) / 1_000;
  const reportedBeside = over ? undefined : await reported();
  const { reports, refused, seconds } = await storm;
  const behind = performance.now();
  await until(
    async () => ((await api("GET", `/broadcasts/${id}`)) as Broadcast).counts.failed === bounces,
    { timeoutMs: 3_600_000 },
  );
  const to = cpu();
  const perReport = (name: "node" | "postgres"): number => round((to[name] - from[name]) / reports);
  const lagMs = Math.round(performance.now() - behind);
  const grown = memory();
  const note = `${reports} reports, ${refused} sent again; the CPU of single sends beside it included`;
  return [
    ...stormRates(reports, reportedBeside, { besideSeconds, seconds }, note),
    ...(
      [
        ["node", "node"],
        ["PostgreSQL", "postgres"],
      ] as const
    ).map(([part, name]) =>
      limitRow(`storm of bounces: CPU a report, ${part}`, "ms", perReport(name), undefined, note),
    ),
    limitRow("storm of bounces: the last one counted behind its 2xx", "ms", lagMs, sliceMs, note),
    ...grownRows(
      "storm of bounces: memory grown behind its first seconds",
      grown,
      ["storm of bounces: memory in use grown", "before"],
      { before: inUse, after: await inUseMb(instance) },
    ),
    ...compared("with a storm of bounces / without", beside, alone),
  ];
}
