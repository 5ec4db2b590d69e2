import {
  type Answer,
  type Call,
  type Route,
  notValid,
  queryInt,
  route,
  sendStream,
  writeCell,
} from "@heliograph/api";
import { formatMoney, PublicError } from "@heliograph/contracts";
import { moneyOf, type StatementEntry, statementEntriesOf } from "@heliograph/domain";
import type { EventLog, EventIn } from "@heliograph/log";
import { stringify } from "csv-stringify/sync";
import { z } from "zod";
import { walletStream } from "../wallets.ts";
import { Money } from "./money.ts";
import { Currency, ledger, type Target, targetOf } from "./target.ts";
import { revisionAt } from "./transactions.ts";
import { Transaction } from "./transactions-list.ts";

const Month = z
  .string()
  .regex(/^2\d{3}-(0[1-9]|1[0-2])$/, "must be a month such as 2026-05")
  .meta({ example: "2026-05" });
const StatementQuery = z.strictObject({
  format: z.enum(["json", "csv"]).optional().meta({ description: "Default: json." }),
  currency: Currency.optional().meta({ description: "Of which wallet; the partner's own." }),
  limit: queryInt(1, 1_000).optional().meta({
    description: "Of JSON: at most so many entries, the first of the month. Default: all.",
  }),
});
const change = "Signed; `opening` and these come to `closing`.";
const Statement = z
  .object({
    month: Month,
    currency: z.string(),
    opening: Money.meta({ description: "Available when the month began." }),
    opening_held: Money,
    entries: z.array(
      Transaction.extend({
        change: Money.meta({ description: `By how much it changed what is available. ${change}` }),
        held_change: Money,
      }).meta({ id: "StatementEntry" }),
    ),
    more: z.boolean().optional().meta({
      description:
        "With `limit`: whether entries are left out; then the others do not come to `closing`.",
    }),
    closing: Money.meta({ description: "Available at the end of the month, or now." }),
    closing_held: Money,
  })
  .meta({ id: "WalletStatement" });

type Balances = { readonly available: bigint; readonly held: bigint };
type Period = {
  /** The revision of its first event, and that of the first one after it. */
  readonly from: number;
  readonly to: number;
  readonly opening: Balances;
  readonly closing: Balances;
};

const balancesOf = (event: EventIn<`wallet-${string}`> | undefined): Balances =>
  event === undefined
    ? { available: 0n, held: 0n }
    : { available: moneyOf(event.data.available)!, held: moneyOf(event.data.held)! };

/** A month is a stretch of revisions: where one ends the next begins, so the closing of each is the opening of the one after it, whatever a clock did. */
async function periodOf(log: EventLog, { name }: Target, month: string): Promise<Period> {
  const stream = walletStream(name);
  const [year, number] = month.split("-").map(Number) as [number, number];
  const from = await revisionAt(log, stream, Date.UTC(year, number - 1));
  const to = await revisionAt(log, stream, Date.UTC(year, number));
  const before = async (revision: number) =>
    revision === 0
      ? undefined
      : (await log.readStream(stream, { from: revision - 1, limit: 1 }))[0];
  return {
    from,
    to,
    opening: balancesOf(await before(from)),
    closing: balancesOf(await before(to)),
  };
}

/** The entries of each event in turn. Throws at the end when they do not come to the closing balance: a statement that is cut off is better than one that is wrong. */
async function* entriesOf(
  log: EventLog,
  { name }: Target,
  { from, to, opening, closing }: Period,
): AsyncGenerator<readonly StatementEntry[]> {
  let { available, held } = opening;
  if (to > from)
    for await (const event of log.scanStream(walletStream(name), { from })) {
      if (event.revision >= to) break;
      const entries = statementEntriesOf(event);
      for (const entry of entries) {
        available += moneyOf(entry.change)!;
        held += moneyOf(entry.held_change)!;
      }
      if (entries.length > 0) yield entries;
    }
  if (available !== closing.available || held !== closing.held)
    throw new Error(`the statement of ${name} comes to ${available}, not to ${closing.available}`);
}

async function* asJson(
  head: object,
  period: Period,
  entries: AsyncIterable<readonly object[]>,
  limit: number | undefined,
) {
  const { opening, closing } = period;
  const shown = {
    ...head,
    opening: formatMoney(opening.available),
    opening_held: formatMoney(opening.held),
  };
  yield `${JSON.stringify(shown).slice(0, -1)},"entries":[`;
  let comma = "";
  let left = limit ?? Infinity;
  let more = false;
  for await (const some of entries) {
    const taken = some.slice(0, left);
    if (taken.length > 0) yield comma + taken.map((entry) => JSON.stringify(entry)).join();
    comma = ",";
    left -= taken.length;
    more = taken.length < some.length;
    if (more) break;
  }
  const end = {
    ...(limit !== undefined && { more }),
    closing: formatMoney(closing.available),
    closing_held: formatMoney(closing.held),
  };
  yield `],${JSON.stringify(end).slice(1)}`;
}

const columns = [
  "created_at",
  "kind",
  "id",
  "amount",
  "change",
  "held_change",
  "balance_after",
  "currency",
  "message_id",
  "reference",
  "reason",
  "author",
] as const;
/** What others wrote: it must not run as a formula. */
const foreign: ReadonlySet<string> = new Set(["reference", "reason", "author"]);

async function* asCsv(
  currency: string,
  { opening, closing }: Period,
  entries: AsyncIterable<readonly StatementEntry[]>,
) {
  const line = (row: Partial<Record<(typeof columns)[number], string>>): string[] =>
    columns.map((name) => (foreign.has(name) ? writeCell(row[name] ?? "") : (row[name] ?? "")));
  const write = (rows: readonly (readonly string[])[]): string =>
    stringify(rows as string[][], { record_delimiter: "windows" });
  // Their kinds are none of a transaction's.
  const total = (kind: string, { available }: Balances): string =>
    write([line({ kind, balance_after: formatMoney(available), currency })]);
  yield write([[...columns]]);
  yield total("opening", opening);
  for await (const some of entries) yield write(some.map(line));
  yield total("closing", closing);
}

async function statement(
  call: Call<undefined, z.infer<typeof StatementQuery>, { readonly month: string }>,
): Promise<Answer> {
  const { month } = call.params;
  const { format = "json", currency: named, limit } = call.query;
  if (format === "csv" && limit !== undefined)
    throw notValid("query", [
      { path: "limit", code: "not_allowed", message: "a file has all entries of its month" },
    ]);
  if (month > new Date(call.now()).toISOString().slice(0, 7))
    throw new PublicError("not_found", "That month has not begun.");
  const target = targetOf(call, { currency: named });
  const { log } = call.deps;
  const period = await periodOf(log, target, month);
  const entries = entriesOf(log, target, period);
  const { currency } = target;
  const texts =
    format === "csv"
      ? asCsv(currency, period, entries)
      : asJson({ month, currency }, period, entries, limit);
  return sendStream(call, format, `statement-${month}-${currency}`, texts);
}

export const statementRoute: Route = route({
  method: "GET",
  path: "/wallet/statements/:month",
  scope: "wallet:read",
  summary: "A month of the wallet: opening, entries, closing",
  projection: ledger,
  params: z.object({ month: Month }),
  query: StatementQuery,
  response: Statement,
  contentType: ["application/json", "text/csv"],
  errors: ["invalid_request", "not_found"],
  handler: statement,
});
