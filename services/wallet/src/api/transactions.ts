import type { StreamOf } from "@heliograph/contracts";
import { type PublicTransaction, transactionsOf, type WalletEventType } from "@heliograph/domain";
import type { EventLog, RecordedEvent } from "@heliograph/log";
import type { Page } from "@heliograph/api";

/** An event holds a whole batch, up to some hundred transactions, so a few events fill a page. */
const eventsPerRead = 20;

/** A transaction and its place: the revision of its event, then its index there. */
export type TransactionRow = {
  readonly revision: number;
  readonly index: number;
  readonly transaction: PublicTransaction;
};

export const transactionKey = ({ revision, index }: TransactionRow): string =>
  `${revision}.${index}`;

const rowsOf = (event: RecordedEvent<WalletEventType>): readonly TransactionRow[] =>
  transactionsOf(event).map((transaction, index) => ({
    revision: event.revision,
    index,
    transaction,
  }));

/** A page of a wallet's transactions, newest first, with one more row where there is one. Reads no more events than it needs. */
export async function readTransactions(
  log: EventLog,
  stream: StreamOf<"wallet">,
  page: Page,
): Promise<readonly TransactionRow[]> {
  const forwards = page.before !== undefined;
  const [revision, index] = (page.before ?? page.after)?.split(".").map(Number) ?? [];
  const isPast = (row: TransactionRow): boolean =>
    revision === undefined ||
    row.revision !== revision ||
    (forwards ? row.index > index! : row.index < index!);
  const rows: TransactionRow[] = [];
  let from = revision;
  while (rows.length <= page.limit && (from === undefined || from >= 0)) {
    const events = await log.readStream(stream, {
      limit: eventsPerRead,
      backwards: !forwards,
      ...(from !== undefined && { from }),
    });
    for (const event of events) {
      const found = rowsOf(event).filter(isPast);
      rows.push(...(forwards ? found : found.toReversed()));
    }
    if (events.length < eventsPerRead) break;
    from = events.at(-1)!.revision + (forwards ? 1 : -1);
  }
  const shown = rows.slice(0, page.limit + 1);
  return forwards ? shown.reverse() : shown;
}
