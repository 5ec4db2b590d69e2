import {
  endFetch,
  type Fetch,
  fetchAgain,
  loseFetch,
  nextFetchAt,
  takeFetches,
} from "@heliograph/attachments";
import type { Environment } from "@heliograph/contracts";
import { createAlarm, messageOf, oneAtATime, type ReactorTools } from "@heliograph/runtime";
import { fetchFile, fetchMs, type Outcome, receivedWith } from "./fetch-file.ts";
import { countFile } from "./metrics.ts";
import { type FileNews, tellFile, toldFile } from "./tell.ts";

/** Fetched at once in a process, and of one partner: whose provider is slow keeps nobody else's files. */
const maxAtOnce = 8;
const maxOfOne = 2;
/** A process that ended with a fetch under way is followed by another try. */
const leaseMs = 2 * fetchMs;
const minuteMs = 60_000;
/** Waits before the next try; after the last one the file is lost. A provider's bad day is outlasted. */
const delaysMs = [
  2_000,
  10_000,
  minuteMs,
  5 * minuteMs,
  30 * minuteMs,
  2 * 60 * minuteMs,
  6 * 60 * minuteMs,
  16 * 60 * minuteMs,
] as const;

function countOutcome(environment: Environment, outcome: Outcome, tries: number): void {
  switch (outcome.kind) {
    case "over":
    case "erased":
      return;
    case "kept":
      return outcome.isNew ? countFile(environment, "kept") : undefined;
    case "again":
      return countFile(environment, tries <= delaysMs.length ? "again" : "lost", outcome.reason);
    case "lost":
      return outcome.untried ? undefined : countFile(environment, "lost", outcome.reason);
  }
}

type Tell = (news: FileNews) => Promise<unknown>;

/** What is told first is told again where this process ends before the table has it, and is the same then. */
async function settle(
  { context, logger }: ReactorTools,
  fetch: Fetch,
  tell: Tell,
  outcome: Outcome,
): Promise<unknown> {
  const { pool, settings, environment } = context;
  const { id, tries, partner, inbound_id } = fetch;
  countOutcome(environment, outcome, tries);
  switch (outcome.kind) {
    case "over":
      return endFetch(pool, id);
    case "erased":
      await tell({ type: "ReceivedFileLost", reason: "erased" });
      return endFetch(pool, id);
    case "kept":
      await tell({ type: "ReceivedFileKept", kept: outcome.file });
      return endFetch(pool, id);
    case "again": {
      const delayMs = delaysMs[tries - 1];
      if (delayMs !== undefined)
        return fetchAgain(pool, id, delayMs * settings.retryScale, outcome.reason);
      break;
    }
    case "lost":
      break;
  }
  const { reason } = outcome;
  logger.warn({ partner, inbound: inbound_id, file: id, reason }, "a received file is lost");
  await tell({ type: "ReceivedFileLost", reason });
  return loseFetch(pool, id, reason);
}

export type Fetcher = {
  /** There is something to fetch. */
  ring(): void;
  close(): Promise<void>;
};

/** Fetches what is due in an environment. */
export function openFetcher(tools: ReactorTools): Fetcher {
  const { context, fail, logger } = tools;
  const { pool, log } = context;
  const turn = oneAtATime();
  const closing = new AbortController();
  const alarm = createAlarm(() => ring());
  const running = new Set<Promise<void>>();
  const busy = new Set<string>();

  /** One that fails by itself is tried again as one whose provider failed. */
  async function one(fetch: Fetch): Promise<void> {
    const received = await receivedWith(context, fetch);
    const tell: Tell = async (news) =>
      received && tellFile(log, fetch.partner, toldFile({ ...received, ...fetch }, fetch.id), news);
    try {
      await settle(tools, fetch, tell, await fetchFile(context, fetch, received, closing.signal));
    } catch (error) {
      if (closing.signal.aborted) return;
      logger.warn({ file: fetch.id, error: messageOf(error) }, "a received file was not fetched");
      await settle(tools, fetch, tell, { kind: "again", reason: "failed" });
    }
  }

  /** The files of one partner, behind one another where there are more than a few. */
  async function ofPartner(partner: string, fetches: readonly Fetch[]): Promise<void> {
    try {
      await Promise.all(fetches.map(one));
    } finally {
      busy.delete(partner);
    }
  }

  async function run(): Promise<void> {
    const limit = maxAtOnce - running.size * maxOfOne;
    if (closing.signal.aborted || limit <= 0) return;
    const taken = await takeFetches(pool, { limit, ofEach: maxOfOne, busy: [...busy], leaseMs });
    for (const [partner, fetches] of Map.groupBy(taken, (fetch) => fetch.partner)) {
      busy.add(partner);
      const work = ofPartner(partner, fetches).catch(fail);
      running.add(work);
      void work.then(() => {
        running.delete(work);
        ring();
      });
    }
    const next = await nextFetchAt(pool, [...busy]);
    if (next !== undefined && running.size * maxOfOne < maxAtOnce && !closing.signal.aborted)
      alarm.at(next);
  }

  const ring = (): void => void turn(run).catch(fail);
  return {
    ring,
    async close() {
      closing.abort();
      await turn(async () => alarm.cancel());
      await Promise.all(running);
    },
  };
}
