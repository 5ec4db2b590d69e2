import pg from "pg";
import type { Bodies } from "./archive/bodies.ts";
import { asUnavailable } from "./connection.ts";
import { EVENT_COLUMNS, isCut, LEAST_BYTES, rowBytes, summed, toEvent, untilFull } from "./rows.ts";
import type { Page, ReadAllOptions, RecordedEvent, Upcast } from "../types.ts";

/** A filtered read looks at this many events at most, so that a rare type never scans the whole log at once. */
const FILTER_WINDOW = 10_000;

// Said with the first event, or with none: a text that each of 500 rows repeats costs PostgreSQL and Node what a column of events does.
const once = (column: string): string => `case when e.through > e.own then null else ${column} end`;
// That of the event that fills the page; in others nobody asks for it.
const CROSSED = "case when e.through >= $3 then e.through end";

// The head comes from the same snapshot as the events, and is there even when no event is.
const ALL = `select ${once("h.position")}, ${CROSSED}, ${EVENT_COLUMNS} from log.head h left join lateral
  ${summed("select * from log.events s where s.position > $1 order by s.position limit $2")} e on ${untilFull("$3")}`;

// Positions are dense, so the window's end is known without counting; only where events were copied in from another log
// are they counted (1.5 ms for 10,000 by the index), because a window of positions there may hold almost none.
const WINDOW_END = `case when $1::bigint >= h.copied then least(h.position, $1::bigint + ${FILTER_WINDOW})
      else coalesce((select n.position from log.events n where n.position > $1
                      order by n.position offset ${FILTER_WINDOW - 1} limit 1), h.position) end as last`;
const ALL_OF_TYPES = `select ${once("h.position")}, ${CROSSED}, ${EVENT_COLUMNS}, ${once("w.last")} from log.head h
  cross join lateral (select ${WINDOW_END}) w
  left join lateral ${summed(`select * from log.events s
     where s.position > $1 and s.position <= w.last and s.type = any($4::text[])
     order by s.position limit $2`)} e on ${untilFull("$3")}`;

// The same without the sums, which cost PostgreSQL as much again as half of the rest. The first row has the head and the end of what is looked at.
const page = (
  end: string,
  where: string,
): string => `with h as materialized (select h.position, ${end} from log.head h)
  select position, last, ${"null, ".repeat(8)}null from h union all
  (select null, null, ${EVENT_COLUMNS} from log.events e where e.position > $1 ${where} order by e.position limit $2)`;
const PAGE = page("h.position as last", "");
const PAGE_OF_TYPES = page(
  WINDOW_END,
  "and e.position <= (select last from h) and e.type = any($3::text[])",
);

export const PAGE_STATEMENTS = { ALL, ALL_OF_TYPES, PAGE, PAGE_OF_TYPES };

export type SizedPage = Page & { readonly bytes: number };

type Given = {
  readonly pool: pg.Pool;
  /** Runs one of the statements with sums; gives its rows, those of archived events with what is in the archive. */
  readonly summed: (name: "ALL" | "ALL_OF_TYPES", values: unknown[]) => Promise<string[][]>;
  readonly bodies: Bodies;
  readonly upcast: Upcast | undefined;
  readonly pageBytes: number;
};

/**
 * Where pages were found to be full of bytes before they were of events. What is stored there does not change, so whoever reads it again, or goes on behind it, is right to expect the same; who reads elsewhere
 * is not.
 */
export class HeavyRanges {
  static readonly most = 64;
  readonly #ranges: { readonly from: bigint; to: bigint }[] = [];

  /** Whether a page of so many events behind a position begins in one, or right behind it. */
  has(after: bigint, limit: number): boolean {
    return this.#at(after, limit) !== undefined;
  }

  /** A page from behind one position to another was heavy. The oldest of too many is forgotten. */
  add(after: bigint, to: bigint, limit: number): void {
    const range = this.#at(after, limit);
    if (range === undefined) this.#ranges.push({ from: after, to });
    else if (to > range.to) range.to = to;
    if (this.#ranges.length > HeavyRanges.most) this.#ranges.shift();
  }

  #at(after: bigint, limit: number) {
    return this.#ranges.find(({ from, to }) => after >= from && after <= to + BigInt(limit));
  }
}

/**
 * Reads pages of the log, of so many events and bytes. As a rule a page has far fewer bytes than it may have: then nobody adds them up but the reader, which leaves what goes beyond them as it comes. Where
 * one was found that has not, PostgreSQL adds them up.
 */
export function makePageReader(given: Given): (options: ReadAllOptions) => Promise<SizedPage> {
  const heavy = new HeavyRanges();
  return async (options) => {
    const { after, limit } = options;
    try {
      const { cut, ...page } = await (heavy.has(after, limit)
        ? readSummed(given, options)
        : readPlain(given, options));
      if (cut) heavy.add(after, page.position, limit);
      return page;
    } catch (error) {
      // A page that takes too long may be one of large events.
      heavy.add(after, after, limit);
      throw error;
    }
  };
}

type Read = SizedPage & { readonly cut: boolean };

async function readPlain(
  { pool, bodies, upcast, pageBytes }: Given,
  { after, limit, types }: ReadAllOptions,
): Promise<Read> {
  const named =
    types === undefined
      ? { name: "log_PAGE", text: PAGE, values: [after.toString(), limit] }
      : {
          name: "log_PAGE_OF_TYPES",
          text: PAGE_OF_TYPES,
          values: [after.toString(), limit, types],
        };
  const query = new PageRows(named, pageBytes);
  try {
    // What it gives is nothing: the rows went to the query one by one.
    await (pool.query(query) as unknown as Promise<unknown>);
  } catch (error) {
    throw asUnavailable(error);
  }
  const rows = await bodies.fill(query.found, { through: 0, event: 2 }, pageBytes);
  const cut = query.cut || isCut(rows, 0, pageBytes);
  return pageOf({ ...decoded(rows, upcast), head: query.head, cut }, after, limit, query.last);
}

async function readSummed(
  { summed: run, upcast, pageBytes }: Given,
  { after, limit, types }: ReadAllOptions,
): Promise<Read> {
  const values = [after.toString(), limit, pageBytes];
  const rows =
    types === undefined ? await run("ALL", values) : await run("ALL_OF_TYPES", [...values, types]);
  const head = BigInt(rows[0]?.[0] ?? "0");
  const last = types === undefined ? head : BigInt(rows[0]?.[11] ?? "0");
  // Where no event is found the outer join leaves one row of nulls.
  const found = rows.filter((row) => (row[2] as string | null) !== null);
  const cut = isCut(rows, 1, pageBytes);
  return pageOf({ ...decoded(found, upcast), head, cut }, after, limit, last);
}

/** Both kinds of statement have two columns before those of an event. */
function decoded(
  rows: readonly (readonly string[])[],
  upcast: Upcast | undefined,
): { readonly events: readonly RecordedEvent[]; readonly bytes: number } {
  const events: RecordedEvent[] = [];
  let bytes = 0;
  for (const row of rows) {
    events.push(toEvent(row, upcast, 2));
    bytes += rowBytes(row, 2);
  }
  return { events, bytes };
}

/** A full page reaches to its last event, another one to the end of what was looked at. */
function pageOf(read: Omit<Read, "position">, after: bigint, limit: number, end: bigint): Read {
  const full = read.events.length >= limit || read.cut;
  const last = read.events.at(-1)?.position ?? after;
  return { ...read, position: full || end < last ? last : end };
}

/**
 * A query that takes its rows as they come, and none beyond what a page may have. It is a class of its own, for a function that was put into a query would be kept, with the rows, past every collection of the
 * young generation.
 */
class PageRows extends pg.Query {
  /** Not `rows`: so pg names how many rows a portal gives at a time, and asks for them in a round trip of its own. */
  readonly found: string[][] = [];
  head = 0n;
  last = 0n;
  cut = false;
  #bytes = 0;
  readonly #pageBytes: number;

  constructor(statement: pg.QueryConfig, pageBytes: number) {
    super(statement);
    this.#pageBytes = pageBytes;
  }

  /** Called by pg for each row. */
  handleDataRow({ fields }: { readonly fields: string[] }): void {
    if (this.cut) return;
    if ((fields[0] as string | null) !== null) {
      this.head = BigInt(fields[0]!);
      this.last = BigInt(fields[1]!);
      return;
    }
    this.found.push(fields);
    this.#bytes += Math.max(fields[9]!.length + fields[10]!.length, LEAST_BYTES);
    this.cut = this.#bytes >= this.#pageBytes;
  }
}
