import type { StreamOf } from "@heliograph/contracts";
import {
  type PublicTransaction,
  timeOfEvent,
  transactionsOf,
  type WalletEventType,
  walletEventTypes,
} from "@heliograph/domain";
import { type EventLog, eventsBefore, ofType, type RecordedEvent } from "@heliograph/log";
import type { Page } from "@heliograph/api";
import { holdPositions, type Queryable } from "../tables/wallet.ts";

/** An event holds a whole batch, up to some hundred transactions, so a few events fill a page. */
const eventsPerRead = 20;
/** One page looks at no more events than this, so that a filter for something rare cannot read all of a wallet; its cursor goes on from there. */
const mostEvents = 1_000;
/** Times follow the revisions only as well as the clock of the log runs on. */
const clockStepMs = 120_000;

export type TransactionFilter = {
  readonly kinds?: readonly string[] | undefined;
  readonly messageId?: string | undefined;
  readonly reference?: string | undefined;
  /** Epoch milliseconds, inclusive. */
  readonly createdFrom?: number | undefined;
  /** Epoch milliseconds, exclusive. */
  readonly createdBefore?: number | undefined;
};

/** A transaction and its place: the revision of its event, then its index there. */
export type TransactionRow = {
  readonly revision: number;
  readonly index: number;
  readonly transaction: PublicTransaction;
};
type Place = Pick<TransactionRow, "revision" | "index">;
type WalletEvent = RecordedEvent<WalletEventType>;
type Wallet = {
  readonly log: EventLog;
  readonly stream: StreamOf<"wallet">;
  readonly pool: Queryable;
  readonly partner: string;
};
const isWalletEvent = ofType(...walletEventTypes);

/** The rows of a page, newest first, with one more where there is one, and where the pages before and behind it begin where no row says so. */
export type TransactionPage = {
  readonly rows: readonly TransactionRow[];
  readonly newer: string | undefined;
  readonly older: string | undefined;
};

export const transactionKey = ({ revision, index }: Place): string => `${revision}.${index}`;

function placeOf(key: string | undefined): Place | undefined {
  if (key === undefined) return undefined;
  const [revision, index] = key.split(".").map(Number);
  return { revision: revision!, index: index! };
}

function rowsOf(event: WalletEvent, filter: TransactionFilter): readonly TransactionRow[] {
  const { kinds, messageId, reference, createdFrom, createdBefore } = filter;
  if (createdFrom !== undefined && timeOfEvent(event) < createdFrom) return [];
  if (createdBefore !== undefined && timeOfEvent(event) >= createdBefore) return [];
  return transactionsOf(event)
    .map((transaction, index) => ({ revision: event.revision, index, transaction }))
    .filter(
      ({ transaction }) =>
        (kinds === undefined || kinds.includes(transaction.kind)) &&
        (messageId === undefined || transaction.message_id === messageId) &&
        (reference === undefined || transaction.reference === reference),
    );
}

/** A page of a wallet's transactions. Reads no more events than it needs, nor more than `mostEvents`. */
export async function readTransactions(
  wallet: Wallet,
  page: Page,
  filter: TransactionFilter,
): Promise<TransactionPage> {
  const forwards = page.before !== undefined;
  const start = placeOf(page.before ?? page.after);
  const isPast = (row: TransactionRow): boolean =>
    start === undefined ||
    (forwards
      ? row.revision > start.revision ||
        (row.revision === start.revision && row.index > start.index)
      : row.revision < start.revision ||
        (row.revision === start.revision && row.index < start.index));
  const { rows, stopped } = await (filter.messageId === undefined
    ? scan(wallet, start?.revision, forwards, page.limit, filter, isPast)
    : ofMessage(wallet, filter.messageId, forwards, filter, isPast));
  const shown = rows.slice(0, page.limit + 1);
  // Beside the item that the cursor names, so that it is in the page that the other direction gives.
  const back = start && { ...start, index: start.index + (forwards ? 1 : -1) };
  const [ahead, behind] = [stopped, back].map((place) => place && transactionKey(place));
  return forwards
    ? { rows: shown.toReversed(), newer: ahead, older: behind }
    : { rows: shown, newer: behind, older: ahead };
}

type Found = { readonly rows: readonly TransactionRow[]; readonly stopped?: Place };

/** Walks the stream from the cursor on, in the direction of the page. */
async function scan(
  { log, stream }: Wallet,
  start: number | undefined,
  forwards: boolean,
  limit: number,
  filter: TransactionFilter,
  isPast: (row: TransactionRow) => boolean,
): Promise<Found> {
  const { createdFrom, createdBefore } = filter;
  const least =
    createdFrom === undefined ? 0 : await revisionAt(log, stream, createdFrom - clockStepMs);
  const most =
    createdBefore === undefined
      ? Number.MAX_SAFE_INTEGER
      : (await revisionAt(log, stream, createdBefore + clockStepMs)) - 1;
  const rows: TransactionRow[] = [];
  let from = forwards ? Math.max(start ?? 0, least) : Math.min(start ?? most, most);
  for (let seen = 0; rows.length <= limit && from >= least && from <= most;) {
    if (seen >= mostEvents)
      return { rows, stopped: { revision: forwards ? from : from + 1, index: -1 } };
    const events = await log.readStream(stream, {
      limit: eventsPerRead,
      backwards: !forwards,
      ...(from !== Number.MAX_SAFE_INTEGER && { from }),
    });
    for (const event of events) {
      const found = rowsOf(event, filter).filter(isPast);
      rows.push(...(forwards ? found : found.toReversed()));
    }
    if (events.length < eventsPerRead) break;
    seen += events.length;
    from = events.at(-1)!.revision + (forwards ? 1 : -1);
  }
  return { rows };
}

/** The few transactions of one message: from the events that the tables name, and from those that are not in the tables yet. */
async function ofMessage(
  { log, stream, pool, partner }: Wallet,
  messageId: string,
  forwards: boolean,
  filter: TransactionFilter,
  isPast: (row: TransactionRow) => boolean,
): Promise<Found> {
  const { positions, revision } = await holdPositions(pool, messageId, partner);
  const events = await Promise.all(positions.map((position) => log.readAt(position)));
  const rows = events
    .filter((event) => event !== undefined)
    .filter(isWalletEvent)
    .flatMap((event) => rowsOf(event, filter));
  for await (const event of log.scanStream(stream, { from: revision + 1 }))
    rows.push(...rowsOf(event, filter));
  const past = rows.filter(isPast);
  return { rows: forwards ? past : past.toReversed() };
}

/** The first revision that was recorded at `time` or later. */
export const revisionAt = (
  log: EventLog,
  stream: StreamOf<"wallet">,
  time: number,
): Promise<number> => eventsBefore(log, stream, (event) => timeOfEvent(event) >= time);
