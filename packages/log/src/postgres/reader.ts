import type pg from "pg";
import { openBodies, type Columns } from "./archive/bodies.ts";
import { asUnavailable } from "./connection.ts";
import { makePageReader, PAGE_STATEMENTS, type SizedPage } from "./page.ts";
import { EVENT_COLUMNS, isCut, summed, toEvent, untilFull } from "./rows.ts";
import type { DriverLog } from "../fair-reads.ts";
import { DEFAULT_READS, makeBudget, type ReadLimits, type ReadPage } from "../stream-reads.ts";
import type { ReadAllOptions, RecordedEvent, Seal, Upcast } from "../types.ts";

const FORWARDS = `select e.through, ${EVENT_COLUMNS} from ${summed(`select * from log.events s
  where s.stream = $1 and s.revision >= $2 order by s.revision limit $3`)} e where ${untilFull("$4")}`;
const BACKWARDS = `select e.through, ${EVENT_COLUMNS} from ${summed(`select * from log.events s
  where s.stream = $1 and s.revision <= $2 order by s.revision desc limit $3`)} e where ${untilFull("$4")}`;
const MANY = `select e.through, ${EVENT_COLUMNS} from ${summed(`select s.* from unnest($1::text[]) as wanted (stream)
  cross join lateral (
    select * from log.events l where l.stream = wanted.stream order by l.revision limit $2
  ) s`)} e where ${untilFull("$3")}`;

const AT = `select ${EVENT_COLUMNS} from log.events e where e.position = $1`;
const HEAD = "select position from log.head";
const SEAL = "select sealed, encode(chain, 'hex') from log.head where sealed > 0";

const LAST_REVISION = 2_147_483_647;

export type Reader = {
  readPage: ReadPage;
  readStreams: DriverLog["readStreams"];
  readAll(options: ReadAllOptions): Promise<SizedPage>;
  readAt(position: bigint): Promise<RecordedEvent | undefined>;
  head(): Promise<bigint>;
  seal(): Promise<Seal | undefined>;
};

/** The statements by name; a test checks their plans. */
export const READ_STATEMENTS = { FORWARDS, BACKWARDS, MANY, AT, HEAD, SEAL, ...PAGE_STATEMENTS };

/** Where those statements that give events have them. */
const COLUMNS: Partial<Record<keyof typeof READ_STATEMENTS, Columns>> = {
  FORWARDS: { through: 0, event: 1 },
  BACKWARDS: { through: 0, event: 1 },
  MANY: { through: 0, event: 1 },
  ALL: { through: 1, event: 2 },
  ALL_OF_TYPES: { through: 1, event: 2 },
  AT: { event: 0 },
};

/** Runs one of the statements; gives its rows in array mode, those of archived events with what is in the archive. */
type Run = (statement: keyof typeof READ_STATEMENTS, values: unknown[]) => Promise<string[][]>;

export function makeReader(
  pool: pg.Pool,
  upcast: Upcast | undefined,
  limits: ReadLimits = DEFAULT_READS,
  archiveDir?: string,
  archiveFailed?: () => void,
): Reader {
  const { pageBytes } = limits;
  const bodies = openBodies((text, values) => query({ text, values }), archiveDir, archiveFailed);

  async function query(statement: pg.QueryConfig): Promise<string[][]> {
    try {
      const result = await pool.query({ ...statement, rowMode: "array" });
      return result.rows as string[][];
    } catch (error) {
      throw asUnavailable(error);
    }
  }

  async function run(statement: keyof typeof READ_STATEMENTS, values: unknown[]) {
    const text = READ_STATEMENTS[statement];
    const rows = await query({ name: `log_${statement}`, text, values });
    const columns = COLUMNS[statement];
    return columns === undefined ? rows : bodies.fill(rows, columns, pageBytes);
  }

  return {
    ...makeStreamReader(run, upcast, limits),

    readAll: makePageReader({ pool, summed: run, bodies, upcast, pageBytes }),

    async readAt(position) {
      const [row] = await run("AT", [position.toString()]);
      return row && toEvent(row, upcast);
    },

    async head() {
      const rows = await run("HEAD", []);
      return BigInt(rows[0]?.[0] ?? "0");
    },

    async seal() {
      const [row] = await run("SEAL", []);
      return row && { position: BigInt(row[0]!), hash: row[1]! };
    },
  };
}

/** Reads of streams, one and many. */
function makeStreamReader(
  run: Run,
  upcast: Upcast | undefined,
  { pageEvents, pageBytes, maxBytes }: ReadLimits,
): Pick<Reader, "readPage" | "readStreams"> {
  const decode = (row: readonly string[]): RecordedEvent => toEvent(row, upcast, 1);

  const readPage: ReadPage = async (stream, { from, limit, backwards }) => {
    const rows = backwards
      ? await run("BACKWARDS", [stream, from ?? LAST_REVISION, limit, pageBytes])
      : await run("FORWARDS", [stream, from ?? 0, limit, pageBytes]);
    return {
      events: rows.map((row) => decode(row)),
      bytes: Number(rows.at(-1)?.[0] ?? 0),
      full: rows.length === limit || isCut(rows, 0, pageBytes),
    };
  };

  /** Goes on with a stream of which the first events are in the list. */
  async function complete(
    list: RecordedEvent[],
    stream: string,
    limit: number,
    spend: (bytes: number) => void,
  ): Promise<void> {
    for (let full = true; full && list.length < limit;) {
      const asked = Math.min(limit - list.length, pageEvents);
      const page = await readPage(stream, { from: list.length, limit: asked, backwards: false });
      spend(page.bytes);
      list.push(...page.events);
      full = page.full;
    }
  }

  return {
    readPage,

    async readStreams(streams, { limit = Infinity } = {}) {
      const found = new Map<string, RecordedEvent[]>(streams.map((stream) => [stream, []]));
      const spend = makeBudget(`${found.size} streams`, maxBytes);
      const each = Math.min(limit, pageEvents);
      let open = [...found.keys()];
      while (open.length > 0) {
        const rows = await run("MANY", [open, each, pageBytes]);
        spend(Number(rows.at(-1)?.[0] ?? 0));
        let last = "";
        for (const row of rows) {
          const event = decode(row);
          found.get((last = event.stream))!.push(event);
        }
        // Where the answer was cut off, the stream at the cut and all behind it are not complete.
        const cut = isCut(rows, 0, pageBytes);
        const reached = cut ? open.indexOf(last) + 1 : open.length;
        for (const stream of open.slice(0, reached)) {
          const list = found.get(stream)!;
          if (list.length >= each || (cut && stream === last))
            await complete(list, stream, limit, spend);
        }
        open = open.slice(reached);
      }
      return found;
    },
  };
}
