import type pg from "pg";
import { asUnavailable } from "./connection.ts";
import { EVENT_COLUMNS, rowBytes, toEvent } from "./rows.ts";
import type { EventRow } from "./rows.ts";
import type { Page, ReadAllOptions, ReadStreamOptions, RecordedEvent, Upcast } from "../types.ts";

/** A filtered read looks at this many positions at most, so that a rare type never scans the whole log at once. */
const FILTER_WINDOW = 10_000;

const FORWARDS = `select ${EVENT_COLUMNS} from log.events e
  where e.stream = $1 and e.revision >= $2 order by e.revision limit $3`;
const BACKWARDS = `select ${EVENT_COLUMNS} from log.events e
  where e.stream = $1 and e.revision <= $2 order by e.revision desc limit $3`;
const MANY = `select ${EVENT_COLUMNS} from unnest($1::text[]) as wanted (stream)
  cross join lateral (
    select * from log.events s where s.stream = wanted.stream order by s.revision limit $2
  ) e`;

// The head comes from the same snapshot as the events, and is there even when no event is.
const ALL = `select h.position, ${EVENT_COLUMNS} from log.head h left join lateral (
    select * from log.events s where s.position > $1 order by s.position limit $2
  ) e on true`;
const ALL_OF_TYPES = `select h.position, ${EVENT_COLUMNS} from log.head h left join lateral (
    select * from log.events s
     where s.position > $1 and s.position <= $1 + ${FILTER_WINDOW} and s.type = any($3::text[])
     order by s.position limit $2
  ) e on true`;
const HEAD = "select position from log.head";

const LAST_REVISION = 2_147_483_647;

export type SizedPage = Page & { readonly bytes: number };

export type Reader = {
  readStream(stream: string, options?: ReadStreamOptions): Promise<RecordedEvent[]>;
  readStreams(
    streams: readonly string[],
    options?: { readonly limit?: number },
  ): Promise<Map<string, RecordedEvent[]>>;
  readAll(options: ReadAllOptions): Promise<SizedPage>;
  head(): Promise<bigint>;
};

/** The statements by name, for the test that checks their plans. */
export const READ_STATEMENTS = { FORWARDS, BACKWARDS, MANY, ALL, ALL_OF_TYPES, HEAD };

export function makeReader(pool: pg.Pool, upcast: Upcast | undefined): Reader {
  async function run(name: string, text: string, values: unknown[]): Promise<string[][]> {
    try {
      const result = await pool.query({ name, text, values, rowMode: "array" });
      return result.rows;
    } catch (error) {
      throw asUnavailable(error);
    }
  }

  return {
    async readStream(stream, { from, limit = 1_000, backwards = false } = {}) {
      const rows = backwards
        ? await run("log_backwards", BACKWARDS, [stream, from ?? LAST_REVISION, limit])
        : await run("log_forwards", FORWARDS, [stream, from ?? 0, limit]);
      return rows.map((row) => toEvent(row as unknown as EventRow, upcast));
    },

    async readStreams(streams, { limit = 1_000 } = {}) {
      const found = new Map<string, RecordedEvent[]>(streams.map((stream) => [stream, []]));
      if (found.size === 0) return found;
      for (const row of await run("log_many", MANY, [[...found.keys()], limit])) {
        const event = toEvent(row as unknown as EventRow, upcast);
        found.get(event.stream)!.push(event);
      }
      return found;
    },

    async readAll(options) {
      const { after, limit, types } = options;
      const rows =
        types === undefined
          ? await run("log_all", ALL, [after.toString(), limit])
          : await run("log_all_of_types", ALL_OF_TYPES, [after.toString(), limit, types]);
      const head = BigInt(rows[0]?.[0] ?? "0");
      const events: RecordedEvent[] = [];
      let bytes = 0;
      for (const [, ...row] of rows) {
        // Where no event is found the outer join leaves one row of nulls.
        if (row[0] === null) continue;
        events.push(toEvent(row as unknown as EventRow, upcast));
        bytes += rowBytes(row as unknown as EventRow);
      }
      return { events, position: scanned(events, head, options), head, bytes };
    },

    async head() {
      const rows = await run("log_head", HEAD, []);
      return BigInt(rows[0]?.[0] ?? "0");
    },
  };
}

/** How far a read has looked: to its last event when it filled up, else to the end of its window or of the log. */
function scanned(
  events: readonly RecordedEvent[],
  head: bigint,
  { after, limit, types }: ReadAllOptions,
): bigint {
  const last = events.at(-1)?.position ?? after;
  if (types === undefined || events.length >= limit) return last;
  const end = after + BigInt(FILTER_WINDOW);
  const reached = end < head ? end : head;
  return reached > last ? reached : last;
}
