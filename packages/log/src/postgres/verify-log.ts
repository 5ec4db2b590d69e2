import { createHash } from "node:crypto";
import type pg from "pg";
import { eventFlaw, type LogFlaw, type VerifiedLog, type VerifyLogOptions } from "../verify-log.ts";
import { linkText } from "./chain.ts";
import { withClient } from "./connection.ts";
import { openBodies } from "./archive/bodies.ts";
import { chainedPage, toEvent, type EventRow } from "./rows.ts";
import { migrate } from "./schema.ts";
import type { RecordedEvent, Seal } from "../types.ts";

const PAGE_EVENTS = 2_000;
const PAGE_BYTES = 8 * 1_048_576;
/** A link is a flush, a page or one append, 16 MiB at most: where it is larger, a hash was taken away. */
const MAX_LINK_BYTES = 64 * 1_048_576;
const STREAMS_AT_ONCE = 20_000;
const STATEMENT_TIMEOUT_MS = 120_000;

const HEAD = "select position, copied, encode(chain, 'hex') as chain from log.head";
// The index of streams and revisions has everything in this order.
const STREAMS = `select max(s.stream) as last, count(*) as streams,
    min(s.stream) filter (where s.first <> 0 or s.last <> s.events - 1) as flawed
  from (select stream, min(revision) as first, max(revision) as last, count(*) as events from log.events
         where stream > $1 group by stream order by stream limit ${STREAMS_AT_ONCE}) s`;
const BEGIN = "select min(position) as position from log.events where stream = $1";

const LINK_BEFORE = `select e.position, encode(e.chain, 'hex') as chain from log.events e, log.head h
  where e.chain is not null and e.position <= h.position - $1 order by e.position desc limit 1`;

type Head = { readonly position: bigint; readonly copied: bigint; readonly chain: string };
type Row = readonly [through: string, chain: string | null, ...event: EventRow];

/**
 * Reads a namespace from its start, or from where an earlier run had come to, with one page and one link in memory: positions without a gap, every event readable and as its schema says, every link of the chain as it was
 * sealed, revisions without a gap. Services may go on. Throws LogUnavailable.
 */
export async function verifyPostgresLog(
  connection: pg.PoolConfig,
  options: VerifyLogOptions,
): Promise<VerifiedLog> {
  return onClient(connection, async (client) => {
    // Seals what an older version has left, as any start of a service does.
    await migrate(client);
    const verified = await verifyEvents(client, options);
    if (verified.flaw !== undefined) return verified;
    const flaw = await findStreamFlaw(client, verified.position, options);
    return flaw === undefined ? verified : { ...verified, flaw };
  });
}

/**
 * The same of the newest events alone, at least as many as asked for where there are so many, and without the revisions of streams, which need the whole log: a sample that costs the same however long the log is.
 * Changes nothing: the database has to be at the migrations of this release. Throws LogUnavailable.
 */
export const verifyPostgresTail = (
  connection: pg.PoolConfig,
  newest: number,
  options: Pick<VerifyLogOptions, "flawOf" | "signal" | "archiveDir">,
): Promise<VerifiedLog> =>
  onClient(connection, async (client) => {
    const { rows } = await client.query(LINK_BEFORE, [newest]);
    const from: Seal | undefined = rows[0] && {
      position: BigInt(rows[0].position),
      hash: rows[0].chain,
    };
    return verifyEvents(client, { ...options, from });
  });

const onClient = <T>(
  connection: pg.PoolConfig,
  work: (client: pg.Client) => Promise<T>,
): Promise<T> =>
  withClient({ ...connection, statement_timeout: STATEMENT_TIMEOUT_MS }, "heliograph ops", work);

async function verifyEvents(client: pg.Client, options: VerifyLogOptions): Promise<VerifiedLog> {
  const { rows: heads } = await client.query(HEAD);
  const head: Head = {
    position: BigInt(heads[0].position),
    copied: BigInt(heads[0].copied),
    chain: heads[0].chain,
  };
  const check = makeChainCheck(head, options);
  const bodies = openBodies(
    async (text, values) => (await client.query({ text, values, rowMode: "array" })).rows,
    options.archiveDir,
  );
  let events = 0;
  let after = options.from?.position ?? 0n;
  for (;;) {
    options.signal.throwIfAborted();
    const { rows } = await client.query({
      name: "verify_page",
      text: chainedPage(PAGE_BYTES),
      values: [after.toString(), head.position.toString(), PAGE_EVENTS],
      rowMode: "array",
    });
    const page: RecordedEvent[] = [];
    const whole = await bodies.fill(rows, { through: 0, event: 2 }, PAGE_BYTES);
    for (const [, chain, ...row] of whole as unknown as Row[]) {
      const event = toEvent(row, undefined);
      const flaw = check.add(event, chain, row);
      if (flaw !== undefined)
        return { events, position: check.position(), compared: check.compared(), flaw };
      page.push(event);
      events++;
    }
    if (rows.length === 0) break;
    await options.onEvents?.(page);
    after = check.position();
    options.onProgress?.({ phase: "events", done: events, position: after, head: head.position });
  }
  const flaw = check.end();
  const position = check.position();
  const found = { events, position, hash: check.hash(), compared: check.compared() };
  return { ...found, ...(flaw !== undefined && { flaw }) };
}

/** Takes the rows in order and says what is wrong, once it is known. */
function makeChainCheck(head: Head, { flawOf, from, seals = [] }: VerifyLogOptions) {
  let previous = Buffer.from(from?.hash ?? "", "hex");
  let position = from?.position ?? 0n;
  let first = position + 1n;
  let bytes = 0;
  let columns = newColumns();
  const known = makeComparison(
    seals.filter((each) => each.position > head.copied && each.position > position),
    position,
  );

  function seal(chain: string): LogFlaw | undefined {
    const joined = Object.fromEntries(
      Object.entries(columns).map(([name, values]) => [name, values.join("\n")]),
    ) as Record<keyof typeof columns, string>;
    previous = createHash("sha256").update(previous).update(linkText(joined)).digest();
    const hash = previous.toString("hex");
    if (hash !== chain)
      return {
        position: first,
        through: position,
        what: `the events from here to ${position} are not those that were sealed`,
      };
    const flaw = known.at(position, hash);
    if (flaw !== undefined) return flaw;
    columns = newColumns();
    first = position + 1n;
    bytes = 0;
    return undefined;
  }

  return {
    add(event: RecordedEvent, chain: string | null, row: EventRow): LogFlaw | undefined {
      const here = event.position;
      // Up to where the log was copied from elsewhere there are holes.
      const before = position < head.copied ? head.copied : position;
      if (here > head.copied && here !== before + 1n)
        return {
          position: before + 1n,
          through: here - 1n,
          what: `no event up to position ${here}`,
        };
      position = here;
      const flaw = eventFlaw(event, flawOf);
      if (flaw !== undefined) return flaw;
      for (const [index, values] of Object.values(columns).entries()) values.push(row[index]!);
      bytes += row[7].length + row[8].length;
      if (chain !== null) return seal(chain);
      return bytes > MAX_LINK_BYTES
        ? { position: first, what: `no hash follows up to position ${here}` }
        : undefined;
    },
    end(): LogFlaw | undefined {
      if (position < head.position && head.copied < head.position)
        return {
          position: position + 1n,
          through: head.position,
          what: `no event up to the head, ${head.position}`,
        };
      if (bytes > 0) return { position: first, what: "no hash follows up to the end" };
      if (previous.toString("hex") !== head.chain)
        return { position, what: "the last hash is not the one at the head" };
      return known.end();
    },
    compared: known.compared,
    position: () => position,
    hash: () => previous.toString("hex"),
  };
}

/** Holds what the chain comes to against what it came to before: `seals` by their positions, all behind `from`. */
function makeComparison(seals: readonly Seal[], from: bigint) {
  let compared = 0;
  let first = from + 1n;
  const unended = ({ position }: Seal): LogFlaw => ({
    position: first,
    through: position,
    what: `an event from here to ${position} was changed or taken away, and the chain made anew: no link of it ends there any more`,
  });
  return {
    /** A link ends here. */
    at(position: bigint, hash: string): LogFlaw | undefined {
      for (let seal = seals[compared]; seal !== undefined; seal = seals[compared]) {
        if (seal.position > position) return undefined;
        if (seal.position < position) return unended(seal);
        if (seal.hash !== hash)
          return {
            position: first,
            through: position,
            what: `an event from here to ${position} was changed, and the chain made anew: it comes to ${hash}, not to ${seal.hash}`,
          };
        compared++;
        first = position + 1n;
      }
      return undefined;
    },
    end: (): LogFlaw | undefined =>
      seals[compared] === undefined ? undefined : unended(seals[compared]!),
    compared: () => compared,
  };
}

/** In the order of an event's row. */
const newColumns = () => ({
  position: [] as string[],
  id: [] as string[],
  stream: [] as string[],
  revision: [] as string[],
  type: [] as string[],
  version: [] as string[],
  recorded_at: [] as string[],
  data: [] as string[],
  metadata: [] as string[],
});

/** The first stream by name whose revisions are not 0, 1, 2, … */
async function findStreamFlaw(
  client: pg.Client,
  head: bigint,
  { onProgress, signal }: VerifyLogOptions,
): Promise<LogFlaw | undefined> {
  let done = 0;
  for (let after = ""; ;) {
    signal.throwIfAborted();
    const { rows } = await client.query(STREAMS, [after]);
    const { last, streams, flawed } = rows[0];
    if (flawed !== null) {
      const { rows: begins } = await client.query(BEGIN, [flawed]);
      const position = BigInt(begins[0].position);
      return { position, what: `the revisions of ${flawed} have a gap` };
    }
    if (last === null) return undefined;
    after = last;
    done += Number(streams);
    onProgress?.({ phase: "streams", done, position: head, head });
  }
}
