import type pg from "pg";
import { asUnavailable } from "./connection.ts";
import { EVENT_COLUMNS, rowBytes, toEvent } from "./rows.ts";
import type { EventRow } from "./rows.ts";
import type { Page, ReadAllOptions, ReadStreamOptions, RecordedEvent, Upcast } from "../types.ts";

/** A filtered read looks at this many events at most, so that a rare type never scans the whole log at once. */
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

// Positions are dense, so the window's end is known without counting; only where events were copied in from another log
// are they counted (1.5 ms for 10,000 by the index), because a window of positions there may hold almost none.
const ALL_OF_TYPES = `select h.position, w.last, ${EVENT_COLUMNS} from log.head h
  cross join lateral (
    select case when $1::bigint >= h.copied then least(h.position, $1::bigint + ${FILTER_WINDOW})
      else coalesce((select n.position from log.events n where n.position > $1
                      order by n.position offset ${FILTER_WINDOW - 1} limit 1), h.position) end as last
  ) w
  left join lateral (
    select * from log.events s
     where s.position > $1 and s.position <= w.last and s.type = any($3::text[])
     order by s.position limit $2
  ) e on true`;
const AT = `select ${EVENT_COLUMNS} from log.events e where e.position = $1`;
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
  readAt(position: bigint): Promise<RecordedEvent | undefined>;
  head(): Promise<bigint>;
};

/** The statements by name, for the test that checks their plans. */
export const READ_STATEMENTS = { FORWARDS, BACKWARDS, MANY, ALL, ALL_OF_TYPES, AT, HEAD };

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
      const filtered = types !== undefined;
      const rows = filtered
        ? await run("log_all_of_types", ALL_OF_TYPES, [after.toString(), limit, types])
        : await run("log_all", ALL, [after.toString(), limit]);
      const head = BigInt(rows[0]?.[0] ?? "0");
      const events: RecordedEvent[] = [];
      let bytes = 0;
      for (const row of rows) {
        const columns = row.slice(filtered ? 2 : 1) as unknown as EventRow;
        // Where no event is found the outer join leaves one row of nulls.
        if (columns[0] === null) continue;
        events.push(toEvent(columns, upcast));
        bytes += rowBytes(columns);
      }
      // A full page reaches to its last event, another one to the end of what was looked at.
      const end = filtered ? BigInt(rows[0]?.[1] ?? "0") : head;
      const last = events.at(-1)?.position ?? after;
      return { events, position: events.length >= limit || end < last ? last : end, head, bytes };
    },

    async readAt(position) {
      const [row] = await run("log_at", AT, [position.toString()]);
      return row && toEvent(row as unknown as EventRow, upcast);
    },

    async head() {
      const rows = await run("log_head", HEAD, []);
      return BigInt(rows[0]?.[0] ?? "0");
    },
  };
}
