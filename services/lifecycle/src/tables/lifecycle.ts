import { PublicError, type EndpointFilters } from "@heliograph/contracts";
import { bodyBehind, passes, type Filtered } from "@heliograph/domain";
import { hurry } from "@heliograph/runtime";
import type pg from "pg";

/**
 * The public feed: each partner's lifecycle events, numbered without a hole, as the very text that is served. Written by services/lifecycle. `filtered` is what filters look at, which the text does not
 * have all of; null where there is nothing of it.
 */
export const lifecycleDdl = `
create table if not exists {schema}.events (
  partner text not null,
  sequence bigint not null,
  position bigint not null,
  type text not null,
  body text not null,
  filtered text,
  primary key (partner, sequence)
);
create table if not exists {schema}.sequences (
  partner text primary key,
  sequence bigint not null
) with (fillfactor = 50);
`;

export type LifecycleRow = { readonly sequence: number; readonly body: string };

/** The texts as a reader gets them that asked behind a number: each with the one that it was told of before. */
export const bodiesBehind = (rows: readonly LifecycleRow[], behind: number): readonly string[] =>
  rows.map(({ body, sequence }, index) =>
    bodyBehind(body, sequence, index === 0 ? behind : rows[index - 1]!.sequence),
  );

export type LifecyclePage = {
  readonly rows: readonly LifecycleRow[];
  /** Read on from here; behind `last` when more is to come, also when the filter let nothing through. */
  readonly nextAfter: number;
  /** The partner's newest sequence. */
  readonly last: number;
};

/** One call looks at no more events than this, so that a filter for a rare type cannot scan a history of millions. */
const scanLimit = 10_000;

/** `text` is the column that is read: what filters look at is a small part of a body. */
const pageSql = (text: "body" | "filtered"): string => `
select newest.last, newest.first::float8 as first, e.sequence::float8 as sequence, e.${text} as text
from (select
  coalesce((select sequence from lifecycle.sequences where partner = $1), 0)::float8 as last,
  (select sequence from lifecycle.events where partner = $1 and sequence > $2 order by sequence limit 1) as first
) newest
left join lateral (
  select * from lifecycle.events
  where partner = $1 and sequence >= newest.first and sequence < newest.first + ${scanLimit} and ($3::text[] is null or type = any($3))
  order by sequence limit $4
) e on true`;

export type FeedFilter = {
  /** Public names; all when left out. */
  readonly types?: readonly string[];
  readonly filters?: EndpointFilters;
};
type PageQuery = FeedFilter & {
  readonly partner: string;
  readonly after: number;
  readonly limit: number;
};

/** Rows whose filters are looked at here are read so many at once. */
const chunk = 1_000;
const isKept = (filters: EndpointFilters, filtered: string | null): boolean =>
  passes(filters, JSON.parse(filtered ?? "{}") as Filtered);

/** Tables of a release that had no filters serve until they are made anew. */
function whileOld(error: unknown): never {
  const undefinedColumn = "42703";
  if ((error as { code?: unknown }).code !== undefinedColumn) throw error;
  throw new PublicError(
    "overloaded",
    "The feed is being made anew after an upgrade, and takes filters once that is done.",
    { retryAfterSeconds: 60 },
  );
}

/** The partner's events after a sequence, oldest first. Of what filters keep back no body is read. */
export async function readLifecycle(pool: pg.Pool, query: PageQuery): Promise<LifecyclePage> {
  const { filters, ...all } = query;
  if (filters !== undefined) return readFiltered(pool, all, filters);
  const { texts, ...page } = await readPage(pool, "body", query);
  return { rows: texts.map(({ sequence, text }) => ({ sequence, body: text! })), ...page };
}

async function readFiltered(
  pool: pg.Pool,
  query: PageQuery,
  filters: EndpointFilters,
): Promise<LifecyclePage> {
  const { partner, limit } = query;
  const kept: number[] = [];
  let { after } = query;
  for (let looked = chunk; ; looked += chunk) {
    const page = await readPage(pool, "filtered", { ...query, after, limit: chunk }).catch(
      whileOld,
    );
    after = page.nextAfter;
    for (const { sequence, text } of page.texts) {
      if (kept.length === limit || !isKept(filters, text)) continue;
      kept.push(sequence);
      if (kept.length === limit) after = sequence;
    }
    if (kept.length === limit || page.texts.length < chunk || looked >= scanLimit)
      return { rows: await bodiesOf(pool, partner, kept), nextAfter: after, last: page.last };
  }
}

/** What was deleted since its number was read is left out. */
async function bodiesOf(
  pool: pg.Pool,
  partner: string,
  sequences: readonly number[],
): Promise<readonly LifecycleRow[]> {
  if (sequences.length === 0) return [];
  const { rows } = await pool.query<LifecycleRow>({
    name: "lifecycle_bodies",
    text: `select sequence::float8 as sequence, body from lifecycle.events
      where partner = $1 and sequence = any($2::bigint[]) order by lifecycle.events.sequence`,
    values: [partner, sequences],
  });
  return rows;
}

type TextPage = Omit<LifecyclePage, "rows"> & {
  readonly texts: readonly { readonly sequence: number; readonly text: string | null }[];
};

async function readPage(
  pool: pg.Pool,
  column: "body" | "filtered",
  query: PageQuery,
): Promise<TextPage> {
  const result = await pool.query<{
    last: number;
    /** The next event of any type: a restore leaves out more numbers than a call looks at. */
    first: number | null;
    sequence: number | null;
    text: string | null;
  }>({
    name: `lifecycle_page ${column}`,
    text: pageSql(column),
    values: [query.partner, query.after, query.types ?? null, query.limit],
  });
  const { last, first } = result.rows[0]!;
  const texts = result.rows.flatMap(({ sequence, text }) =>
    sequence === null ? [] : [{ sequence, text }],
  );
  const scanned = Math.max(
    query.after,
    first === null ? last : Math.min(first + scanLimit - 1, last),
  );
  return {
    texts,
    nextAfter: texts.length === query.limit ? texts.at(-1)!.sequence : scanned,
    last,
  };
}

const earlierSql = (text: "body" | "filtered"): string => `
select bounds.first::float8 as first, bounds.newest::float8 as newest, e.sequence::float8 as sequence, e.${text} as text
from (select
  (select sequence from lifecycle.events where partner = $1 order by sequence limit 1) as first,
  (select sequence from lifecycle.events where partner = $1 and sequence < $2 order by sequence desc limit 1) as newest
) bounds
left join lateral (
  select * from lifecycle.events
  where partner = $1 and sequence <= bounds.newest and sequence > bounds.newest - ${scanLimit} and ($3::text[] is null or type = any($3))
  order by sequence desc limit $4
) e on true`;

type EarlierQuery = {
  readonly partner: string;
  readonly before: number;
  readonly limit: number;
  readonly types?: readonly string[];
};

async function readEarlierPage(pool: pg.Pool, column: "body" | "filtered", query: EarlierQuery) {
  const { rows } = await pool.query<{
    first: number | null;
    newest: number | null;
    sequence: number | null;
    text: string | null;
  }>({
    name: `lifecycle_earlier ${column}`,
    text: earlierSql(column),
    values: [query.partner, query.before, query.types ?? null, query.limit],
  });
  const { first, newest } = rows[0]!;
  const texts = rows.flatMap(({ sequence, text }) =>
    sequence === null ? [] : [{ sequence, text }],
  );
  const scanned = Math.max(first ?? 0, (newest ?? 0) - scanLimit + 1);
  const looked = texts.length === query.limit ? texts.at(-1)!.sequence : scanned;
  return { texts, first: first ?? 0, last: newest ?? 0, looked };
}

/** Newest first: those that pass, and down to where all was looked at. */
async function readEarlierFiltered(
  pool: pg.Pool,
  query: EarlierQuery,
  filters: EndpointFilters,
): Promise<Awaited<ReturnType<typeof readEarlierPage>>> {
  const texts: { readonly sequence: number; readonly text: string | null }[] = [];
  let last: number | undefined;
  let { before } = query;
  for (let seen = chunk; ; seen += chunk) {
    const page = await readEarlierPage(pool, "filtered", { ...query, before, limit: chunk }).catch(
      whileOld,
    );
    last ??= page.last;
    before = page.looked;
    texts.push(...page.texts.filter(({ text }) => isKept(filters, text)));
    const isFull = texts.length >= query.limit;
    if (isFull || page.texts.length < chunk || seen >= scanLimit) {
      const kept = texts.slice(0, query.limit);
      return {
        texts: kept,
        first: page.first,
        last,
        looked: isFull ? kept.at(-1)!.sequence : before,
      };
    }
  }
}

/** Events before a sequence, oldest first. */
export type EarlierPage = {
  readonly rows: readonly LifecycleRow[];
  /** The sequence of the last event before it, of any type. */
  readonly last: number;
  /** What is before these is before this one; undefined at the beginning. */
  readonly previous: number | undefined;
  /** The number before the first of these: another that was asked for, or up to where none is. */
  readonly behind: number;
};

/** The partner's last events before a sequence. One call looks at no more than `scanLimit` of them for a rare type, nor for filters. */
export async function readEarlierLifecycle(
  pool: pg.Pool,
  { filters, ...query }: EarlierQuery & FeedFilter,
): Promise<EarlierPage> {
  // One more than asked for is the one before the first.
  const asked = { ...query, limit: query.limit + 1 };
  const page =
    filters === undefined
      ? await readEarlierPage(pool, "body", asked)
      : await readEarlierFiltered(pool, asked, filters);
  const { first, last } = page;
  const texts = page.texts.slice(0, query.limit).toReversed();
  const isMore = page.texts.length > query.limit;
  const looked = isMore ? texts[0]!.sequence : page.looked;
  return {
    rows:
      filters === undefined
        ? texts.map(({ sequence, text }) => ({ sequence, body: text! }))
        : await bodiesOf(
            pool,
            query.partner,
            texts.map(({ sequence }) => sequence),
          ),
    last,
    previous: looked > first ? looked : undefined,
    behind: isMore ? page.texts.at(-1)!.sequence : Math.max(0, looked - 1),
  };
}

/** The partner's newest sequence; 0 before its first event. */
export async function lastSequence(pool: pg.Pool, partner: string): Promise<number> {
  const { rows } = await pool.query<{ sequence: number }>({
    name: "lifecycle_last",
    text: "select sequence::float8 as sequence from lifecycle.sequences where partner = $1",
    values: [partner],
  });
  return rows[0]?.sequence ?? 0;
}

export type LifecycleWaiter = {
  /** Resolves true as soon as the partner has an event after `after`, false at the timeout or when the signal ends. */
  wait(partner: string, after: number, timeoutMs: number, signal?: AbortSignal): Promise<boolean>;
  /** Ends every wait with false. */
  close(): void;
};

/**
 * Long polls of any number of readers share one query every `pollMs`, which runs only while somebody waits; it works whatever process writes the feed.
 * At 50 ms that is 20 index look-ups a second for all of them together.
 */
export function openLifecycleWaiter(pool: pg.Pool, pollMs = 50): LifecycleWaiter {
  type Waiting = {
    readonly partner: string;
    readonly after: number;
    readonly deadline: number;
    readonly done: (found: boolean) => void;
  };
  const waiting = new Set<Waiting>();
  let timer: NodeJS.Timeout | undefined;

  const poll = async (): Promise<void> => {
    hurry(pool, "lifecycle");
    const newest = new Map<string, number>();
    try {
      const { rows } = await pool.query<{ partner: string; sequence: number }>({
        name: "lifecycle_newest",
        text: "select partner, sequence::float8 as sequence from lifecycle.sequences where partner = any($1)",
        values: [[...new Set([...waiting].map((item) => item.partner))]],
      });
      for (const row of rows) newest.set(row.partner, row.sequence);
    } catch {
      // The database is away: waits run into their timeouts, and the read that follows reports it.
    }
    const now = performance.now();
    for (const item of waiting) {
      if ((newest.get(item.partner) ?? 0) > item.after) item.done(true);
      else if (now >= item.deadline) item.done(false);
    }
    timer = undefined;
    schedule();
  };
  const schedule = (): void => {
    if (waiting.size > 0) timer ??= setTimeout(() => void poll(), pollMs);
  };

  return {
    wait: (partner, after, timeoutMs, signal) =>
      new Promise((resolve) => {
        if (signal?.aborted) return resolve(false);
        const aborted = (): void => item.done(false);
        const item: Waiting = {
          partner,
          after,
          deadline: performance.now() + timeoutMs,
          done(found) {
            waiting.delete(item);
            signal?.removeEventListener("abort", aborted);
            resolve(found);
          },
        };
        signal?.addEventListener("abort", aborted, { once: true });
        waiting.add(item);
        schedule();
      }),
    close() {
      clearTimeout(timer);
      for (const item of waiting) item.done(false);
    },
  };
}
