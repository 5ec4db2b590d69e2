import type { EventData } from "@heliograph/contracts";
import { type HoldStatus, statusAfter, type WalletEventType } from "@heliograph/domain";
import { ofType, type RecordedEvent } from "@heliograph/log";
import type { WritePart } from "@heliograph/runtime";

const positionColumns = [
  "held_position",
  "declined_position",
  "captured_position",
  "released_position",
  "refunded_position",
] as const;
type PositionColumn = (typeof positionColumns)[number];
const columnOf: Readonly<Partial<Record<WalletEventType, PositionColumn>>> = {
  FundsHeld: "held_position",
  FundsDeclined: "declined_position",
  FundsCaptured: "captured_position",
  FundsReleased: "released_position",
  FundsRefunded: "refunded_position",
};
/** What happens to a hold that expired, and that a failed message's charge stands. Rare: a statement of its own, so that an ordinary batch writes nothing of it. */
const lateTypes = [
  "FundsExpired",
  "FundsChargedLate",
  "FundsWrittenOff",
  "FundsReturnedBefore",
  "FundsKept",
] as const;
const isLate = ofType(...lateTypes);
/** What makes a hold or a charge another amount, of a message with several steps. Its status stays. */
const isChanged = ofType("FundsReduced", "FundsRebated", "FundsSurcharged");
/** What says in which day it counts; a late charge counts in its own. */
const isSpending = ofType("FundsHeld", "FundsChargedLate");

/** One statement for all holds of a batch. A hold's columns are set once, so an event seen again or late changes nothing. */
const holdsSql = `insert into {schema}.holds as h (message_id, partner, amount, ${positionColumns.join(", ")}, spent_on)
  select * from unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[], $8::bigint[], $9::text[])
  on conflict (message_id) do update set spent_on = coalesce(h.spent_on, excluded.spent_on), ${positionColumns.map((column) => `${column} = coalesce(h.${column}, excluded.${column})`).join(", ")}`;

/** The same for a batch in which holds expired or were settled after it, or became another amount: no two statements of a batch may touch one row. */
const lateHoldsSql = `insert into {schema}.holds as h (message_id, partner, amount, ${positionColumns.join(", ")}, spent_on, late_status, late_positions)
  select message_id, wallet, amount, held, declined, captured, released, refunded, spent_on, late_status, string_to_array(late_positions, ',')::bigint[]
  from unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[], $8::bigint[], $9::text[], $10::text[], $11::text[])
    as x (message_id, wallet, amount, held, declined, captured, released, refunded, spent_on, late_status, late_positions)
  on conflict (message_id) do update set amount = case when excluded.late_positions is null then h.amount else excluded.amount end, ${positionColumns.map((column) => `${column} = coalesce(h.${column}, excluded.${column})`).join(", ")},
    spent_on = coalesce(excluded.spent_on, h.spent_on), late_status = coalesce(excluded.late_status, h.late_status),
    late_positions = nullif(array(select distinct p from unnest(h.late_positions || excluded.late_positions) as p order by p), '{}')`;

/** One statement for all wallets of a batch: the last event of each tells the whole balance. */
const walletsSql = `insert into {schema}.wallets as w (partner, available, held, currency, revision, covers, position)
  select * from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::int[], $6::bigint[], $7::bigint[])
  on conflict (partner) do update set available = excluded.available, held = excluded.held, currency = excluded.currency,
    revision = excluded.revision, covers = excluded.covers, position = excluded.position
  where w.revision < excluded.revision`;

type WalletRecorded = RecordedEvent<WalletEventType>;
type HoldRow = {
  readonly partner: string;
  amount: string;
  readonly positions: (bigint | null)[];
  on: string | null;
  late?: { readonly status: HoldStatus | null; readonly positions: bigint[] };
};

/** The rows that a batch of wallet events writes, each row once. */
export function walletWrites(events: readonly WalletRecorded[]): readonly WritePart[] {
  const holds = new Map<string, HoldRow>();
  const wallets = new Map<string, WalletRecorded>();
  for (const event of events) {
    const partner = walletOf(event);
    wallets.set(partner, event);
    const column = columnOf[event.type];
    if (column === undefined && !isLate(event) && !isChanged(event)) continue;
    const { entries, spent } = event.data as EventData<"FundsHeld">;
    for (const entry of entries) {
      const { message_id, amount } = entry;
      let row = holds.get(message_id);
      if (row === undefined) {
        row = { partner, amount, on: null, positions: [null, null, null, null, null] };
        holds.set(message_id, row);
      }
      if (isSpending(event)) row.on = spent?.on ?? null;
      if (column !== undefined) row.positions[positionColumns.indexOf(column)] ??= event.position;
      else {
        row.amount = "becomes" in entry ? String(entry.becomes) : amount;
        row.late = {
          status: isLate(event) ? statusAfter[event.type] : (row.late?.status ?? null),
          positions: [...(row.late?.positions ?? []), event.position],
        };
      }
    }
  }
  return [
    ...(holds.size > 0 ? [holdPart(holds)] : []),
    ...(wallets.size > 0 ? [walletPart(wallets)] : []),
  ];
}

function holdPart(holds: ReadonlyMap<string, HoldRow>): WritePart {
  const rows = [...holds.values()];
  const isOrdinary = rows.every(({ late }) => late === undefined);
  const values = [
    [...holds.keys()],
    rows.map((row) => row.partner),
    rows.map((row) => row.amount),
    ...positionColumns.map((_, index) => rows.map((row) => row.positions[index])),
    rows.map((row) => row.on),
  ];
  if (isOrdinary) return { name: "wallet_holds", sql: holdsSql, values };
  const late = [
    rows.map((row) => row.late?.status ?? null),
    rows.map((row) => row.late?.positions.join() ?? null),
  ];
  return { name: "wallet_late_holds", sql: lateHoldsSql, values: [...values, ...late] };
}

function walletPart(wallets: ReadonlyMap<string, WalletRecorded>): WritePart {
  const last = [...wallets.values()];
  return {
    name: "wallet_wallets",
    sql: walletsSql,
    values: [
      [...wallets.keys()],
      last.map(({ data }) => data.available),
      last.map(({ data }) => data.held),
      last.map(({ data }) => data.currency),
      last.map(({ revision }) => revision),
      last.map(({ data }) => BigInt(data.covers)),
      last.map(({ position }) => position),
    ],
  };
}

/** The wallet in whose stream an event stands (`walletName`). */
function walletOf(event: RecordedEvent): string {
  partnerOf(event);
  return `ptn_${event.stream.slice("wallet-".length)}`;
}

/** Every event names its partner. One that does not is nobody's: it is set aside as poison. */
export function partnerOf(event: RecordedEvent): string {
  const { partner } = event.metadata;
  if (partner === undefined) throw new Error(`${event.type} at ${event.position} names no partner`);
  return partner;
}
