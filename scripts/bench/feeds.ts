import { setTimeout as sleep } from "node:timers/promises";
import { newDataDir, removeDataDir, type Instance } from "@heliograph/testkit";
import type pg from "pg";
import { startMeasured } from "./instance.ts";
import { ownCpuMs } from "./cpu.ts";
import { acceptToCall, connectTo, countOf, headOf, postMessages } from "./messages.ts";
import { limitRow, ratioRow, type Row } from "./row.ts";

const warmUpMs = 8_000;
const saturatedMs = 8_000;
const halfRateMs = 8_000;
const rounds = 2;
const longestDrainMs = 90_000;

type Subject = {
  readonly feed: string;
  readonly dataDir: string;
  readonly instance: Instance;
  readonly database: pg.Client;
};

/** What the Kafka feed is to carry of what the log feed does, with everything in one process. */
const leastOfLog = 0.5;

/** Messages a second from the first post to the last sending, and CPU of the product's own process for each. */
type Carried = { readonly perSecond: number; readonly cpuMs: number };

/**
 * How many messages a second everything in one process carries with either feed, and how long a message takes from its acceptance to the provider's call at the same rate: half of what
 * the slower of the two carries. Both instances run all the time and take turns, so that a noisy moment strikes both.
 */
export async function benchFeeds(
  feeds: Readonly<Record<string, Readonly<Record<string, string>>>>,
): Promise<Row[]> {
  const subjects: Subject[] = [];
  try {
    for (const [feed, env] of Object.entries(feeds)) subjects.push(await openSubject(feed, env));
    const saturated = new Map<string, Carried>();
    for (const subject of subjects) {
      await postAll(subject, warmUpMs);
      saturated.set(subject.feed, await postAll(subject, saturatedMs));
    }
    const most = Math.max(...[...saturated.values()].map(({ perSecond }) => perSecond));
    const rate = Math.min(...[...saturated.values()].map(({ perSecond }) => perSecond)) / 2;
    const marks = new Map<string, string>();
    for (const { feed, database } of subjects) marks.set(feed, await headOf(database));
    for (let round = 0; round < rounds; round++)
      for (const subject of subjects) await postAll(subject, halfRateMs, rate);
    const rows: Row[] = [];
    for (const { feed, database } of subjects) {
      const times = await acceptToCall(database, marks.get(feed)!);
      const [p50, p99] = [Math.round(times.p50), Math.round(times.p99)];
      const note = `${times.messages} messages at ${Math.round(rate)}/s`;
      const { perSecond, cpuMs } = saturated.get(feed)!;
      const best = { value: most, of: "the faster feed" };
      rows.push(
        ratioRow(`sent, saturated, ${feed}`, "messages/s", perSecond, best, leastOfLog),
        limitRow(`CPU of the process, saturated, ${feed}`, "ms a message", cpuMs, undefined, ""),
        limitRow(`accept → provider call p50, ${feed}`, "ms", p50, undefined, note),
        limitRow(`accept → provider call p99, ${feed}`, "ms", p99, undefined, ""),
      );
    }
    return rows;
  } finally {
    for (const { database, instance, dataDir } of subjects) {
      await database.end();
      await instance.stop();
      await removeDataDir(dataDir);
    }
  }
}

async function openSubject(feed: string, env: Readonly<Record<string, string>>): Promise<Subject> {
  const dataDir = newDataDir();
  const instance = await startMeasured(dataDir, env);
  return { feed, dataDir, instance, database: await connectTo(instance.databaseUrl, "sandbox") };
}

/** Posts, and waits until everything is sent. */
async function postAll(
  { instance, database, feed }: Subject,
  durationMs: number,
  ratePerSecond?: number,
): Promise<Carried> {
  const start = performance.now();
  const cpuBefore = ownCpuMs(instance.pid);
  const after = await headOf(database);
  const { answers, statuses } = await postMessages(instance, durationMs, ratePerSecond);
  const accepted = statuses["202"] ?? 0;
  if (accepted !== answers) throw new Error(`answers other than 202: ${JSON.stringify(statuses)}`);
  while ((await countOf(database, "MessageSent", after)) < accepted) {
    if (performance.now() - start > durationMs + longestDrainMs)
      throw new Error(
        `${feed}: ${await countOf(database, "MessageSent", after)} of ${accepted} messages were sent\n${instance.output()}`,
      );
    await sleep(100);
  }
  return {
    perSecond: (accepted * 1_000) / (performance.now() - start),
    cpuMs: Math.round(((ownCpuMs(instance.pid) - cpuBefore) / accepted) * 100) / 100,
  };
}
