import type { WalletEventType } from "@heliograph/domain";
import type { RecordedEvent } from "@heliograph/log";
import type { WritePart } from "@heliograph/runtime";

const positionColumns = [
  "held_position",
  "declined_position",
  "captured_position",
  "released_position",
  "refunded_position",
] as const;
type PositionColumn = (typeof positionColumns)[number];
const columnOf: Readonly<Record<WalletEventType, PositionColumn | undefined>> = {
  FundsToppedUp: undefined,
  FundsHeld: "held_position",
  FundsDeclined: "declined_position",
  FundsCaptured: "captured_position",
  FundsReleased: "released_position",
  FundsRefunded: "refunded_position",
};

/** One statement for all holds of a batch. A hold's columns are set once, so an event seen again or late changes nothing. */
const holdsSql = `insert into {schema}.holds as h (message_id, partner, amount, ${positionColumns.join(", ")})
  select * from unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[], $8::bigint[])
  on conflict (message_id) do update set ${positionColumns.map((column) => `${column} = coalesce(h.${column}, excluded.${column})`).join(", ")}`;

/** One statement for all wallets of a batch: the last event of each tells the whole balance. */
const walletsSql = `insert into {schema}.wallets as w (partner, available, held, currency, revision, covers, position)
  select * from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::int[], $6::bigint[], $7::bigint[])
  on conflict (partner) do update set available = excluded.available, held = excluded.held, currency = excluded.currency,
    revision = excluded.revision, covers = excluded.covers, position = excluded.position
  where w.revision < excluded.revision`;

type WalletRecorded = RecordedEvent<WalletEventType>;
type HoldRow = {
  readonly partner: string;
  readonly amount: string;
  readonly positions: (bigint | null)[];
};

/** The rows that a batch of wallet events writes, each row once. */
export function walletWrites(events: readonly WalletRecorded[]): readonly WritePart[] {
  const holds = new Map<string, HoldRow>();
  const wallets = new Map<string, WalletRecorded>();
  for (const event of events) {
    const partner = partnerOf(event);
    wallets.set(partner, event);
    const column = columnOf[event.type];
    if (column === undefined) continue;
    const index = positionColumns.indexOf(column);
    if (event.type === "FundsToppedUp") continue;
    for (const { message_id, amount } of event.data.entries) {
      let row = holds.get(message_id);
      if (row === undefined) {
        row = { partner, amount, positions: [null, null, null, null, null] };
        holds.set(message_id, row);
      }
      row.positions[index] ??= event.position;
    }
  }
  const parts: WritePart[] = [];
  if (holds.size > 0) {
    const rows = [...holds.values()];
    parts.push({
      name: "wallet_holds",
      sql: holdsSql,
      values: [
        [...holds.keys()],
        rows.map((row) => row.partner),
        rows.map((row) => row.amount),
        ...positionColumns.map((_, index) => rows.map((row) => row.positions[index])),
      ],
    });
  }
  if (wallets.size > 0) {
    const last = [...wallets.values()];
    parts.push({
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
    });
  }
  return parts;
}

/** Every event names its partner. One that does not is nobody's: it is set aside as poison. */
export function partnerOf(event: RecordedEvent): string {
  const { partner } = event.metadata;
  if (partner === undefined) throw new Error(`${event.type} at ${event.position} names no partner`);
  return partner;
}
