import { setTimeout as sleep } from "node:timers/promises";
import { newDataDir, removeDataDir, type Instance } from "@heliograph/testkit";
import type pg from "pg";
import { startMeasured } from "./instance.ts";
import { acceptToCall, connectTo, countOf, headOf, postMessages } from "./messages.ts";
import { limitRow, type Row } from "./row.ts";

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

/**
 * How long a message takes from its acceptance to the provider's call with either feed, at the same rate: half of what the slower of the two carries. Both instances run
 * all the time and take turns, so that a noisy moment strikes both.
 */
export async function benchFeeds(
  feeds: Readonly<Record<string, Readonly<Record<string, string>>>>,
): Promise<Row[]> {
  const subjects: Subject[] = [];
  try {
    for (const [feed, env] of Object.entries(feeds)) subjects.push(await openSubject(feed, env));
    const rates = new Map<string, number>();
    for (const subject of subjects) {
      await postAll(subject, warmUpMs);
      rates.set(subject.feed, await postAll(subject, saturatedMs));
    }
    const rate = Math.min(...rates.values()) / 2;
    const marks = new Map<string, string>();
    for (const { feed, database } of subjects) marks.set(feed, await headOf(database));
    for (let round = 0; round < rounds; round++)
      for (const subject of subjects) await postAll(subject, halfRateMs, rate);
    const rows: Row[] = [];
    for (const { feed, database } of subjects) {
      const { p50, p99, messages } = await acceptToCall(database, marks.get(feed)!);
      const note = `${messages} messages at ${Math.round(rate)}/s; saturated ${Math.round(rates.get(feed)!)}/s`;
      rows.push(
        limitRow(`accept → provider call p50, ${feed} feed`, "ms", p50, undefined, note),
        limitRow(`accept → provider call p99, ${feed} feed`, "ms", p99, undefined, ""),
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

/** Posts, waits until everything is sent, and gives the messages a second from the first post to the last sending. */
async function postAll(
  { instance, database, feed }: Subject,
  durationMs: number,
  ratePerSecond?: number,
): Promise<number> {
  const start = performance.now();
  const after = await headOf(database);
  const { answers, statuses } = await postMessages(instance, durationMs, ratePerSecond);
  const accepted = statuses["202"] ?? 0;
  if (accepted !== answers) throw new Error(`answers other than 202: ${JSON.stringify(statuses)}`);
  while ((await countOf(database, "MessageSent", after)) < accepted) {
    if (performance.now() - start > durationMs + longestDrainMs)
      throw new Error(
        `${feed} feed: ${await countOf(database, "MessageSent", after)} of ${accepted} messages were sent\n${instance.output()}`,
      );
    await sleep(100);
  }
  return (accepted * 1_000) / (performance.now() - start);
}
